"""Film reviews, from a grammar: seed reviews from reasons, and variations of a review that keep its label."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Callable

SEED_WORDS = (8, 60)
LENGTH_RATIO = (0.6, 1.6)  # of an extrapolation to its source, if that has more words than SHORT
SHORT = 8
MIN_CHANGE = 3  # words of an extrapolation that its source has not
DRAFTS = 12  # drawn at most for a text within these limits

SLOT = re.compile(r"\{(\w+)\}")
WORD = re.compile(r"([^\W_]+(?:['’-][^\W_]+)*)")
SENTENCE_END = re.compile(r"(?<!\bMr\.)(?<!\bMrs\.)(?<!\bDr\.)(?:(?<=[.!?…])|(?<=[.!?…][\"'”’)])) ")
CLAUSE_END = re.compile(r"[^\w\s'’-]")
ARTICLE = re.compile(r"(\ba|(?<![a-z] )\bA)n?(?= [A-Za-z][a-z])")
VOWEL = re.compile(r"(?!uni(?![nm])|use|usu|euro|one\b|once\b)[aeiou]|hour|hono|honest|heir", re.IGNORECASE)
NAME = r"(?:[DO]['’])?[A-ZÀ-ÖØ-Þ][^\W\d_]*[^\W\d_A-ZÀ-ÖØ-Þ][^\W\d_]*"  # not I, not SHOUTED words
NAMES = re.compile(rf"\b{NAME}(?: (?:(?:of|of the|in the) )?{NAME})*")
QUOTES = frozenset("\"'“”‘’")


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
    grammar["noun"] = re.compile(rf"\b({_any(stems)})s?\b", re.IGNORECASE)

    rules = grammar["extrapolation"]
    synonyms = {phrase.lower(): ([], False) for phrase in rules["fixed"]}
    for graded in (False, True):
        for group in rules["graded" if graded else "neutral"]:
            phrases = group.split(" | ")
            synonyms |= {one.lower(): ([two for two in phrases if two != one], graded) for one in phrases}
    rules["synonyms"] = synonyms
    rules["longest"] = max(len(phrase.split()) for phrase in synonyms)
    rules["kind"] = {word: kind for kind in rules["kinds"] for word in kind}
    rules["opener"] = re.compile(rf"(?:{_any(rules['openers'] + rules['leads'])}), (?=\w)", re.IGNORECASE)
    rules["aside"] = re.compile(rf", (?:{_any(rules['asides'])})(?:,(?= )|(?=[.!?]$))", re.IGNORECASE)
    rules["fronted"] = re.compile(
        rf"((?:{_any(rules['subordinators'])}) [^,;:\"“”()]+), (?!then\b|so\b)([^,;:\"“”()]+?)([.!])", re.IGNORECASE
    )
    for key in ("negations", "dependent", "plain", "kept"):
        rules[key] = frozenset(rules[key])
    return grammar


def _any(phrases) -> str:
    return "|".join(re.escape(phrase) for phrase in sorted(phrases, key=len, reverse=True))


def _upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


def _articles(text: str) -> str:
    return ARTICLE.sub(lambda found: found[1] + "n" * bool(VOWEL.match(text, found.end() + 1)), text)


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
        self.grammar, self.aspects, self.rules = grammar, grammar["aspects"], grammar["extrapolation"]
        self.other = rng.choice([other for other in grammar["labels"] if other != label])
        self.lists = grammar["frames"] | grammar["lexicon"] | grammar["labels"][label]
        self.lists |= {key: [self.expand(f"{{{key}}}")] for key in ("title", "person")}  # one of each in a text

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def expand(self, frame: str, **bound: str) -> str:
        """Fill a frame. Bound values go in as they are: they may be someone's text, braces included."""

        def fill(slot: re.Match) -> str:
            key = slot[1]
            return bound[key] if key in bound else self.expand(self.rng.choice(self.lists[key]), **bound)

        return SLOT.sub(fill, frame)

    def judge(self, frames: str, aspect: str, kind: str, judgement: str) -> str:
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

    def lower_first(self, text: str) -> str:
        word = WORD.match(text)
        lower = word[0].lower() if word else ""
        return text[:1].lower() + text[1:] if lower in self.rules["plain"] | self.rules["dependent"] else text

    # Rationales and seed data

    def rationales(self, count: int) -> str:
        judgements = [
            (aspect, kind, judgement)
            for aspect, entry in self.aspects.items()
            for kind, choices in entry[self.label].items()
            for judgement in choices
        ]
        chosen = self.rng.sample(judgements, min(count, len(judgements)))
        reasons = [_articles(self.judge("reason", *judgement)) for judgement in chosen]
        return "\n".join(f"{number}. {reason}" for number, reason in enumerate(reasons, 1))

    def seed(self, reasons: list[str]) -> str:
        return _best(lambda: self.review(reasons), lambda text: _outside(len(text.split()), *SEED_WORDS))

    def review(self, reasons: list[str]) -> str:
        reasons = [" ".join(reason.split()).strip(" .;,") for reason in reasons]
        judgements = [self.recognise(reason) for reason in reasons]
        foreign = [self.lower_first(reason) for reason, known in zip(reasons, judgements, strict=True) if not known]
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
        return " ".join(_upper_first(_articles(one)) + ("!" if self.chance(0.06) else ".") for one in sentences)

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
        source = " ".join(source.split())
        words = Counter(source.lower().split())
        size = words.total()
        low, high = (ratio * size for ratio in LENGTH_RATIO) if size > SHORT else (0, math.inf)
        spent = {self.grammar["stems"][noun.lower()] for noun in self.grammar["noun"].findall(source)}

        def misses(text: str) -> float:
            found = Counter(text.lower().split())
            added, gone = (found - words).total(), (words - found).total()
            length = _outside(found.total(), low, high)
            return 2 * (length + max(MIN_CHANGE - added, 0)) + max(min(MIN_CHANGE, size // SHORT) - gone, 0)

        return _best(lambda: self.variation(source, self.addition(size, spent)), misses)

    def addition(self, size: int, spent: set[str]) -> str:
        """A short plain statement of the label, about something that the source leaves out."""

        def draft() -> str:
            return self.expand("{verdict}") if self.chance(0.3) else self.clause(self.label, set(spent))

        short = _best(draft, lambda text: _outside(len(text.split()), 0, max(4, size // 3)))
        return _upper_first(short) + "."

    def variation(self, source: str, addition: str) -> str:
        sentences = [self.reword(self.reshape(one)) for one in self.rename(SENTENCE_END.split(source))]
        movable = [self.stands_alone(sentence) for sentence in sentences] + [True]
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

    def stands_alone(self, sentence: str) -> bool:
        """Whether a sentence reads well without the one before it."""
        word = WORD.search(sentence)
        return bool(word) and word[0].lower() not in self.rules["dependent"]

    def negates(self, text: str) -> bool:
        words = text.lower().replace("’", "'").split()
        return any(word in self.rules["negations"] or word.endswith("n't") for word in words)

    def rename(self, sentences: list[str]) -> list[str]:
        """Exchange names of people, films and places, each for the same one throughout."""
        lexicon, kind = self.grammar["lexicon"], self.rules["kind"]
        decks = {key: self.rng.sample(lexicon[key], len(lexicon[key])) for key in ("title", "given", "family", "place")}
        names: dict[str, str] = {}

        def draw(name: str, key: str) -> None:
            if name not in names:
                names[name] = decks[key].pop() if decks[key] else self.rng.choice(lexicon[key])

        for sentence in sentences:
            for found in NAMES.finditer(sentence):
                start, end = found.span()
                words = found[0].split()
                quoted = sentence[start - 1 : start] in QUOTES and sentence[end : end + 1] in QUOTES
                titled = quoted or (words[0] in ("The", "A") and len(words) > 1)
                if start <= 1 and not titled:
                    words = words[1:]  # the capital of a sentence says nothing
                unknown = [word for word in words if word not in kind and word not in self.rules["kept"]]
                if unknown and (titled or len(words) > 2):
                    draw(" ".join(words), "title")
                    continue
                for word in words:
                    if word in kind:
                        names[word] = self.rng.choice([other for other in kind[word] if other != word])
                    elif word in unknown and sentence[max(0, start - 4) : start] == " in ":
                        draw(word, "place")
                    elif word in unknown:
                        draw(word, "given" if word == words[0] and len(words) == 2 else "family")

        def swap(found: re.Match) -> str:
            head, _, tail = found[0].partition(" ")
            if found[0] in names:
                return names[found[0]]
            if " " in tail and tail in names:
                return f"{head} {names[tail]}"
            return WORD.sub(lambda word: names.get(word[0], word[0]), found[0])

        return [NAMES.sub(swap, sentence) for sentence in sentences]

    def reshape(self, sentence: str) -> str:
        """Drop, exchange or add what says little, and move a leading subordinate clause back."""
        sentence = self.rules["aside"].sub(lambda found: found[0] if self.chance(0.5) else "", sentence)
        opener = self.rules["opener"].match(sentence)
        fronted = self.rules["fronted"].fullmatch(sentence)
        if fronted and not self.negates(fronted[2]) and self.chance(0.6):
            return f"{_upper_first(fronted[2])} {fronted[1][0].lower()}{fronted[1][1:]}{fronted[3]}"
        if opener and self.chance(0.8):
            sentence = _upper_first(sentence[opener.end() :])
        if self.chance(0.3 if opener else 0.1):
            plain = self.lower_first(sentence)
            if plain != sentence and self.stands_alone(sentence):
                return f"{_upper_first(self.rng.choice(self.rules['openers']))}, {plain}"
        return sentence

    def reword(self, sentence: str) -> str:
        """Exchange words and phrases for synonyms, cautiously after a negation."""
        tokens = WORD.split(sentence)  # words at odd places, what separates them at even ones
        synonyms, negated, at = self.rules["synonyms"], False, 1
        while at < len(tokens):
            for end in range(min(at + 2 * self.rules["longest"], len(tokens)) - 1, at, -2):  # the longest first
                phrase = "".join(tokens[at:end])
                key = phrase.lower().replace("’", "'")
                if key in synonyms:
                    break
            others, graded = synonyms.get(key, ((), False))
            if others and not (graded and negated) and self.chance(0.7):
                other = self.rng.choice(others)
                if phrase[0].isupper():
                    other = other.upper() if phrase.isupper() else _upper_first(other)
                tokens[at:end] = [other] + [""] * (end - at - 1)
            negated = (negated or self.negates(phrase)) and not CLAUSE_END.search(tokens[end])
            at = end + 1
        return "".join(tokens)
