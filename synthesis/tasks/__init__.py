"""What is learned: a module for each kind of task. base.py is the contract that all of them keep."""

from synthesis import plugins
from synthesis.params import Task as Settings
from synthesis.tasks.base import Task

HELPERS = ("base", "cells", "checks", "generation", "meanings", "squad", "words")


def load(name: str, settings: Settings) -> Task:
    """The task called `name`, as its section of params.yaml describes it. Raises UserError for an unknown kind."""
    return plugins.load(__name__, settings.kind, f"params.yaml: task.{name}.kind", HELPERS).Task(name, settings)
