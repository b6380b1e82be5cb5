"""One lesson: for each training seed a fresh student learns rows, and is asked about gold rows that it did not."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pandas as pd

from synthesis import UserError, plugins
from synthesis.measures.scores import score_splits
from synthesis.params import Student as Settings
from synthesis.students.base import Examples, Lesson, Student
from synthesis.tasks.base import Task

CURVE = ["step", "loss", "train_accuracy", "selection_score", "test_score", "seed"]
# Modules of no kind, and those that tasks name.
OWN = "base", "lesson", "folds", "cross_fit", "tuning", "saved", "spans", "graphs", "calibration"
OWN += "classifier", "probe", "reader", "generator"
WATCHED = 100  # test rows that a curve is drawn of


class Outcome(NamedTuple):
    """What a lesson gave.

    student: the one of the first training seed. predictions: a row for each training seed and gold row: round, seed,
    split, and the columns of the task's `predictions`. curve: all students' learning curves.
    """

    student: Student
    predictions: pd.DataFrame
    curve: pd.DataFrame

    def metrics(self, task: Task) -> dict:
        """What one student cost, and how well all of them did on each split."""
        return {**cost(self.student), **score_splits(task, self.predictions)}


def cost(student: Student | None) -> dict:
    """What fitting one student cost: the records it learned, their tokens, and floating-point operations.

    None stands for no fit.
    """
    if student is None:
        return {"records": 0, "tokens": 0, "flops": 0}
    return {"records": student.records, "tokens": student.tokens, "flops": student.flops}


def learn(
    task: Task,
    rows: pd.DataFrame,
    gold: dict[str, pd.DataFrame],
    settings: Settings,
    q: int,
    selection: pd.DataFrame | None = None,
    watch: bool = False,
    replay: Sequence[str] = (),
) -> Outcome:
    """Teach `rows` to students of round q.

    gold: the rows of each split; a split of which rows are learned is not asked about. selection: the rows that pick
    the checkpoint, by default gold's. watch: the curve shows the score on some rows of test, which decide nothing.
    replay: general texts, which students that write learn as well.
    """
    labels = task.labels(gold["validation"])
    learned, selected = (examples(task, part) for part in (rows, gold["selection"] if selection is None else selection))
    watched = examples(task, gold["test"].head(WATCHED if watch else 0))
    print(f"students to train: {settings.seeds}, {settings.kind}; rows: {len(rows)}", file=sys.stderr)
    students = fit(task, Lesson(learned, settings, labels, selected, watched, range(settings.seeds), replay))
    asked = {split: table for split, table in gold.items() if not table.id.isin(rows.id).any()}
    predictions = []
    for seed, student in enumerate(students):
        for split, table in asked.items():
            predicted = task.predictions(table, student.predict(task.inputs(table)), labels)
            for place, (column, value) in enumerate({"round": q, "seed": seed, "split": split}.items()):
                predicted.insert(place, column, value)
            predictions.append(predicted)
    curve = pd.concat([student.curve.assign(seed=seed) for seed, student in enumerate(students)])
    return Outcome(students[0], pd.concat(predictions), curve)


def try_out(task: Task, lesson: Lesson, asked: pd.DataFrame) -> pd.Series:
    """The metric on each gold row that is asked about, by id, of a student of the lesson's first seed."""
    student = fit(task, replace(lesson, seeds=lesson.seeds[:1]))[0]
    predictions = task.predictions(asked, student.predict(task.inputs(asked)), lesson.names)
    return task.scores(predictions)[task.metric].set_axis(predictions.id)


def examples(task: Task, rows: pd.DataFrame) -> Examples:
    """The rows as a student is given them."""
    return Examples(task.inputs(rows), task.goals(rows), _weights(rows))


def _weights(rows: pd.DataFrame) -> np.ndarray | None:
    """What weighing.weigh wrote, (rows, names), if anything. Gold rows beside those that it weighed count once."""
    columns = [column for column in rows if column.startswith("weight(")]
    if not columns or rows[columns].isna().all(axis=None):
        return None
    own = np.array([column.removeprefix("weight(")[:-1] for column in columns]) == rows.label.to_numpy()[:, None]
    return np.where(rows[columns].isna(), own, rows[columns]).astype(np.float32)


def can_learn(task: Task, kind: str) -> bool:
    """Whether students of this kind can learn the task. Raises UserError when there is no such kind."""
    return task.answer in _module(task, kind).ANSWERS


def fit(task: Task, lesson: Lesson) -> list[Student]:
    """Train the kind of student that the lesson's settings name, for this task, one for each seed.

    Raises UserError when there are no rows to learn, no such kind of student, or no such model, and when students of
    this kind cannot learn the task.
    """
    kind = lesson.settings.kind
    if not can_learn(task, kind):
        raise UserError(
            f"params.yaml: student.kind is `{kind}`, which cannot learn task `{task.name}`, of kind {task.kind}: "
            f"set it to {' or '.join(task.students)}"
        )
    if not lesson.learned:
        raise UserError("the student has no rows to train on: the stages before it left none")
    if lesson.learned.weights is not None and not getattr(_module(task, kind), "WEIGHED", False):
        raise UserError(
            f"students of kind {kind} learn no weighted rows: leave method.weight empty and set method.label to "
            "teacher or agree, or take another kind for student.kind and in baseline.tune"
        )
    return _module(task, kind).fit(lesson)


def _module(task: Task, kind: str) -> ModuleType:
    return plugins.load(__package__, kind, "params.yaml: student.kind", OWN, task.students)
