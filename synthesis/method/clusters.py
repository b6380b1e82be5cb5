"""Clusters of errors: which kinds of gold rows are worth more rows, and which kinds of rows hurt the rest.

The idea is that of TDG (He et al., 2023, 2305.17804), which looks for groups of errors that more data mend without
interfering with other groups. How both are told is our own and cheaper: the gain is what the loop's last round mended,
and the interference is found by leaving the additions of a cluster out of a probe.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from synthesis.params import Student as Settings
from synthesis.students import probe
from synthesis.students.base import Examples, Lesson
from synthesis.tasks.base import Task

CLUSTERS = 8  # at most
CLUSTER_ROWS = 8  # errors that a cluster has on average, at least


def place(task: Task, rows: pd.DataFrame, errors: np.ndarray, settings: Settings) -> np.ndarray:
    """The cluster of each row, (rows,): k-means over the encodings of those that are errors."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    read, _ = probe.encode(task.inputs(rows), settings.model, settings.max_tokens)
    count = max(1, min(CLUSTERS, int(errors.sum()) // CLUSTER_ROWS))
    with threadpool_limits(1):  # sums of several threads come in any order, and rounding would decide
        return KMeans(count, n_init=3, random_state=0).fit(read[errors]).predict(read)


def gains(clusters: np.ndarray, before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """The share of its errors that the last round mended, of each row's cluster, (rows,).

    before, now: whether each row is an error. One more counts as mended and one as not, so that no cluster is given up
    because of a few rows.
    """
    had = np.bincount(clusters, before)
    mended = np.bincount(clusters, before & ~now)
    return ((mended + 1) / (had + 2))[clusters]


def harmful(
    task: Task, gold: pd.DataFrame, clusters: np.ndarray, train: pd.DataFrame, q: int, settings: Settings
) -> list[int]:
    """The clusters whose additions of round q made a probe worse on the gold rows of the other ones.

    Worse by more than a standard error over these rows, beside a probe that learned all `train` but those additions.
    """
    names, homes = task.labels(gold), dict(zip(gold.id, clusters.tolist(), strict=True))
    added = train["parent"].map(homes).where(train["round"] == q)
    whole = _right(task, gold, train, names, settings)
    found = []
    for cluster in sorted(set(added.dropna())):
        others = clusters != cluster
        difference = whole[others] - _right(task, gold, train[added != cluster], names, settings)[others]
        if len(difference) > 1 and difference.mean() < -difference.std(ddof=1) / len(difference) ** 0.5:
            found.append(int(cluster))
    return found


def _right(task: Task, gold: pd.DataFrame, rows: pd.DataFrame, names: list[str], settings: Settings) -> np.ndarray:
    """Whether a probe of these rows is right about each gold row, (gold rows,): 0 or 1; 0.5 where it cannot learn."""
    labels = task.goals(rows)
    if len(set(labels)) < 2:
        return np.full(len(gold), 0.5)
    [student] = probe.fit(Lesson(Examples(task.inputs(rows), labels), settings, names))
    told = student.predict(task.inputs(gold)).argmax(axis=1)
    return (np.array(names)[told] == np.array(task.goals(gold))).astype(float)
