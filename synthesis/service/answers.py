"""What an answer looks like to those who asked: as cells of a table, and as JSON.

A form of answers is chosen by what a student answers with, `label`, `span` or `text`.
"""

from __future__ import annotations

from collections.abc import Sequence


class Labels:
    """Probabilities, one a label: float (labels,)."""

    def __init__(self, names: list[str]):
        self.names = names

    @property
    def columns(self) -> dict[str, type]:
        """The columns that a table gets, and the type of their cells."""
        return {"label": str, **{f"p({name})": float for name in self.names}}

    def cells(self, answer: Sequence[float]) -> list:
        """A row's answer, in the order of the columns."""
        return [self.names[max(range(len(self.names)), key=lambda place: answer[place])], *map(_rounded, answer)]

    def reply(self, answer: Sequence[float]) -> list[dict]:
        """An answer as text-embeddings-inference has it: every label with its score, the best first."""
        scored = [{"score": float(score), "label": name} for name, score in zip(self.names, answer, strict=True)]
        return sorted(scored, key=lambda one: -one["score"])


class Spans:
    """(text, start, probability)."""

    columns = {"answer": str, "start": int, "score": float}

    def __init__(self, names: list[str]):
        """There are no labels to name."""

    def cells(self, answer: tuple[str, int, float]) -> list:
        text, start, score = answer
        return [text, start, _rounded(score)]

    def reply(self, answer: tuple[str, int, float]) -> list[dict]:
        text, start, score = answer
        return [{"score": float(score), "answer": text, "start": start, "end": start + len(text)}]


class Texts:
    """(text, probability)."""

    columns = {"text": str, "score": float}

    def __init__(self, names: list[str]):
        """There are no labels to name."""

    def cells(self, answer: tuple[str, float]) -> list:
        text, score = answer
        return [text, _rounded(score)]

    def reply(self, answer: tuple[str, float]) -> list[dict]:
        text, score = answer
        return [{"score": float(score), "text": text}]


FORMS = {"label": Labels, "span": Spans, "text": Texts}


def _rounded(probability: float) -> float:
    return round(float(probability), 6)
