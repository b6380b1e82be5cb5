"""Statements about a text: what follows from it, by leaving things out; and what does not, by changing one thing.

What follows: a clause by itself, without asides and without what trails it; an apposition as a sentence. What does
not: such a statement with another name, number or opposite, denied, or about another text.
"""

from __future__ import annotations

import random
import re
from itertools import pairwise

from synthesis.parsers import Sentence
from synthesis.providers.template.clause import CLAUSE_MARKS, Clause, clauses, related, sentence_case, spell
from synthesis.providers.template.questions import SLOT, choose

FEW, MANY = 4, 30  # words of a statement
LINKS = frozenset(  # a clause may end before these
    ["which", "who", "whom", "whose", "where", "when", "while", "although", "because", "since", "that", "and", "but"]
)
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def prepare(grammar: dict) -> dict:
    pairs = [pair for one, other in grammar["opposites"] for pair in ((one, other), (other, one))]
    return grammar | {"opposite": dict(pairs)}


def write(grammar: dict, step: str, slots: dict, rng: random.Random, reading) -> str:
    """A statement; of those that are possible, one like the statement that the prompt shows, if it shows one."""
    writer, entailed = Writer(grammar, rng, reading), grammar["labels"][slots["label"]] == "entailed"
    statements = writer.entailments(slots["premise"]) if entailed else writer.non_entailments(slots["premise"])
    return choose(statements, slots.get("hypothesis"), rng)


def _may_end(tokens, place: int) -> bool:
    """Whether a clause is whole without tokens[place:]: before a mark, a link, or a preposition after a noun."""
    token = tokens[place]
    after_noun = tokens[place - 1].tag.startswith(("NN", "CD", "JJR", "RB", "VBN"))
    return token.text in CLAUSE_MARKS or token.text.lower() in LINKS or (token.tag in ("IN", "TO") and after_noun)


class Writer:
    """Finds statements. Each method returns all that are possible, or None where it changes a statement and cannot."""

    def __init__(self, grammar: dict, rng: random.Random, reading):
        self.grammar, self.rng, self.reading = grammar, rng, reading

    def entailments(self, text: str) -> list[str]:
        """What follows from a text, but for the text itself."""
        sentences = self.reading.sentences(text)
        statements = [statement for sentence in sentences for statement in self.simplify(sentence)]
        statements += [statement for sentence in sentences for statement in self.appositions(sentence)]
        return [one for one in statements if one.rstrip(".") != text.strip().rstrip(".")]

    def simplify(self, sentence: Sentence) -> list[str]:
        """Each clause, with and without what stands between two commas, up to every place where it may end."""
        statements = []
        for clause in [one for tokens in self.without_asides(sentence.tokens) for one in clauses(Sentence(tokens, ()))]:
            tokens = clause.tokens
            for end in range(clause.verb + 2, clause.end + 1):
                if end < clause.end and not _may_end(tokens, end):
                    continue
                kept = tokens[clause.start : end]
                if FEW <= len(kept) <= MANY and kept[-1].tag.startswith(("NN", "VB", "CD", "JJ", "RB")):
                    statements.append(sentence_case(spell(kept).strip(" ,;:")) + ".")
        return statements

    def without_asides(self, tokens: tuple) -> list[tuple]:
        """The tokens, all of them and without what stands between two neighbouring commas or the like."""
        marks = [place for place, token in enumerate(tokens) if token.text in (",", "(", ")", "–", "—")]
        return [tokens, *(tokens[:first] + tokens[last + 1 :] for first, last in pairwise(marks))]

    def appositions(self, sentence: Sentence) -> list[str]:
        """A name, and between commas after it what it is."""
        tokens, statements = sentence.tokens, []
        names = [phrase for phrase in sentence.phrases if phrase.kind in ("person", "place", "name")]
        for phrase in names:
            at = phrase.last
            if at + 1 < len(tokens) and tokens[at].text == "," and tokens[at + 1].text.lower() in ("a", "an", "the"):
                end = next(
                    (p for p in range(at + 1, len(tokens)) if tokens[p].text in CLAUSE_MARKS | {"."}), len(tokens)
                )
                if 2 < end - at <= MANY and not any(token.tag in ("VBD", "VBZ", "MD") for token in tokens[at:end]):
                    described = spell(tokens[at + 1 : end])
                    statements.append(self.fill(self.grammar["apposition"], name=phrase.text, description=described))
        return statements

    def non_entailments(self, text: str) -> list[str]:
        """Statements of the text with one change; and those of other texts, so that there is always one."""
        sentences = self.reading.sentences(text)
        clear = [statement for sentence in sentences for statement in self.simplify(sentence)]
        names = [phrase for sentence in sentences for phrase in sentence.phrases if phrase.kind != "thing"]
        near = related(text, self.reading.others, self.rng)[:3]
        names += [phrase for other in near for one in self.reading.sentences(other) for phrase in one.phrases]
        ways = [
            [changed for one in clear if (changed := self.rename(one, names))],
            [changed for one in clear if (changed := self.renumber(one))],
            [changed for one in clear if (changed := self.oppose(one))],
            [self.deny(clause) for sentence in sentences for clause in clauses(sentence)],
            [statement for other in near for one in self.reading.sentences(other) for statement in self.simplify(one)],
        ]
        ways = [way for way in ways if way]
        return self.rng.choice(ways) if ways else []

    def rename(self, statement: str, names: list) -> str | None:
        """Another name of the same kind for one that stands in the statement."""
        there = [name for name in names if name.kind not in ("thing", "number") and name.text in statement]
        if not there:
            return None
        old = self.rng.choice(there)
        others = sorted({name.text for name in names if name.kind == old.kind and name.text not in statement})
        return statement.replace(old.text, self.rng.choice(others)) if others else None

    def renumber(self, statement: str) -> str | None:
        """Another digit in one of its numbers."""
        numbers = list(NUMBER.finditer(statement))
        if not numbers:
            return None
        number = self.rng.choice(numbers)
        digits = number[0]
        place = self.rng.choice([at for at, sign in enumerate(digits) if sign.isdigit()])
        other = self.rng.choice([digit for digit in "123456789" if digit != digits[place]])
        return statement[: number.start() + place] + other + statement[number.start() + place + 1 :]

    def oppose(self, statement: str) -> str | None:
        """The opposite of one of its words."""
        words = statement.split(" ")
        places = [place for place, word in enumerate(words) if word in self.grammar["opposite"]]
        if not places:
            return None
        place = self.rng.choice(places)
        words[place] = self.grammar["opposite"][words[place]]
        return " ".join(words)

    def deny(self, clause: Clause) -> str:
        """A clause with "not" or the like."""
        aux, verb = clause.support()
        rest = spell(clause.tokens[clause.verb + 1 : clause.end])
        subject = spell(clause.tokens[clause.start : clause.verb])
        return self.fill(self.rng.choice(self.grammar["negation"]), subject=subject, aux=aux, verb=verb, rest=rest)

    def fill(self, frame: str, **parts: str) -> str:
        """A frame with its parts, which go in as they are, braces included."""
        return sentence_case(SLOT.sub(lambda slot: parts[slot[1]], frame)).replace(" .", ".")
