"""Who learns. A kind of student is a module in this folder that defines `fit`; `student.kind` names it.

Those in the folder itself answer with a label, those in span/ with a span of the context.
"""

import os
from importlib import import_module
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from stages.pipeline.stage import UserError

# Before torch is imported: its threads spin while they wait, and a fit that shares its cores takes ten times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


class Student(Protocol):
    """A student that has learnt.

    names:  (labels) all label names; their order is the order of the probability columns.
    curve:  one row per epoch: epoch, loss, train_accuracy, selection_score and test_score (NaN without such rows).
    epoch:  the epoch whose weights were kept.
    tokens: training tokens seen in the fit, all epochs, padding not counted.
    parameters: weights that a token passes through, the embeddings included.
    flops:  floating-point operations of the fit, by the formula of its kind.
    """

    names: list[str]
    curve: pd.DataFrame
    epoch: int
    tokens: int
    parameters: int
    flops: int

    def predict(self, inputs: list) -> np.ndarray:
        """Return an answer for each of `inputs`, in their order.

        Labels: probabilities, float32 of shape (rows, names); each row sums to 1. Spans: (text, start, probability).
        """

    def represent(self, inputs: list) -> np.ndarray:
        """Return what the last layer reads, float32 of shape (rows, width). Students that answer with a label do so."""

    def save(self, folder) -> None:
        """Write what is needed to predict again to `folder`, which is made if it is missing."""


def fit(
    inputs, labels, selection_inputs, selection_labels, names, settings, seed, learner="label", watched=((), ())
) -> Student:
    """Train the student that `settings` (params.Student) describes.

    inputs, selection_inputs: a list of texts, or of pairs of texts.
    labels, selection_labels: the rows' label names, each of them in `names`. The selection rows may be empty.
    watched: inputs and labels whose score the curve tells, and which decide nothing.
    learner: label; or span, where inputs are (question, context), labels are (start, answers), and `names` is empty.

    Raises UserError when there are no rows to train on, no such kind of student, or no such model.
    """
    folder, package = Path(__file__).parent, __name__
    if learner != "label":
        folder, package = folder / learner, f"{package}.{learner}"
    modules = folder.glob("[!_]*.py")
    kinds = sorted(path.stem for path in modules if "\ndef fit(" in path.read_text(encoding="utf-8"))
    if settings.kind not in kinds:
        of = "" if learner == "label" else f" that answers with a {learner}"
        raise UserError(f"student.kind: there is no `{settings.kind}`{of} (there: {', '.join(kinds)})")
    if not inputs:
        raise UserError("the student has no rows to train on: the stages before it left none")
    kind = import_module(f"{package}.{settings.kind}")  # only now: a kind may import torch, which takes seconds
    return kind.fit(inputs, labels, selection_inputs, selection_labels, names, settings, seed, watched)
