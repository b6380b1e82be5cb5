"""English sentences said in other words: other names, other openings, synonyms. What they mean stays as it is."""

from __future__ import annotations

import random
import re

WORD = re.compile(r"([^\W_]+(?:['’-][^\W_]+)*)")
CLAUSE_END = re.compile(r"[^\w\s'’-]")
NAME = r"(?:[DO]['’])?[A-ZÀ-ÖØ-Þ][^\W\d_]*[^\W\d_A-ZÀ-ÖØ-Þ][^\W\d_]*"  # not I, not SHOUTED words
NAMES = re.compile(rf"\b{NAME}(?: (?:(?:of|of the|in the) )?{NAME})*")
QUOTES = frozenset("\"'“”‘’")


def prepare(rules: dict) -> None:
    """Add to the rules of a grammar the tables and patterns by which texts are read."""
    synonyms = {phrase.lower(): ([], False) for phrase in rules["fixed"]}
    for graded in (False, True):
        for group in rules["graded" if graded else "neutral"]:
            phrases = group.split(" | ")
            synonyms |= {one.lower(): ([two for two in phrases if two != one], graded) for one in phrases}
    rules["synonyms"] = synonyms
    rules["longest"] = max(len(phrase.split()) for phrase in synonyms)
    rules["kind"] = {word: kind for kind in rules["kinds"] for word in kind}
    rules["opener"] = re.compile(rf"(?:{any_of(rules['openers'] + rules['leads'])}), (?=\w)", re.IGNORECASE)
    rules["aside"] = re.compile(rf", (?:{any_of(rules['asides'])})(?:,(?= )|(?=[.!?]$))", re.IGNORECASE)
    rules["fronted"] = re.compile(
        rf"((?:{any_of(rules['subordinators'])}) [^,;:\"“”()]+), (?!then\b|so\b)([^,;:\"“”()]+?)([.!])", re.IGNORECASE
    )
    for key in ("negations", "dependent", "plain", "kept"):
        rules[key] = frozenset(rules[key])


def any_of(phrases) -> str:
    """A pattern for any of the phrases, the longest first."""
    return "|".join(re.escape(phrase) for phrase in sorted(phrases, key=len, reverse=True))


def upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


class Rewording:
    """The rules at work. lexicon: names by kind, to exchange those of a text for."""

    def __init__(self, rules: dict, lexicon: dict, rng: random.Random):
        self.rules, self.lexicon, self.rng = rules, lexicon, rng

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def lower_first(self, text: str) -> str:
        """The text as it stands inside a sentence: a name keeps its capital."""
        word = WORD.match(text)
        lower = word[0].lower() if word else ""
        return text[:1].lower() + text[1:] if lower in self.rules["plain"] | self.rules["dependent"] else text

    def stands_alone(self, sentence: str) -> bool:
        """Whether a sentence reads well without the one before it."""
        word = WORD.search(sentence)
        return bool(word) and word[0].lower() not in self.rules["dependent"]

    def negates(self, text: str) -> bool:
        words = text.lower().replace("’", "'").split()
        return any(word in self.rules["negations"] or word.endswith("n't") for word in words)

    def rename(self, sentences: list[str]) -> list[str]:
        """Exchange names of people, films and places, each for the same one throughout."""
        lexicon, kind = self.lexicon, self.rules["kind"]
        decks = {key: self.rng.sample(lexicon[key], len(lexicon[key])) for key in ("title", "given", "family", "place")}
        names: dict[str, str] = {}

        def draw(name: str, key: str) -> None:
            if name not in names:
                names[name] = decks[key].pop() if decks[key] else self.rng.choice(lexicon[key])

        for sentence in sentences:
            for match in NAMES.finditer(sentence):
                start, end = match.span()
                words = match[0].split()
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

        def swap(match: re.Match) -> str:
            head, _, tail = match[0].partition(" ")
            if match[0] in names:
                return names[match[0]]
            if " " in tail and tail in names:
                return f"{head} {names[tail]}"
            return WORD.sub(lambda word: names.get(word[0], word[0]), match[0])

        return [NAMES.sub(swap, sentence) for sentence in sentences]

    def reshape(self, sentence: str) -> str:
        """Drop, exchange or add what says little, and move a leading subordinate clause back."""
        sentence = self.rules["aside"].sub(lambda match: match[0] if self.chance(0.5) else "", sentence)
        opener = self.rules["opener"].match(sentence)
        fronted = self.rules["fronted"].fullmatch(sentence)
        if fronted and not self.negates(fronted[2]) and self.chance(0.6):
            return f"{upper_first(fronted[2])} {fronted[1][0].lower()}{fronted[1][1:]}{fronted[3]}"
        if opener and self.chance(0.8):
            sentence = upper_first(sentence[opener.end() :])
        if self.chance(0.3 if opener else 0.1):
            plain = self.lower_first(sentence)
            if plain != sentence and self.stands_alone(sentence):
                return f"{upper_first(self.rng.choice(self.rules['openers']))}, {plain}"
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
                    other = other.upper() if phrase.isupper() else upper_first(other)
                tokens[at:end] = [other] + [""] * (end - at - 1)
            negated = (negated or self.negates(phrase)) and not CLAUSE_END.search(tokens[end])
            at = end + 1
        return "".join(tokens)
