"""What a stage works on, how it starts, and how it fails."""

from __future__ import annotations

import gc
import inspect
import sys
from dataclasses import dataclass

import pandas as pd

from synthesis import UserError, files, params, tasks
from synthesis.params import Params
from synthesis.paths import SPLITS, Paths
from synthesis.tasks.base import Task


@dataclass(frozen=True)
class Run:
    """One task under the parameters of params.yaml."""

    task: Task
    params: Params
    paths: Paths

    @classmethod
    def of(cls, name: str, settings: Params | None = None) -> Run:
        """The task called `name`, by default as params.yaml has it. Raises UserError when something is wrong there."""
        settings = settings or params.load()
        return cls(tasks.load(name, settings.one(name)), settings, Paths(name))

    @property
    def settings(self) -> params.Task:
        """The task's own section of params.yaml."""
        return self.task.settings

    @property
    def student(self) -> params.Student:
        """The student of params.yaml, as the task's own section changes it."""
        return self.params.student.changed(self.settings.student)

    @property
    def last(self) -> int:
        """The round whose data are the final ones."""
        return self.params.rounds[-1].next

    def check(self) -> None:
        """Raise UserError for a parameter that this kind of task has no use for, before anything is asked for."""
        task, method, verify = self.task, self.params.method, self.params.verify
        needs = [
            (method.mine == "clusters", "labels", "method.mine: clusters", "set it to errors"),
            (method.influence, "labels", "method.influence", "set it to false (and method.mine to errors)"),
            (method.add == "contrasts", "labels", "method.add: contrasts", "set it to extrapolations"),
            (method.label != "teacher", "labels", f"method.label: {method.label}", "set it to teacher"),
            (method.weight, "labels", "method.weight", "leave it empty"),
            (method.replay, "texts", "method.replay", "leave it empty"),
            (verify.teacher not in (None, "drop"), "labels", f"verify.teacher: {verify.teacher}", "set it to drop"),
            (verify.student, "labels", "verify.student", "leave it empty"),
            (task.settings.corpus, "pairs", f"task.{task.name}.corpus", "leave it empty"),
            (task.settings.harm, "texts", f"task.{task.name}.harm", "leave it empty"),
        ]
        for wanted, capability, key, way_out in needs:
            if wanted:
                task.require(capability, key, way_out)

    def gold(self) -> dict[str, pd.DataFrame]:
        """The gold rows of each split. Raises UserError when the stage `gold` has not run."""
        return {split: files.read(self.paths.gold(split)) for split in SPLITS}


def whole_budget(gold: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Validation and selection rows, each once: all that a method may see. gold: rows by split."""
    return pd.concat([gold["validation"], gold["selection"]]).drop_duplicates("id", ignore_index=True)


def stage(main) -> None:
    """Call the `main` of a stage with the command line's words: TASK, and Q where it is one of a round.

    A UserError becomes one line and exit code 1.
    """
    module, parameters = inspect.getmodule(main), inspect.signature(main).parameters
    try:
        if len(sys.argv) != 1 + len(parameters):
            usage = " ".join(["TASK", "Q"][: len(parameters)])
            raise UserError(f"usage: python -m {module.__spec__.name} {usage}")
        name, *rounds = sys.argv[1:]
        run = Run.of(name)
        run.check()
        main(run, *map(_number, rounds))
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped")
    finally:
        gc.freeze()  # Python would search all objects for garbage as it exits, a fifth of a short stage's time


def _number(word: str) -> int:
    if not word.isdecimal():
        raise UserError(f"`{word}` is not the number of a round")
    return int(word)
