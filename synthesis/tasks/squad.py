"""The official metric of SQuAD (Rajpurkar et al., 2016): exact match and F1 of normalised answers.

As the published evaluate-v1.1.py computes them, for one row and between 0 and 1.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

PUNCTUATION = str.maketrans("", "", string.punctuation)
ARTICLE = re.compile(r"\b(a|an|the)\b")


def normalised(answer: str) -> str:
    """Lower case, without punctuation and articles, words set apart by one space."""
    return " ".join(ARTICLE.sub(" ", answer.lower().translate(PUNCTUATION)).split())


def exact_match(predicted: str, answers: Sequence[str]) -> float:
    """1 when the prediction equals one of the gold answers, which are at least one."""
    return _best(_equal, predicted, answers)


def f1(predicted: str, answers: Sequence[str]) -> float:
    """The harmonic mean of precision and recall over words, the best over all gold answers."""
    return _best(_overlap, predicted, answers)


def _best(score: Callable[[str, str], float], predicted: str, answers: Sequence[str]) -> float:
    return max(score(normalised(predicted), normalised(answer)) for answer in answers)


def _equal(one: str, other: str) -> float:
    return float(one == other)


def _overlap(one: str, other: str) -> float:
    words, truth = one.split(), other.split()
    same = (Counter(words) & Counter(truth)).total()
    return 2 * same / (len(words) + len(truth)) if same else 0.0


def mistake(predicted: str, answer: str) -> str:
    """How a wrong answer misses the gold one: too long, too short, beside it (some of its words) or elsewhere."""
    own, truth = normalised(predicted).split(), normalised(answer).split()
    if within(truth, own):
        return "too long"
    if within(own, truth):
        return "too short"
    return "beside it" if set(own) & set(truth) else "elsewhere"


def within(part: list[str], whole: list[str]) -> bool:
    """Whether words stand somewhere in others, in a row."""
    return bool(part) and any(whole[at : at + len(part)] == part for at in range(len(whole) - len(part) + 1))
