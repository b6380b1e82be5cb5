"""An arm: what one method made of a task at one revision, what it cost, and what its students answered."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from pydantic import ValidationError

from stages import task as tasks
from stages.comparison import paired
from stages.comparison.revision import Revision
from stages.pipeline.params import Params, Task
from stages.pipeline.paths import Paths
from stages.pipeline.stage import UserError
from stages.statistics.marks import marks
from stages.teacher import spending

GOLD = "gold rows alone"


@dataclass(frozen=True, eq=False)
class Student:
    """The students of one lesson, one for each training seed: what they learned and what they answered.

    spent: what the teacher's answers up to there used, as stages.teacher.spending tells it. test: their predictions
    for the rows of test.
    """

    name: str
    task: object
    rows: int
    gold_rows: int
    spent: dict
    test: pd.DataFrame

    @property
    def calls(self) -> int:
        """Answers that the method needs, whether they were asked for or came out of the response store."""
        return self.spent["calls"] + self.spent["cached"]

    @property
    def tokens(self) -> int:
        return self.spent["tokens_in"] + self.spent["tokens_out"]

    @cached_property
    def mark(self) -> dict:
        return marks(self.task, self.test)["test"]

    @cached_property
    def scores(self) -> np.ndarray:
        """The task's metric, (rows of test in the order of their ids, seeds)."""
        return paired.scores(self.task, self.test)

    @property
    def value(self) -> float:
        return float(self.scores.mean())

    @cached_property
    def truth(self) -> list[tuple]:
        """The ids of the rows of test, and what is right there."""
        rows = self.test[self.test.seed == 0].sort_values("id").filter(["id", "label", "answers"])
        return [(id_, right if isinstance(right, str) else tuple(right)) for id_, right in rows.to_numpy()]


@dataclass(frozen=True, eq=False)
class Arm:
    """A revision: the students of its rounds, the final ones, and those that learned its gold rows alone.

    learn: what the final student learns, as method.learn says. budget: gold rows that the method has seen.
    """

    rounds: list[Student]
    final: Student
    gold: Student
    learn: str
    budget: int

    @property
    def name(self) -> str:
        return self.final.name


def read(revision: Revision, name: str) -> Arm:
    """The arm of task `name`. Raises UserError for a revision that does not run the task or lacks its files."""
    params, paths, task = revision.params, Paths(name), _task(revision, name)
    last = params["rounds"][-1]["next"]
    told, cost = (revision.json(paths.metrics / file) for file in ("final.json", "cost.json"))
    predictions, baseline = (revision.table(path) for path in (paths.final_predictions, paths.baseline_predictions))
    history = revision.table(paths.history(last))
    gold_rows = told.get("gold_rows", 0)
    taught = told.get("synthetic_rows", told["rows"]) > 0  # else the teacher was asked for other arms' sake

    def spent(q: int) -> dict:
        stages = ["rationales", "seed", *(f"extrapolate{earlier}" for earlier in range(q))]
        return spending.total([cost[stage] for stage in stages] if taught else [])

    def student(rows: int, gold_rows: int, spent: dict, answers: pd.DataFrame, name: str = revision.name) -> Student:
        return Student(name, task, rows, gold_rows, spent, answers[answers.split == "test"])

    rounds = []
    for q, answers in history.groupby("round") if taught else ():
        learned = revision.json(paths.metrics / f"round{q}" / "train.json")
        rounds.append(student(learned["rows"], learned.get("gold_rows", 0), spent(q), answers))
    alone = baseline[baseline.split == "validation"].id.nunique()
    return Arm(
        rounds,
        student(told["rows"], gold_rows, spent(last), predictions),
        student(alone, alone, spending.total([]), baseline, GOLD),
        params["method"].get("learn", "synthetic"),
        predictions[predictions.split != "test"].id.nunique(),
    )


def _task(revision: Revision, name: str):
    """The task as the revision describes it; other params may be those of an earlier or later day."""
    if name not in revision.tasks:
        there = ", ".join(revision.tasks) or "none"
        raise UserError(
            f"{revision.name} does not run task `{name}` (`tasks` there: {there}): give --task, "
            f"or run it with `dvc exp run -S 'tasks=[{name}]'`"
        )
    try:
        settings = Task.model_validate(revision.params["task"][name])
    except ValidationError as error:
        key = ".".join(map(str, error.errors()[0]["loc"]))
        raise UserError(f"{revision.name}: params.yaml: task.{name}.{key}: {error.errors()[0]['msg']}") from None
    return tasks.load(name, Params.model_construct(task={name: settings}))
