"""A student that is kept: beside its own files stands what it is, so that it can be loaded without params.yaml."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path

import pandas as pd

from synthesis import UserError, files
from synthesis.students.base import Student
from synthesis.tasks.base import Task

FILE = "student.json"


@dataclass(frozen=True)
class Facts:
    """What a saved student is.

    student: its kind, a module of synthesis/students. answer: what it answers with, as Task.answer. reads: the columns
    that it is given, in their order. labels: in the order of its probabilities; none where it answers otherwise.
    """

    student: str
    answer: str
    reads: list[str]
    labels: list[str]


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


def facts(folder, task: str) -> Facts:
    """What the student of a task is, without loading it. Raises UserError when there is none, or an old one."""
    file = Path(folder) / FILE
    if not file.is_file():
        there = "is of an earlier version" if Path(folder).is_dir() else "is missing"
        raise UserError(f"{folder} {there}: the stage `evaluate` writes it, run `dvc repro evaluate@{task}`")
    return Facts(**files.read_json(file))


def load(folder, kind: str) -> Student:
    """The saved student, of the kind that its facts name, to predict again."""
    return import_module(f"{__package__}.{kind}").load(folder)
