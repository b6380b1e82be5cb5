"""Settings of a student that gold rows pick, none of them a row of test."""

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from synthesis.params import Student as Settings
from synthesis.students.base import Lesson
from synthesis.students.lesson import can_learn, examples, fit
from synthesis.tasks.base import Task

Gold = dict[str, pd.DataFrame]
FEW = 100  # selection rows: fewer tell settings apart by chance
FOLDS = 4


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


def whole_budget(gold: Gold) -> pd.DataFrame:
    """Validation and selection rows, each once: all that a method may see."""
    return pd.concat([gold["validation"], gold["selection"]]).drop_duplicates("id", ignore_index=True)


def best_for_gold(task: Task, gold: Gold, settings: Settings, changes: list[dict]) -> Settings:
    """The settings, of those that `changes` make, that gold rows alone are best learned with; the first of equals.

    Each is scored as it will be used, on rows that it has not learned and with its last weights, because a student of
    all gold rows has none left to pick a checkpoint: it learns validation and is asked about selection. Where selection
    has fewer than FEW rows, or the same ones as validation, both together are cut into FOLDS, which take turns. Kinds
    that cannot learn the task are left out. Without changes, the settings as they are.
    """
    tried = [each for each in map(settings.changed, changes) if can_learn(task, each.kind)]
    if len(tried) < 2:
        return tried[0] if tried else settings
    if len(gold["selection"]) < FEW or gold["selection"].id.isin(gold["validation"].id).any():
        rows = whole_budget(gold)
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
        cuts = list(folds.split(rows, task.strata(rows), task.groups(rows)))
        parts = [(rows.iloc[learned], rows.iloc[asked]) for learned, asked in cuts]
    else:
        parts = [(gold["validation"], gold["selection"])]
    labels = task.labels(gold["validation"])

    def score(one: Settings) -> float:
        scores = []
        for learned, asked in parts:
            [student] = fit(task, Lesson(examples(task, learned), one, labels))
            predictions = task.predictions(asked, student.predict(task.inputs(asked)), labels)
            scores += task.scores(predictions)[task.metric].tolist()
        return float(np.mean(scores))

    return max(tried, key=score)
