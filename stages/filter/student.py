"""Rows whose label a student contradicts that did not learn them: out-of-fold predictions of five probes."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from stages import student
from stages.filter.rows import Rows
from stages.pipeline.params import Params
from stages.pipeline.stage import UserError

FOLDS = 5


def find(new: Rows, old: Rows, gold: dict[str, Rows], setting: Params) -> Iterator[tuple[int, str, str]]:
    """`setting` is all of params.yaml. Raises UserError for a task without labels.

    A row is left out when the probe that learned the other folds, rows of earlier rounds among them, predicts another
    label with a probability of at least verify.confidence.
    """
    task = new.task
    if "label" not in task.targets:
        raise UserError(f"verify.student needs labels, which task `{task.name}` has not: leave it empty")
    places = list(new.left)
    rows = pd.concat([old.table, new.table.iloc[places]])
    inputs, labels = task.inputs(rows), task.goals(rows)
    names, settings = sorted(set(labels)), setting.student.model_copy(update={"kind": "probe"})
    folds = np.random.default_rng(setting.seed).permutation(len(rows)) % FOLDS
    for fold in range(FOLDS):
        learned, asked = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        goals = [labels[i] for i in learned]
        if len(set(goals)) < 2:  # nothing to tell apart
            continue
        probe = student.fit([inputs[i] for i in learned], goals, [], [], names, settings, setting.seed)
        probabilities = probe.predict([inputs[i] for i in asked])
        for row, own in zip(asked.tolist(), probabilities, strict=True):
            predicted = names[own.argmax()]
            if row >= len(old) and predicted != labels[row] and own.max() >= setting.verify.confidence:
                yield places[row - len(old)], "student disagrees", ""
