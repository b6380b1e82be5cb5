"""Cross-validation on gold rows: candidates learn all folds but one, and are asked about that one, in turn.

Rows of test have no part in it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

from synthesis import UserError
from synthesis.params import Student as Settings
from synthesis.students.base import Lesson
from synthesis.students.lesson import examples, try_out
from synthesis.tasks.base import Task

Gold = dict[str, pd.DataFrame]  # by split
HOPELESS = 2.0  # standard errors behind the best after a fold: such a candidate is not tried further


class Fold(NamedTuple):
    """Gold rows that may be learned, those that are asked about, and synthetic rows that may be learned, if any."""

    learned: pd.DataFrame
    asked: pd.DataFrame
    synthetic: pd.DataFrame | None = None


class Candidate(NamedTuple):
    """How a student is taught: with which settings, and in a fold what it learns and what picks its checkpoint."""

    settings: Settings
    learned: Callable[[Fold], tuple[pd.DataFrame, pd.DataFrame]]


def cut(task: Task, rows: pd.DataFrame, count: int) -> list[Fold]:
    """Cut gold rows into folds that are alike in their strata. Rows of one group stay together.

    Raises UserError for fewer groups than folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold  # late: not all who use folds cut them

    groups, strata = task.groups(rows), task.strata(rows)
    if groups.nunique() < count:
        raise UserError(f"method.folds is {count}, and task `{task.name}` has {groups.nunique()} groups of gold rows")
    if strata.value_counts().max() < count:  # no stratum has a row for each fold
        strata = pd.Series(0, index=rows.index)
    places = StratifiedGroupKFold(count, shuffle=True, random_state=0).split(rows, strata, groups)
    return [Fold(rows.iloc[learned], rows.iloc[asked]) for learned, asked in places]


def cross_validate(
    task: Task,
    folds: list[Fold],
    candidates: dict[str, Candidate],
    names: list[str],
    known: pd.DataFrame | None = None,
    hopeless: float = HOPELESS,
) -> pd.DataFrame:
    """The metric on each gold row, by candidate: index id, in the order in which the rows are asked about.

    names: the labels. known: a table of this kind, of candidates that need not be fitted again, in which rows may be
    missing: those are left out of the result. A candidate that is so many standard errors behind the best after some
    folds has NaN for the others; the best one never has.
    """
    scores, left = [], list(candidates)
    for fold in folds:
        asked = fold.asked if known is None else fold.asked[fold.asked.id.isin(known.index)]
        if asked.empty:
            continue
        part = pd.DataFrame(index=asked.id) if known is None else known.loc[asked.id]
        for name in left:
            settings, learned = candidates[name]
            rows, selection = (examples(task, table) for table in learned(fold))
            part[name] = try_out(task, Lesson(rows, settings, names, selection), asked)
        scores.append(part)
        left = [name for name in left if not _is_hopeless(pd.concat(scores), name, hopeless)]
    return pd.concat(scores)


def _is_hopeless(scores: pd.DataFrame, name: str, errors: float) -> bool:
    """Whether a candidate is so far behind the best one, row by row, that the other folds need not be seen."""
    difference, error = behind(scores, name, scores.mean().idxmax())
    hopeless = difference < -errors * error
    if hopeless:
        print(f"cross-validation: {name} is {-100 * difference:.1f} points behind: not tried further", file=sys.stderr)
    return hopeless


def behind(scores: pd.DataFrame, name: str, other: str) -> tuple[float, float]:
    """The mean difference of two candidates over the rows that both were asked about, and its standard error."""
    differences = (scores[name] - scores[other]).dropna()
    return float(differences.mean()), float(differences.sem()) if len(differences) > 1 else float("inf")
