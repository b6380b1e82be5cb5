"""A clause seen as subject, verb and rest, which is all that questions and statements need."""

from __future__ import annotations

from dataclasses import dataclass

from synthesis.parsers import Sentence, Token

BE_HAVE_DO = ("is", "are", "was", "were", "am", "has", "have", "had", "does", "do", "did")
MODALS = ("can", "could", "will", "would", "may", "might", "must", "shall", "should")
AUXILIARIES = frozenset(BE_HAVE_DO + MODALS)
FINITE = ("VBZ", "VBD", "VBP", "MD")
CLAUSE_MARKS = frozenset(',;:()—–"“”')
CLOSED = frozenset(("DT", "PRP", "PRP$", "EX", "IN", "RB", "WRB", "CC", "TO"))  # tags of words that are no names
TIGHT_BEFORE, TIGHT_AFTER = frozenset(",.;:!?)%]’”"), frozenset("($[“")


@dataclass(frozen=True)
class Clause:
    """tokens[start:end] of a sentence, whose finite verb is tokens[verb]."""

    tokens: tuple[Token, ...]
    start: int
    verb: int
    end: int

    @property
    def auxiliary(self) -> bool:
        """Whether the verb is one like "is", "has" or "can"."""
        return self.tokens[self.verb].text.lower() in AUXILIARIES

    def support(self) -> tuple[str, str]:
        """Auxiliary and verb of a question or a negation: ("was", "") for "was", ("did", "write") for "wrote"."""
        token = self.tokens[self.verb]
        if self.auxiliary:
            return token.text.lower(), ""
        return {"VBZ": "does", "VBP": "do"}.get(token.tag, "did"), token.lemma

    def subject(self) -> str:
        """What stands before the verb."""
        return spell(self.tokens[self.start : self.verb], lower=self.start == 0)


def clauses(sentence: Sentence) -> list[Clause]:
    """The clauses of a sentence that have a subject: from a mark or the sentence's start to where the sentence ends."""
    tokens, result = sentence.tokens, []
    starts = [0, *(place + 1 for place, token in enumerate(tokens) if token.text in CLAUSE_MARKS)]
    for start in starts:
        if start < len(tokens) and tokens[start].tag == "CC":
            start += 1
        stop = next((p for p in range(start, len(tokens)) if tokens[p].text in CLAUSE_MARKS), len(tokens))
        verb = next((place for place in range(start, stop) if _finite(tokens, place)), None)
        subject = tokens[start:verb] if verb is not None else ()
        if any(token.tag.startswith(("NN", "PRP", "CD")) for token in subject) and subject[0].tag not in (
            "IN", "WP", "WDT", "WRB", "VBG", "VBN", "TO",
        ):  # fmt: skip
            end = len(tokens) - (tokens[-1].text in ".!?")
            result.append(Clause(tokens, start, verb, end))
    return result


def _finite(tokens, place: int) -> bool:
    """The tagger takes many a past tense for a participle; one after a noun or pronoun is none."""
    token = tokens[place]
    before = tokens[place - 1].tag if place else ""
    return token.tag in FINITE or (token.tag == "VBN" and before.startswith(("NN", "PRP")))


def spell(tokens, lower: bool = False) -> str:
    """Tokens as text. `lower`: the first one began its sentence, and keeps its capital only as a name."""
    text = ""
    for place, token in enumerate(tokens):
        word = token.text
        if lower and place == 0 and (token.tag in CLOSED or word.lower() in ("a", "an", "the")) and word != "I":
            word = word[:1].lower() + word[1:]
        touching = place and tokens[place - 1].end == token.start
        text += word if not text or touching or word in TIGHT_BEFORE or text[-1] in TIGHT_AFTER else f" {word}"
    return text


def words(text: str) -> set[str]:
    """The words of a text that say what it is about."""
    stripped = (word.strip(".,;:!?()\"'“”’").lower() for word in text.split())
    return {word for word in stripped if len(word) > 3 or word.isdigit()}


def likeness(one: str, other: str) -> float:
    """The share of words that two texts have in common, between 0 and 1."""
    first, second = words(one), words(other)
    return len(first & second) / max(len(first | second), 1)


def related(text: str, others: list[str], rng, drawn: int = 60) -> list[str]:
    """Some of the other texts, at random, those first that have most in common with this one."""
    sample = rng.sample(others, min(drawn, len(others)))
    return sorted((other for other in sample if other != text), key=lambda other: -likeness(text, other))


def sentence_case(text: str) -> str:
    text = " ".join(text.split())
    return text[:1].upper() + text[1:]
