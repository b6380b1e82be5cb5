"""Settings of a student that gold rows pick, none of them a row of test."""

import pandas as pd

from synthesis.params import Student as Settings
from synthesis.run import whole_budget
from synthesis.students.base import Lesson
from synthesis.students.folds import Candidate, Fold, Gold, cross_validate, cut
from synthesis.students.lesson import can_learn, examples, fit
from synthesis.tasks.base import Task


def best_settings(task: Task, rows: pd.DataFrame, gold: Gold, settings: Settings, changes: list[dict]) -> Settings:
    """The settings, of those that `changes` make, whose student is best on selection; the first of equals.

    Without changes, the settings as they are.
    """
    learned, selection = examples(task, rows), examples(task, gold["selection"])
    labels = task.labels(gold["validation"])

    def score(tried: Settings) -> float:
        [student] = fit(task, Lesson(learned, tried, labels, selection))
        return student.curve.selection_score.max()

    return max([settings.changed(each) for each in changes], key=score, default=settings)


def best_for_gold(
    task: Task, gold: Gold, settings: Settings, changes: list[dict], folds: int
) -> tuple[Settings, pd.Series]:
    """The settings, of those that `changes` make, that gold rows alone are best learned with, the first of equals; and
    the metric on each gold row, by id, when it was asked about and not learned.

    Each is scored as it will be used, with its last weights, because a student of all gold rows has none left to pick a
    checkpoint. Kinds that cannot learn the task are left out. Without changes, the settings as they are.
    """
    tried = [each for each in map(settings.changed, changes or [{}]) if can_learn(task, each.kind)] or [settings]
    candidates = {f"gold rows {place}": Candidate(each, all_of_it) for place, each in enumerate(tried)}
    parts = cut(task, whole_budget(gold), folds)
    scores = cross_validate(task, parts, candidates, task.labels(gold["validation"]))
    best = scores.dropna(axis=1).mean().idxmax()
    return candidates[best].settings, scores[best]


def all_of_it(fold: Fold) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All gold rows of a fold are learned, and none picks a checkpoint."""
    return fold.learned, fold.learned.head(0)
