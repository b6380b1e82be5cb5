"""Rows whose label is contradicted by a student that has not learned them: out-of-fold predictions of five probes."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from synthesis.filters.rows import Rows
from synthesis.run import Run
from synthesis.students import probe
from synthesis.students.base import Examples, Lesson

FOLDS = 5


def disagreements(new: Rows, old: Rows, run: Run) -> Iterator[tuple[int, str, str]]:
    """(place, reason, nothing) of the rows that are left out. Raises UserError for a task without labels.

    A row is left out when the probe that learned the other folds, rows of earlier rounds among them, predicts another
    label with a probability of at least verify.confidence.
    """
    run.task.require("labels", "verify.student", "leave it empty")
    places = list(new.left)
    rows = pd.concat([old.table, new.table.iloc[places]])
    inputs, labels = run.task.inputs(rows), run.task.goals(rows)
    names = sorted(set(labels))
    folds = np.random.default_rng(run.params.seed).permutation(len(rows)) % FOLDS
    for fold in range(FOLDS):
        learned, asked = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        examples = Examples([inputs[i] for i in learned], [labels[i] for i in learned])
        if len(set(examples.goals)) < 2:  # nothing to tell apart
            continue
        [student] = probe.fit(Lesson(examples, run.student, names))
        probabilities = student.predict([inputs[i] for i in asked])
        for row, own in zip(asked.tolist(), probabilities, strict=True):
            predicted = names[own.argmax()]
            if row >= len(old) and predicted != labels[row] and own.max() >= run.params.verify.confidence:
                yield places[row - len(old)], "student disagrees", ""
