"""Film reviews, from a grammar: seed reviews from reasons, and variations of a review that keep its label."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Callable

from synthesis.providers.template import rewording
from synthesis.providers.template.rewording import Rewording, any_of, upper_first

SEED_WORDS = (8, 60)
LENGTH_RATIO = (0.6, 1.6)  # of an extrapolation to its source, if that has more words than SHORT
SHORT = 8
MIN_CHANGE = 3  # words of an extrapolation that its source has not
DRAFTS = 12  # drawn at most for a text within these limits

SLOT = re.compile(r"\{(\w+)\}")
SENTENCE_END = re.compile(r"(?<!\bMr\.)(?<!\bMrs\.)(?<!\bDr\.)(?:(?<=[.!?…])|(?<=[.!?…][\"'”’)])) ")
ARTICLE = re.compile(r"(\ba|(?<![a-z] )\bA)n?(?= [A-Za-z][a-z])")
VOWEL = re.compile(r"(?!uni(?![nm])|use|usu|euro|one\b|once\b)[aeiou]|hour|hono|honest|heir", re.IGNORECASE)


def write(grammar: dict, step: str, slots: dict, rng: random.Random, reading) -> str:
    """One answer to a prompt that shows `slots`."""
    writer = Writer(grammar, slots["label"], rng)
    if step == "rationale":
        return writer.rationales(slots.get("count", 20))
    if examples := slots.get("examples"):
        return writer.extrapolate(rng.choice(examples))
    if step == "seed":
        return writer.seed(slots.get("rationales") or [])
    return writer.extrapolate(slots.get("text", ""))


def prepare(grammar: dict) -> dict:
    """The grammar with the tables and patterns by which texts are read."""
    stems = {
        noun.removesuffix("s"): aspect
        for aspect, entry in grammar["aspects"].items()
        for noun in entry["nouns"] + entry["also"]
    }
    grammar["stems"] = stems
    grammar["noun"] = re.compile(rf"\b({any_of(stems)})s?\b", re.IGNORECASE)
    rewording.prepare(grammar["extrapolation"])
    return grammar


def _articles(text: str) -> str:
    return ARTICLE.sub(lambda match: match[1] + "n" * bool(VOWEL.match(text, match.end() + 1)), text)


def _best(draft: Callable[[], str], misses: Callable[[str], float]) -> str:
    """The first draft that misses nothing, or else the one that misses least."""
    best, least = "", math.inf
    for _ in range(DRAFTS):
        text = draft()
        if (missed := misses(text)) < least:
            best, least = text, missed
        if not missed:
            break
    return best


def _outside(number: int, low: float, high: float) -> float:
    return max(low - number, number - high, 0)


class Writer:
    """Composes one answer for one label."""

    def __init__(self, grammar: dict, label: str, rng: random.Random):
        self.label, self.rng = label, rng
        self.grammar, self.aspects = grammar, grammar["aspects"]
        self.rewording = Rewording(grammar["extrapolation"], grammar["lexicon"], rng)
        self.chance = self.rewording.chance
        self.other = rng.choice([other for other in grammar["labels"] if other != label])
        self.lists = grammar["frames"] | grammar["lexicon"] | grammar["labels"][label]
        self.lists |= {key: [self.expand(f"{{{key}}}")] for key in ("title", "person")}  # one of each in a text

    def expand(self, frame: str, **bound: str) -> str:
        """Fill a frame. Bound values go in as they are: they may be someone's text, braces included."""

        def fill(slot: re.Match) -> str:
            key = slot[1]
            return bound[key] if key in bound else self.expand(self.rng.choice(self.lists[key]), **bound)

        return SLOT.sub(fill, frame)

    def judge(self, frames: str, aspect: str, kind: str, judgement: str) -> str:
        """A judgement of an aspect, said by one of the frames for its kind."""
        entry = self.aspects[aspect]
        form = self.grammar["forms"][entry["form"]] | {"noun": self.rng.choice(entry["nouns"])}
        return self.expand(self.rng.choice(self.lists[frames][kind]), **form, **{kind: judgement})

    def clause(self, label: str, spent: set[str]) -> str:
        """A judgement about an aspect that is not spent yet."""
        aspect = self.rng.choice([name for name in self.aspects if name not in spent] or list(self.aspects))
        spent.add(aspect)
        if label == self.label and self.chance(0.12):  # "never dull" for "lively"
            adjective = self.rng.choice(self.aspects[aspect][self.other]["adjective"])
            return self.judge("negation", aspect, "adjective", adjective)
        kind = self.rng.choice(["adjective", "predicate"])
        return self.judge("clause", aspect, kind, self.rng.choice(self.aspects[aspect][label][kind]))

    # Rationales and seed data

    def rationales(self, count: int) -> str:
        """A numbered list of reasons for the label."""
        judgements = [
            (aspect, kind, judgement)
            for aspect, entry in self.aspects.items()
            for kind, choices in entry[self.label].items()
            for judgement in choices
        ]
        drawn = self.rng.sample(judgements, min(count, len(judgements)))
        reasons = [_articles(self.judge("reason", *judgement)) for judgement in drawn]
        return "\n".join(f"{number}. {reason}" for number, reason in enumerate(reasons, 1))

    def seed(self, reasons: list[str]) -> str:
        """A review of SEED_WORDS that gives the reasons."""
        return _best(lambda: self.review(reasons), lambda text: _outside(len(text.split()), *SEED_WORDS))

    def review(self, reasons: list[str]) -> str:
        reasons = [" ".join(reason.split()).strip(" .;,") for reason in reasons]
        judgements = [self.recognise(reason) for reason in reasons]
        foreign = [
            self.rewording.lower_first(reason)
            for reason, judgement in zip(reasons, judgements, strict=True)
            if not judgement
        ]
        spent = {judgement[0] for judgement in judgements if judgement}
        clauses = [self.judge("clause", *judgement) for judgement in judgements if judgement]
        if not reasons:
            clauses = [self.clause(self.label, spent) for _ in range(self.rng.choice([1, 2, 2, 3]))]
        self.rng.shuffle(clauses)
        if clauses and self.chance(0.15):
            clauses[0] = self.expand("{contrast}", other=self.clause(self.other, spent), clause=clauses[0])

        opening, closing = self.chance(0.6), len(reasons) < 4 and self.chance(0.35)
        room = 4 - opening - closing - bool(foreign)
        room = min(room, len(clauses) - self.chance(0.3))
        while len(clauses) > max(room, 1):
            at = min(range(len(clauses) - 1), key=lambda i: len(clauses[i]) + len(clauses[i + 1]))
            clauses[at : at + 2] = [self.expand("{pair}", first=clauses[at], second=clauses[at + 1])]
        clauses[1:] = [self.expand("{link}", clause=one) if self.chance(0.3) else one for one in clauses[1:]]
        if foreign:
            clauses.append(self.expand("{literal}", reasons="; ".join(foreign)))

        sentences = [self.expand("{opening}")] * opening + clauses + [self.expand("{closing}")] * closing
        return " ".join(upper_first(_articles(one)) + ("!" if self.chance(0.06) else ".") for one in sentences)

    def recognise(self, reason: str) -> tuple[str, str, str] | None:
        """The judgement that a reason states, if it is one of the grammar's."""
        noun = self.grammar["noun"].search(reason)
        if noun:
            aspect = self.grammar["stems"][noun[1].lower()]
            for kind, choices in self.aspects[aspect][self.label].items():
                for judgement in choices:
                    if re.search(rf"\b{re.escape(judgement)}\b", reason, re.IGNORECASE):
                        return aspect, kind, judgement
        return None

    # Extrapolation

    def extrapolate(self, source: str) -> str:
        """A variation of a review with about as many words."""
        source = " ".join(source.split())
        words = Counter(source.lower().split())
        size = words.total()
        low, high = (ratio * size for ratio in LENGTH_RATIO) if size > SHORT else (0, math.inf)
        spent = {self.grammar["stems"][noun.lower()] for noun in self.grammar["noun"].findall(source)}

        def misses(text: str) -> float:
            written = Counter(text.lower().split())
            added, gone = (written - words).total(), (words - written).total()
            length = _outside(written.total(), low, high)
            return 2 * (length + max(MIN_CHANGE - added, 0)) + max(min(MIN_CHANGE, size // SHORT) - gone, 0)

        return _best(lambda: self.variation(source, self.addition(size, spent)), misses)

    def addition(self, size: int, spent: set[str]) -> str:
        """A short plain statement of the label, about something that the source leaves out."""

        def draft() -> str:
            return self.expand("{verdict}") if self.chance(0.3) else self.clause(self.label, set(spent))

        short = _best(draft, lambda text: _outside(len(text.split()), 0, max(4, size // 3)))
        return upper_first(short) + "."

    def variation(self, source: str, addition: str) -> str:
        """The source in other words, two sentences perhaps exchanged, with an addition before or after it."""
        say = self.rewording
        sentences = [say.reword(say.reshape(one)) for one in say.rename(SENTENCE_END.split(source))]
        movable = [say.stands_alone(sentence) for sentence in sentences] + [True]
        pairs = [i for i in range(1, len(sentences) - 1) if all(movable[i : i + 3])]
        if pairs and self.chance(0.5):
            at = self.rng.choice(pairs)
            sentences[at : at + 2] = reversed(sentences[at : at + 2])
        if movable[0] and self.chance(0.3):
            sentences.insert(0, addition)
        else:
            if sentences[-1][-1:].isalnum():
                sentences[-1] += "."
            sentences.append(addition)
        text = _articles(" ".join(sentences).strip())
        return text.lower() if source == source.lower() else text
