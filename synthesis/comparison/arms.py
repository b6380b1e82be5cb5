"""An arm: what one method made of a task at one revision, what it cost, and what its students answered.

Nothing is checked out: files are read as git and DVC have them at the revision.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException
from pydantic import ValidationError

from synthesis import UserError, tasks
from synthesis.measures import paired
from synthesis.measures.scores import score_splits
from synthesis.params import Task as Settings
from synthesis.paths import Paths
from synthesis.tasks.base import Task
from synthesis.teacher import spending

GOLD = "gold rows alone"
WORKSPACE = "workspace"  # the working tree, as DVC calls it


class Revision:
    """A branch, tag, commit, name of an experiment, or `workspace`. Raises UserError when there is none called so."""

    def __init__(self, name: str):
        self.name = name
        try:
            self.files = DVCFileSystem(rev=None if name == WORKSPACE else name)
            self.params = yaml.safe_load(self.text(Path("params.yaml")))
        except DvcException as error:
            message = " ".join(str(error).split())
            raise UserError(f"{name}: {message}: `dvc exp list -A` and `git branch -a` list what there is") from None

    @property
    def tasks(self) -> list[str]:
        """The tasks that run there."""
        return self.params.get("tasks", [])

    def text(self, path: Path) -> str:
        with self.open(path) as file:
            return file.read().decode()

    def json(self, path: Path):
        return json.loads(self.text(path))

    def table(self, path: Path) -> pd.DataFrame:
        with self.open(path) as file:
            return pd.read_parquet(file)

    def open(self, path: Path):
        """The file, opened to read bytes. Raises UserError for one that was never made there, or is not at hand."""
        name = path.as_posix()
        try:
            return self.files.open(name, "rb")
        except OSError:
            if self.files.exists(name) and "md5" in self.files.info(name):  # dvc.lock knows it
                problem = "is not in the cache: `dvc pull` or `dvc fetch -a` gets it where it was pushed"
            else:
                run = "`dvc repro`" if self.name == WORKSPACE else "`dvc exp run`, or `dvc repro` there and commit"
                problem = f"was not made: run {run}"
            raise UserError(f"{self.name}: {name} {problem}") from None


@dataclass(frozen=True, eq=False)
class Student:
    """The students that learned the same rows, one for each training seed: what they learned and what they answered.

    spent: what the teacher's answers up to there used, as synthesis.teacher.spending has it. test: their predictions
    for the rows of test.
    """

    name: str
    task: Task
    rows: int
    gold_rows: int
    spent: dict
    test: pd.DataFrame

    @property
    def calls(self) -> int:
        """Answers that the method needs, new ones and those out of the response store."""
        return self.spent["calls"]

    @property
    def tokens(self) -> int | None:
        """Tokens of prompts and answers, None where the endpoint does not count them."""
        return spending.plus(self.spent["tokens_in"], self.spent["tokens_out"])

    @cached_property
    def metrics(self) -> dict:
        """The task's metrics on test, in [0, 1]: see measures.scores."""
        return score_splits(self.task, self.test)["test"]

    @cached_property
    def scores(self) -> np.ndarray:
        """The task's metric, (rows of test in the order of their ids, seeds)."""
        return paired.scores(self.task, self.test)

    @property
    def value(self) -> float:
        return float(self.scores.mean())

    @cached_property
    def truth(self) -> list[tuple]:
        """As `truth` has it."""
        return truth(self.task, self.test)


@dataclass(frozen=True, eq=False)
class Arm:
    """A revision: the students of its rounds, the final ones, and those that learned its gold rows alone.

    learn: what the final student learns, as method.learn says. budget: gold rows that the method may see.
    """

    rounds: list[Student]
    final: Student
    gold: Student
    learn: str
    budget: int

    @property
    def name(self) -> str:
        return self.final.name

    @property
    def method(self) -> str:
        """What differs but for the budget: the name before it, as a study's `generate-50`; else what is learned."""
        name = self.name.removeprefix(f"{self.final.task.name}-")
        return name.removesuffix(f"-{self.budget}") if name.endswith(f"-{self.budget}") else self.learn


def read(revision: Revision, name: str) -> Arm:
    """The arm of task `name`. Raises UserError for a revision that does not run the task or lacks its files."""
    params, paths, task = revision.params, Paths(name), task_of(revision, name)
    last = params["rounds"][-1]["next"]
    learned = revision.json(paths.metrics / "final.json")
    final, baseline = (revision.table(path) for path in (paths.final_predictions, paths.baseline_predictions))
    learn = params["method"]["learn"]
    taught = learned["synthetic_rows"] > 0 or learn == "best"  # else the teacher was asked for the sake of other arms

    # Of the stages themselves: cost.json is made after all others, and one that a run did not reach is its parent's.
    stages = ["rationales", "seed", *(f"round{q}/extrapolate" for q in range(last))] if taught else []
    usages = [_usage(revision.json(paths.metrics / f"{stage}.json")) for stage in stages]

    def spent(q: int) -> dict:
        return spending.total(usages[: 2 + q])

    rounds = []
    for q, predictions in revision.table(paths.history(last)).groupby("round") if taught else ():
        rows = revision.json(paths.metrics / f"round{q}" / "train.json")["rows"]
        rounds.append(Student(revision.name, task, rows, 0, spent(q), _of_test(predictions)))
    gold_rows = revision.json(paths.metrics / "baseline.json")["rows"]
    return Arm(
        rounds,
        Student(revision.name, task, learned["rows"], learned["gold_rows"], spent(last), _of_test(final)),
        Student(GOLD, task, gold_rows, gold_rows, spending.total([]), _of_test(baseline)),
        learn,
        gold_rows,
    )


def _usage(metrics: dict) -> dict:
    """What a stage of the teacher used, by its metrics, as synthesis.teacher.spending has it."""
    return {key: metrics.get(key, 0) for key in spending.USAGE}


def truth(task: Task, test: pd.DataFrame) -> list[tuple]:
    """The ids of the rows of test, and what is right there; test: the predictions for them."""
    rows = test[test.seed == 0].sort_values("id")
    return [
        (id_, right if isinstance(right, str) else tuple(right))
        for id_, right in zip(rows.id, rows[task.truth], strict=True)
    ]


def _of_test(predictions: pd.DataFrame) -> pd.DataFrame:
    return predictions[predictions.split == "test"]


def task_of(revision: Revision, name: str) -> Task:
    """The task as the revision describes it; other parameters may be those of an earlier or later day."""
    if name not in revision.tasks:
        there = ", ".join(revision.tasks) or "none"
        raise UserError(
            f"{revision.name} does not run task `{name}` (`tasks` there: {there}): give --task, "
            f"or run it with `dvc exp run -S 'tasks=[{name}]'`"
        )
    try:
        settings = Settings.model_validate(revision.params["task"][name])
    except ValidationError as error:
        key = ".".join(map(str, error.errors()[0]["loc"]))
        raise UserError(f"{revision.name}: params.yaml: task.{name}.{key}: {error.errors()[0]['msg']}") from None
    return tasks.load(name, settings)
