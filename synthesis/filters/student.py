"""Rows whose label is contradicted by probes that have not learned them, of other synthetic rows or of gold ones."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from synthesis.filters.rows import Rows
from synthesis.run import Run
from synthesis.students.base import Examples
from synthesis.students.cross_fit import FOLDS, CrossFit, GoldProbe


def disagreements(new: Rows, old: Rows, run: Run) -> Iterator[tuple[int, str, str]]:
    """(place, reason, nothing) of the rows that are left out, of a task with labels.

    A row is left out when the probe that learned the other folds, rows of earlier rounds among them, predicts another
    label with a probability of at least verify.confidence.
    """
    places = list(new.left)
    if not places:
        return
    rows = pd.concat([old.table, new.table.iloc[places]])
    examples = Examples(run.task.inputs(rows), run.task.goals(rows))
    names = sorted(set(examples.goals))
    folds = np.random.default_rng(run.params.seed).permutation(len(rows)) % FOLDS
    probabilities = CrossFit(examples, folds, names, run.student).predict(examples.inputs, folds)
    for row in range(len(old), len(rows)):
        own = probabilities[row]
        if names[own.argmax()] != examples.goals[row] and own.max() >= run.params.verify.confidence:
            yield places[row - len(old)], "student disagrees", ""


def contradictions(new: Rows, gold: Rows, run: Run) -> Iterator[tuple[int, str, str]]:
    """(place, reason, nothing) of the rows whose label gold rows contradict with confidence (method.label: agree)."""
    if places := list(new.left):
        judge = GoldProbe(run.task, gold.table, run.student)
        for place in np.flatnonzero(judge.contradicted(new.table.iloc[places])):
            yield places[place], "gold rows disagree", ""
