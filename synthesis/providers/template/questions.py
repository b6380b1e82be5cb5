"""Questions about a context, whose answer is a phrase of it: the method of Gholami and Omar (2023, arXiv 2310.07830).

Sentences are tagged and cut into phrases; a template turns what a sentence says of a phrase into a question for it. A
question that the context does not answer is one about another context, as alike as there is.
"""

from __future__ import annotations

import random
import re

from synthesis.parsers import Phrase, Sentence
from synthesis.providers.template.clause import Clause, clauses, likeness, related, sentence_case, spell

SLOT = re.compile(r"\{(\w+)\}")
LONGEST = 12  # words after the phrase or the verb, so that a question asks for one thing
MARKS = frozenset(",;:()—–.?!")
DANGLING = frozenset(("DT", "IN", "CC", "TO", "PRP$", "WDT", "WP", "JJ", "MD"))
FEW = 5  # words that a question has at least


def prepare(grammar: dict) -> dict:
    return grammar


def write(grammar: dict, step: str, slots: dict, rng: random.Random, reading) -> str:
    """A question; of those that are possible, one like the question that the prompt shows, if it shows one."""
    context = slots["context"] if "context" in slots else slots["premise"]
    writer = Writer(grammar, rng, reading)
    if "answer" in slots:
        questions = writer.for_answer(context, slots["answer"])
    elif grammar["labels"][slots["label"]] == "answered":
        questions = writer.for_context(context)
    else:
        near = related(context, reading.others, rng)[:5]
        questions = [question for other in near for question in writer.for_context(other)]
    return choose(questions, slots.get("question"), rng)


def choose(texts: list[str], given: str | None, rng: random.Random) -> str:
    """One of the texts, like the given one if there is one, but another. Nothing when there is none."""
    texts = [text for text in dict.fromkeys(texts) if text != given]
    if not texts:
        return ""
    if given:
        texts = sorted(texts, key=lambda text: -likeness(text, given))[:3]
    return rng.choice(texts)


def cut(tokens, first: int, last: int) -> tuple:
    """tokens[first:last] up to a mark, no longer than LONGEST, and not ending within a phrase."""
    stop = next((place for place in range(first, last) if tokens[place].text in MARKS), last)
    stop = min(stop, first + LONGEST)
    while stop > first and tokens[stop - 1].tag in DANGLING:
        stop -= 1
    return tokens[first:stop]


class Writer:
    """Finds questions."""

    def __init__(self, grammar: dict, rng: random.Random, reading):
        self.grammar, self.rng, self.reading = grammar, rng, reading

    def for_context(self, context: str) -> list[str]:
        """Questions for every phrase of a context."""
        return [
            question
            for sentence in self.reading.sentences(context)
            for phrase in sentence.phrases
            for question in self.ask(sentence, phrase)
        ]

    def for_answer(self, context: str, answer: str) -> list[str]:
        """Questions for an answer, which is a phrase of the context if the parser finds it there, or any other span."""
        start = context.find(answer)
        end = start + len(answer)
        for sentence in self.reading.sentences(context):
            places = [p for p, token in enumerate(sentence.tokens) if token.start < end and token.end > start]
            if start >= 0 and places:
                first, last = places[0], places[-1] + 1
                inside = [phrase.kind for phrase in sentence.phrases if phrase.first < last and phrase.last > first]
                phrase = Phrase(answer, start, first, last, inside[0] if inside else "thing")
                questions = self.ask(sentence, phrase)
                return [one for one in questions if answer.lower() not in one.lower()]
        return []

    def ask(self, sentence: Sentence, phrase: Phrase) -> list[str]:
        """The questions for a phrase of a sentence, by the templates that fit."""
        wh = self.rng.choice(self.grammar["wh"][phrase.kind])
        for clause in reversed(clauses(sentence)):  # the innermost one that holds the phrase
            if clause.start <= phrase.first and phrase.last <= clause.end:
                questions = self.from_clause(clause, phrase, wh)
                if questions:
                    return questions
        tokens = sentence.tokens
        last = self.before_preposition(tokens, phrase)
        marks = [place for place in range(phrase.first) if tokens[place].text in MARKS]
        first = max([0, phrase.first - LONGEST, *(place + 1 for place in marks)])
        before, after = spell(tokens[first:last], lower=first == 0), spell(cut(tokens, phrase.last, len(tokens)))
        return self.fill("cloze", wh=wh, before=before, after=after)

    def from_clause(self, clause: Clause, phrase: Phrase, wh: str) -> list[str]:
        """The questions for a phrase by the clause that it stands in, before its verb or after it."""
        tokens, aux, verb = clause.tokens, *clause.support()
        if clause.start <= phrase.first < clause.verb:
            head = tokens[phrase.last : clause.verb]
            if all(token.tag in ("RB", "MD") for token in head):
                wh = wh.replace("how many", "what").replace("how much", "what")
                wh = wh if wh.startswith(("who", "what", "which")) else "what"
                return self.fill("subject", wh=wh, verbal=spell(cut(tokens, clause.verb, clause.end)))
            return []
        if phrase.first <= clause.verb:
            return []
        before = max(self.before_preposition(tokens, phrase), clause.verb + 1)
        middle, rest = tokens[clause.verb + 1 : before], cut(tokens, phrase.last, clause.end)
        parts = {"aux": aux, "verb": verb, "subject": clause.subject(), "rest": f"{spell(middle)} {spell(rest)}"}
        counted = tokens[phrase.first : phrase.last]
        if phrase.kind == "number" and len(counted) > 1 and counted[-1].tag == "NNS":
            noun = spell([token for token in counted if token.tag not in ("CD", "$")])
            return self.fill("count", wh="how many", noun=noun, **parts)
        if phrase.kind == "number":
            wh = "how many" if rest and rest[0].tag.startswith("NN") else "how much"
        return self.fill("object", wh=wh, **parts)

    def before_preposition(self, tokens, phrase: Phrase) -> int:
        """Where the words before a phrase end, without its article and a preposition that the asking word says too."""
        before = phrase.first
        if before and tokens[before - 1].tag in ("DT", "PRP$"):
            before -= 1
        if before and tokens[before - 1].text.lower() in self.grammar["swallows"].get(phrase.kind, ()):
            before -= 1
        return before

    def fill(self, frames: str, **parts: str) -> list[str]:
        """Every frame of a list, filled: parts go in as they are, braces included."""
        parts["lead"] = self.rng.choice(self.grammar["lead"])
        questions = []
        for frame in self.grammar[frames]:
            text = sentence_case(SLOT.sub(lambda slot: parts[slot[1]], frame))
            text = re.sub(r"\s+([?,])", r"\1", re.sub(r"[\s,;:—–-]+\?$", "?", text))
            if len(text.split()) >= FEW:
                questions.append(text)
        return questions
