"""The contract of a kind of student: what it is given, what it can do once it has learned.

A kind is a module of this folder with a function `fit(lesson)`, which returns a student for each of the lesson's seeds,
a function `load(folder)`, which returns one that was saved, and a constant ANSWERS: what it can learn to answer with,
`label`, `span` or `text`. A task names those that learn it (`Task.students`); any other kind is a module's own name.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from synthesis.params import Student as Settings

# Before torch is imported: matrix products on a GPU then have the same result each time.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


@dataclass(frozen=True)
class Examples:
    """What a student reads and what it should answer, row by row.

    inputs: a text each, or a pair of texts. goals: a label's name; or where the answer starts, and all right answers;
    or all right texts. weights: how much each label counts, (rows, names), where it is not 1 for the goal and 0 for the
    others. Kinds that can learn such rows have a constant WEIGHED, which is true.
    """

    inputs: list = field(default_factory=list)
    goals: list = field(default_factory=list)
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True)
class Lesson:
    """All that a student is taught.

    learned: the rows that it learns. selection: the rows that pick its checkpoint; there may be none. watched: rows
    whose score its curve shows, and which decide nothing. names: the labels; none where the answer is a span or a
    text. seeds: of training, a student each. replay: texts that are learned whole, by students that write.
    """

    learned: Examples
    settings: Settings
    names: list[str] = field(default_factory=list)
    selection: Examples = field(default_factory=Examples)
    watched: Examples = field(default_factory=Examples)
    seeds: Sequence[int] = (0,)
    replay: Sequence[str] = ()


@dataclass(frozen=True)
class Graph:
    """What is exported of a student: a model and what it reads.

    module:    a torch module that is called with the tokenizer's tensors by name, (rows, tokens), on any device. Where
        the texts of a pair are encoded `apart`, those of the second text have `second_` before their names.
    tokenizer: of the library transformers, with a fast one of the library tokenizers in it; its model_max_length is
        where texts are cut.
    encode:    how an input becomes tokens, one of service/encoding.py's ways: both texts of a pair `together`, `joined`
        as one text, `apart` from each other, or a question and its context in `windows`.
    outputs:   of the module, by name: logits, (rows, labels); or those of starts and ends, (rows, tokens).
    """

    module: Callable
    tokenizer: object
    encode: str = "together"
    outputs: tuple[str, ...] = ("logits",)


class Student(Protocol):
    """A student that has learned.

    names:  (labels) all label names; their order is the order of the probability columns.
    curve:  a row for each of the steps after which it was examined: step, loss and train_accuracy since the one before,
        selection_score and test_score (NaN without such rows).
    step:   the one whose weights were kept.
    records: rows learned in the fit, as often as they were.
    tokens: training tokens seen in the fit, padding not counted.
    parameters: weights that a token passes through, the embeddings included.
    flops:  floating-point operations of the fit, by the formula of its kind.
    """

    names: list[str]
    curve: pd.DataFrame
    step: int
    records: int
    tokens: int
    parameters: int
    flops: int

    def predict(self, inputs: list) -> np.ndarray | list[tuple[str, int, float]] | list[tuple[str, float]]:
        """Return an answer for each of `inputs`, in their order.

        Labels: probabilities, float32 of shape (rows, names); each row sums to 1. Spans: (text, start, probability).
        Texts: (text, the geometric mean of its tokens' probabilities).
        """

    def represent(self, inputs: list) -> np.ndarray:
        """Return what the last layer reads, float32 of shape (rows, width). Students that answer with a label do so."""

    def save(self, folder) -> None:
        """Write what is needed to predict again to `folder`, which is made if it is missing."""

    def graph(self) -> Graph:
        """Return what is exported. A kind of student that cannot be exported has no such method."""
