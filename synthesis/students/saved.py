"""A student that is kept: beside its own files stands what it is, so that it can be loaded without params.yaml."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd

from synthesis import UserError, files
from synthesis.students.base import Student
from synthesis.students.calibration import Calibration, logs
from synthesis.tasks.base import Task

FILE = "student.json"


@dataclass(frozen=True)
class Facts:
    """What a saved student is.

    student: its kind, a module of synthesis/students. answer: what it answers with, as Task.answer. reads: the columns
    that it is given, in their order. labels: in the order of its probabilities; none where it answers otherwise.
    temperature, threshold: of its calibration, which is neutral unless it was fitted.
    """

    student: str
    answer: str
    reads: list[str]
    labels: list[str]
    temperature: float = 1.0
    threshold: float = 0.5

    @property
    def calibration(self) -> Calibration:
        return Calibration(self.temperature, self.threshold)


def reads(task: Task) -> list[str]:
    """The columns whose texts a student of this task is given, in the order in which it reads them."""
    [given] = task.inputs(pd.DataFrame({column: [column] for column in task.columns}))
    return [given] if isinstance(given, str) else list(given)


def save(student: Student, task: Task, folder) -> None:
    """Write the student and what it is to `folder`."""
    student.save(folder)
    kind = type(student).__module__.rpartition(".")[2]
    labels = getattr(student, "names", [])  # not all answer with one
    files.write_json(asdict(Facts(kind, task.answer, reads(task), labels)), Path(folder) / FILE)


def calibrate(folder, task: str, calibration: Calibration) -> None:
    """Note the calibration of a student that was saved."""
    files.write_json(asdict(replace(facts(folder, task), **calibration._asdict())), Path(folder) / FILE)


def facts(folder, task: str) -> Facts:
    """What the student of a task is, without loading it. Raises UserError when there is none, or an old one."""
    file = Path(folder) / FILE
    if not file.is_file():
        there = "is of an earlier version" if Path(folder).is_dir() else "is missing"
        raise UserError(f"{folder} {there}: the stage `evaluate` writes it, run `dvc repro evaluate@{task}`")
    return Facts(**files.read_json(file))


def load(folder, kind: str) -> Student:
    """The saved student, of the kind that its facts name, to predict again; its probabilities are as it gives them."""
    return import_module(f"{__package__}.{kind}").load(folder)


class Calibrated:
    """A student whose probabilities are calibrated, if it answers with labels: what ships."""

    def __init__(self, student: Student, facts: Facts):
        self.student, self.facts = student, facts

    def predict(self, inputs: list) -> np.ndarray | list[tuple]:
        answers = self.student.predict(inputs)
        if not self.facts.labels or self.facts.calibration == Calibration():
            return answers
        return self.facts.calibration.apply(logs(answers))
