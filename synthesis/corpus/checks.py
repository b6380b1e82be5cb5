"""What a pair must be: answerable, grammatical as far as can be told, and no copy of another or of a test question."""

from __future__ import annotations

import re
from collections.abc import Iterable

from synthesis.corpus.words import WORDS
from synthesis.tasks import squad
from synthesis.tasks.words import normalised

FEWEST, MOST = 5, 30  # words of a question
LONGEST_ANSWER = 8  # words
PLURAL, SINGULAR = frozenset(("are", "were", "have", "do")), frozenset(("is", "was", "has", "does"))
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
PAIRS = (("(", ")"), ("[", "]"), ("“", "”"))
RUN, SHORTEST = 13, 8  # words in a row that two questions do not share by chance; of a shorter one all, if so many
ALIKE = 0.5  # F1 of two questions that have the same answer


def fault(question: str, answer: str, sentence: str, place: str, clause=None) -> str:
    """Why a question is rejected; "" when it is not. clause: what it was made of, but for a cloze."""
    words = WORD.findall(question)
    claim = answer in ("yes", "no")
    if not claim and occurrences(answer, sentence) != 1:
        return "answer not once in its sentence"
    if not claim and contains(question, answer):
        return "answer in the question"
    if len(answer.split()) > LONGEST_ANSWER:
        return "answer too long"
    if len(words) < FEWEST:
        return "too short"
    if len(words) > MOST:
        return "too long"
    if not balanced(question):
        return "unbalanced marks"
    if dangling(words, place in ("subject", "counted")):
        return "pronoun without antecedent"
    if not any(word[0].isupper() or word[0].isdigit() for word in words[1:]):
        return "nothing named"
    if clause is not None:
        if any(token.lower_ == "that" and token.tag_ == "DT" for token in clause.tokens):
            return "pronoun without antecedent"
        if place != "subject" and vague(clause.subject):
            return "vague subject"
        if clause.joined or not agrees(clause, place):
            return "agreement"
    return ""


def balanced(text: str) -> bool:
    """Whether brackets and quotation marks are as many as they must be."""
    return all(text.count(one) == text.count(other) for one, other in PAIRS) and text.count('"') % 2 == 0


def occurrences(answer: str, sentence: str) -> int:
    """How often the answer stands in the sentence as whole words."""
    return len(re.findall(rf"(?<!\w){re.escape(answer)}(?!\w)", sentence))


def contains(question: str, answer: str) -> bool:
    """Whether the question gives the answer away, by SQuAD's normalisation."""
    wanted = squad.normalised(answer)
    return not wanted or f" {wanted} " in f" {squad.normalised(question)} "


def dangling(words: list[str], asked_for: bool) -> bool:
    """Whether a pronoun stands where nothing before it can be meant. asked_for: "who" itself can be."""
    named = asked_for
    for word in words[1:]:
        low = word.lower()
        if low in WORDS["pointers"] and word != "US":
            return True
        if low in WORDS["third"] and not named:
            return True
        named = named or word[0].isupper()
    return words[0].lower() in WORDS["third"] | WORDS["pointers"]


def vague(noun) -> bool:
    """Whether a subject is a pronoun, or "the city" without a word that says which."""
    if noun.dep_ == "expl":
        return False
    if noun.tag_ in ("PRP", "DT", "WDT", "WP", "EX", "CD", "JJ"):
        return True
    if noun.tag_ in ("NNP", "NNPS"):
        return False
    said = {child.dep_ for child in noun.children}
    definite = any(child.lower_ in WORDS["articles"] for child in noun.children)
    return definite and not said & {"amod", "compound", "prep", "relcl", "acl", "poss", "nmod", "appos", "nummod"}


def agrees(clause, place: str) -> bool:
    """Whether the verb has the number of its subject, or, where that is asked for, of "who" and "which"."""
    finite, noun = clause.finite, clause.subject
    plural_verb = finite.lower_ in PLURAL or finite.tag_ == "VBP"
    if place == "counted" or noun.dep_ == "expl":
        return True
    if place == "subject":
        return not plural_verb
    joined = any(child.dep_ == "conj" for child in noun.children)
    if plural_verb and noun.tag_ in ("NN", "NNP") and not joined:
        return False
    return not (joined or noun.tag_ == "NNS") or not (finite.lower_ in SINGULAR or finite.tag_ == "VBZ")


class HeldOut:
    """Test questions and their answers, which no pair may repeat."""

    def __init__(self, questions: Iterable[str] = (), answers: Iterable[Iterable[str]] = ()):
        """answers: all right ones of each question."""
        self.texts, self.runs, self.by_answer = set(), set(), {}
        for question, right in zip(questions, answers, strict=True):
            text = normalised(question)
            self.texts.add(text)
            words = text.split()
            size = min(RUN, len(words))
            if size >= SHORTEST:
                self.runs |= set(runs(words, size))
            for answer in right:
                self.by_answer.setdefault(squad.normalised(answer), []).append(text)

    def knows(self, question: str, answer: str) -> bool:
        """Whether a test question is the same; or shares 13 words in a row, or all it has if these are 8 or more; or
        shares half of its words and the answer.
        """
        text = normalised(question)
        words = text.split()
        if text in self.texts or any(
            run in self.runs for size in range(SHORTEST, RUN + 1) for run in runs(words, size) if self.runs
        ):
            return True
        near = self.by_answer.get(squad.normalised(answer), ())
        return bool(near) and answer not in ("yes", "no") and squad.f1(text, near) >= ALIKE

    def asks_for(self, answer: str) -> bool:
        return squad.normalised(answer) in self.by_answer


def runs(words: list[str], size: int) -> Iterable[tuple[str, ...]]:
    return (tuple(words[at : at + size]) for at in range(len(words) - size + 1))
