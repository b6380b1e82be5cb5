"""What is learned: one module a kind of task, all of the same shape."""

import importlib
import pkgutil

import pandas as pd

from stages.pipeline.params import Params
from stages.pipeline.stage import UserError


def load(name: str, params: Params):
    """The task called `name`. Raises UserError for an unknown name or kind."""
    settings = params.one(name)
    kinds = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    if settings.kind not in kinds:
        raise UserError(f"params.yaml: task.{name}.kind is `{settings.kind}`, which is not one of {', '.join(kinds)}")
    return importlib.import_module(f"{__name__}.{settings.kind}").Task(name, settings)


def fingerprints(rows: pd.DataFrame, task) -> pd.Series:
    """What two rows have in common that are the same but for case and white space in all that the student reads."""
    columns = [(" ".join(text.lower().split()) for text in rows[column]) for column in task.columns]
    return pd.Series(map("\n".join, zip(*columns, strict=True)), index=rows.index, dtype=object)
