"""Metrics of generated texts, as their libraries compute them: chrF++ and BLEU by sacrebleu, ROUGE-L by rouge_score.

All are between 0 and 1. A text has several references, and at least one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np

from synthesis.tasks.words import PART

DRAWS = 1000  # of the bootstrap of corpus scores


def chrf(text: str, references: Sequence[str]) -> float:
    """Sentence-level chrF++ (Popović, 2017): character 6-grams and word bigrams, the best over references."""
    return _score("chrf", _counts("chrf", text, tuple(references)))


def bleu(text: str, references: Sequence[str]) -> float:
    """Sentence-level BLEU (Papineni et al., 2002), of the n-gram orders that the text has, exponentially smoothed."""
    return _score("sentence bleu", _counts("bleu", text, tuple(references)))


@lru_cache(maxsize=200_000)
def _rouge_l(text: str, references: tuple[str, ...]) -> float:
    return float(_rouge().score_multi(references, text)["rougeL"].fmeasure)


def rouge_l(text: str, references: Sequence[str]) -> float:
    """ROUGE-L's F (Lin, 2004), the best over references, without stemming.

    Words are those of any script. In plain ASCII they are those of rouge_score's own tokenizer.
    """
    return _rouge_l(text, tuple(references))


def corpus(texts: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, dict]:
    """Corpus BLEU and chrF++: score, low and high (95%, a bootstrap over texts), and sacrebleu's signature.

    These are no means over texts: n-grams are counted over all texts, and then compared.
    """
    draws = np.random.default_rng(0).multinomial(len(texts), np.full(len(texts), 1 / len(texts)), DRAWS)
    scores = {}
    for name in ("bleu", "chrf"):
        counts = np.array([_counts(name, *case) for case in zip(texts, map(tuple, references), strict=True)], float)
        low, high = np.quantile([_score(name, drawn) for drawn in draws @ counts], [0.025, 0.975])
        numbers = {"score": _score(name, counts.sum(axis=0)), "low": low, "high": high}
        scores[name] = {key: round(float(value), 4) for key, value in numbers.items()}
        scores[name]["signature"] = _signature(name, {len(each) for each in references})
    return scores


# Sacrebleu counts n-grams text by text, and makes a score of any sum of such counts. The libraries are loaded late:
# most tasks need none of them.


@lru_cache(maxsize=200_000)
def _counts(name: str, text: str, references: tuple[str, ...]) -> tuple[float, ...]:
    [counts] = _metric(name)._extract_corpus_statistics([text], [[reference] for reference in references])
    return tuple(counts)


def _score(name: str, counts: Sequence[float]) -> float:
    return min(1.0, _metric(name)._compute_score_from_stats(list(counts)).score / 100)


def _signature(name: str, sizes: set[int]) -> str:
    metric = _metric(name)
    metric.num_refs = sizes.pop() if len(sizes) == 1 else -1  # as sacrebleu writes `var`
    return metric.get_signature().format()


@cache
def _metric(name: str):
    from sacrebleu.metrics import BLEU, CHRF

    return CHRF(word_order=2) if name == "chrf" else BLEU(effective_order=name == "sentence bleu")


@cache
def _rouge():
    from rouge_score.rouge_scorer import RougeScorer

    class Words:
        @staticmethod
        def tokenize(text: str) -> list[str]:
            return PART.findall(text.lower().replace("_", " "))

    return RougeScorer(["rougeL"], tokenizer=Words)
