"""What is learned: one module a kind of task, all of the same shape."""

import importlib
import pkgutil

from stages.pipeline.params import Params
from stages.pipeline.stage import UserError


def load(name: str, params: Params):
    """The task called `name`. Raises UserError for an unknown name or kind."""
    settings = params.one(name)
    kinds = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    if settings.kind not in kinds:
        raise UserError(f"params.yaml: task.{name}.kind is `{settings.kind}`, which is not one of {', '.join(kinds)}")
    return importlib.import_module(f"{__name__}.{settings.kind}").Task(name, settings)
