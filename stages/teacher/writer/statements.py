"""Statements about a text: what follows from it, by leaving things out; and what does not, by changing one thing.

What follows: a clause by itself, without asides and without what trails it; an apposition as a sentence. What does
not: such a statement with another name, number or opposite, denied, or about another text.
"""

from __future__ import annotations

import random
import re
from itertools import pairwise

from stages.teacher.language import Sentence
from stages.teacher.writer.clause import CLAUSE_MARKS, Clause, clauses, related, sentence_case, spell
from stages.teacher.writer.questions import SLOT, chosen

FEW, MANY = 4, 30  # words of a statement
LINKS = (
    "which",
    "who",
    "whom",
    "whose",
    "where",
    "when",
    "while",
    "although",
    "because",
    "since",
    "that",
    "and",
    "but",
)
ENDING = frozenset(LINKS)  # a clause may end before these
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def prepare(templates: dict) -> dict:
    pairs = [pair for one, other in templates["opposites"] for pair in ((one, other), (other, one))]
    return templates | {"opposite": dict(pairs)}


def write(templates: dict, step: str, slots: dict, rng: random.Random, reading) -> str:
    """A statement; of those that are possible, one like the statement that the prompt shows, if it shows one."""
    writer = Writer(templates, rng, reading)
    if templates["labels"][slots["label"]] == "entailed":
        found = writer.entailed(slots["premise"])
    else:
        found = writer.unsupported(slots["premise"])
    return chosen(found, slots.get("hypothesis"), rng)


class Writer:
    def __init__(self, templates: dict, rng: random.Random, reading):
        self.templates, self.rng, self.reading = templates, rng, reading

    def entailed(self, text: str) -> list[str]:
        sentences = self.reading.sentences(text)
        found = [statement for sentence in sentences for statement in self.simpler(sentence)]
        found += [statement for sentence in sentences for statement in self.appositions(sentence)]
        return [one for one in found if one.rstrip(".") != text.strip().rstrip(".")]

    def simpler(self, sentence: Sentence) -> list[str]:
        """Each clause, with and without what stands between two commas, up to every place where it may end."""
        found = []
        for clause in [one for tokens in self.without_asides(sentence.tokens) for one in clauses(Sentence(tokens, ()))]:
            tokens = clause.tokens
            ends = [
                place
                for place in range(clause.verb + 2, clause.end + 1)
                if place == clause.end
                or tokens[place].text in CLAUSE_MARKS
                or tokens[place].text.lower() in ENDING
                or (
                    tokens[place].tag in ("IN", "TO")
                    and tokens[place - 1].tag.startswith(("NN", "CD", "JJR", "RB", "VBN"))
                )
            ]
            for end in ends:
                kept = tokens[clause.start : end]
                if FEW <= len(kept) <= MANY and kept[-1].tag.startswith(("NN", "VB", "CD", "JJ", "RB")):
                    found.append(sentence_case(spell(kept).strip(" ,;:")) + ".")
        return found

    def without_asides(self, tokens: tuple) -> list[tuple]:
        marks = [place for place, token in enumerate(tokens) if token.text in (",", "(", ")", "–", "—")]
        return [tokens, *(tokens[:first] + tokens[last + 1 :] for first, last in pairwise(marks))]

    def appositions(self, sentence: Sentence) -> list[str]:
        """A name, and between commas after it what it is."""
        tokens, found = sentence.tokens, []
        names = [phrase for phrase in sentence.phrases if phrase.kind in ("person", "place", "name")]
        for phrase in names:
            at = phrase.last
            if at + 1 < len(tokens) and tokens[at].text == "," and tokens[at + 1].text.lower() in ("a", "an", "the"):
                end = next(
                    (p for p in range(at + 1, len(tokens)) if tokens[p].text in CLAUSE_MARKS | {"."}), len(tokens)
                )
                if 2 < end - at <= MANY and not any(token.tag in ("VBD", "VBZ", "MD") for token in tokens[at:end]):
                    described = spell(tokens[at + 1 : end])
                    found.append(self.filled(self.templates["apposition"], name=phrase.text, description=described))
        return found

    def unsupported(self, text: str) -> list[str]:
        """Statements of the text with one change; and those of other texts, so that there is always one."""
        sentences = self.reading.sentences(text)
        clear = [statement for sentence in sentences for statement in self.simpler(sentence)]
        names = [phrase for sentence in sentences for phrase in sentence.phrases if phrase.kind != "thing"]
        near = related(text, self.reading.others, self.rng)[:3]
        names += [phrase for other in near for one in self.reading.sentences(other) for phrase in one.phrases]
        ways = [
            [changed for one in clear if (changed := self.renamed(one, names))],
            [changed for one in clear if (changed := self.renumbered(one))],
            [changed for one in clear if (changed := self.opposed(one))],
            [self.denied(clause) for sentence in sentences for clause in clauses(sentence)],
            [statement for other in near for one in self.reading.sentences(other) for statement in self.simpler(one)],
        ]
        ways = [way for way in ways if way]
        return self.rng.choice(ways) if ways else []

    def renamed(self, statement: str, names: list) -> str | None:
        """Another name of the same kind for one that stands in the statement."""
        there = [name for name in names if name.kind not in ("thing", "number") and name.text in statement]
        if not there:
            return None
        old = self.rng.choice(there)
        others = sorted({name.text for name in names if name.kind == old.kind and name.text not in statement})
        return statement.replace(old.text, self.rng.choice(others)) if others else None

    def renumbered(self, statement: str) -> str | None:
        found = list(NUMBER.finditer(statement))
        if not found:
            return None
        number = self.rng.choice(found)
        digits = number[0]
        place = self.rng.choice([at for at, sign in enumerate(digits) if sign.isdigit()])
        other = self.rng.choice([digit for digit in "123456789" if digit != digits[place]])
        return statement[: number.start() + place] + other + statement[number.start() + place + 1 :]

    def opposed(self, statement: str) -> str | None:
        words = statement.split(" ")
        places = [place for place, word in enumerate(words) if word in self.templates["opposite"]]
        if not places:
            return None
        place = self.rng.choice(places)
        words[place] = self.templates["opposite"][words[place]]
        return " ".join(words)

    def denied(self, clause: Clause) -> str:
        aux, verb = clause.support()
        rest = spell(clause.tokens[clause.verb + 1 : clause.end])
        subject = spell(clause.tokens[clause.start : clause.verb])
        return self.filled(self.rng.choice(self.templates["negation"]), subject=subject, aux=aux, verb=verb, rest=rest)

    def filled(self, frame: str, **parts: str) -> str:
        """A frame with its parts, which go in as they are, braces included."""
        return sentence_case(SLOT.sub(lambda slot: parts[slot[1]], frame)).replace(" .", ".")
