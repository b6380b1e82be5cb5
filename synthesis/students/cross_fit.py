"""Probes that have not learned what they are asked about: each of them leaves out one fold of the rows.

They are cheap, as encodings are cached, and nothing in them is random.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthesis.students import probe
from synthesis.students.base import Examples, Lesson

if TYPE_CHECKING:
    from synthesis.params import Student as Settings
    from synthesis.tasks.base import Task

FOLDS = 5


class CrossFit:
    """A probe for each fold, which has learned the rows of the others.

    folds: of each row, (rows,). names: the labels, and the columns of what is predicted.
    """

    def __init__(self, rows: Examples, folds: np.ndarray, names: list[str], settings: Settings):
        self.names = names
        self.probes = [_fit(rows, np.flatnonzero(folds != fold), names, settings) for fold in range(folds.max() + 1)]

    def predict(self, inputs: list, folds: np.ndarray) -> np.ndarray:
        """Probabilities (rows, names), each by the probe that has not learned the row's fold.

        Where that is -1, no probe has learned the row, and theirs are averaged. All labels are alike to one that could
        learn but one label.
        """
        found = np.zeros((len(inputs), len(self.names)))
        for fold, one in enumerate(self.probes):
            asked = np.flatnonzero((folds == fold) | (folds == -1))
            told = one.predict([inputs[i] for i in asked]) if one else 1 / len(self.names)
            found[asked] += told / np.where(folds[asked] == -1, len(self.probes), 1)[:, None]
        return found


class GoldProbe(CrossFit):
    """What gold rows say of other rows, and of one another.

    A row that is a gold row, was extrapolated from it, or has its premise is judged by the others alone: were that row
    mislabelled, it would bear its own label out. gold: rows of a task with labels.
    """

    def __init__(self, task: Task, gold: pd.DataFrame, settings: Settings):
        self.task, self.gold = task, gold
        folds = _cut(task, gold)
        self.by_id, self.by_group = (dict(zip(keys, folds, strict=True)) for keys in (gold.id, task.groups(gold)))
        super().__init__(Examples(task.inputs(gold), task.goals(gold)), folds, task.labels(gold), settings)

    def probabilities(self, rows: pd.DataFrame) -> np.ndarray:
        """Of each label, (rows, names)."""
        origin = rows["parent"].where(rows["parent"] != "", rows["id"]) if "parent" in rows else rows["id"]
        folds = origin.map(self.by_id).fillna(self.task.groups(rows).map(self.by_group)).fillna(-1)
        return self.predict(self.task.inputs(rows), folds.to_numpy(int))

    def contradicted(self, rows: pd.DataFrame) -> np.ndarray:
        """Which rows are likely to have another label than they have, (rows,).

        The rule of confident learning (Northcutt et al., 2021, section 3): another label is the most probable, and at
        least as probable as it is on average for gold rows of it, while the row's own is less probable than that.
        """
        shares = self.probabilities(rows)
        own = _places(self.names, self.task.goals(rows))
        each, told = np.arange(len(rows)), shares.argmax(axis=1)
        bars = self.self_confidence
        return (told != own) & (shares[each, told] >= bars[told]) & (shares[each, own] < bars[own])

    @cached_property
    def self_confidence(self) -> np.ndarray:
        """The average probability of each label for gold rows of it, (names,)."""
        shares, own = self.probabilities(self.gold), _places(self.names, self.task.goals(self.gold))
        return np.array([shares[own == place, place].mean() for place in range(len(self.names))])


def _cut(task: Task, rows: pd.DataFrame) -> np.ndarray:
    """The fold of each row. Folds have labels alike; rows of one group stay together."""
    from sklearn.model_selection import StratifiedGroupKFold

    groups, strata = task.groups(rows), task.strata(rows)
    count = min(FOLDS, groups.nunique(), strata.value_counts().max())
    folds = np.zeros(len(rows), int)
    if count > 1:
        for fold, (_, asked) in enumerate(
            StratifiedGroupKFold(count, shuffle=True, random_state=0).split(rows, strata, groups)
        ):
            folds[asked] = fold
    return folds


def _fit(rows: Examples, places: np.ndarray, names: list[str], settings: Settings) -> probe.Probe | None:
    """A probe of the rows at these places; None where these have one label, or none."""
    learned = Examples([rows.inputs[i] for i in places], [rows.goals[i] for i in places])
    return probe.fit(Lesson(learned, settings, names))[0] if len(set(learned.goals)) > 1 else None


def _places(names: list[str], labels: list[str]) -> np.ndarray:
    return np.array([names.index(label) for label in labels], int)
