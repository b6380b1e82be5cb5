"""The teacher: whoever writes text when asked. `ask` is all that a stage needs."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from stages.pipeline.stage import UserError
from stages.teacher.request import Answer, Provider, Request

if TYPE_CHECKING:
    from stages.pipeline.params import Params

Check = Callable[[str, Request], tuple[str, str | None]]


def ask(
    requests: list[Request],
    task: str,
    params: Params,
    step: str | None = None,
    check: Check | None = None,
    spent_before: dict | None = None,
) -> tuple[list[Answer], dict]:
    """Answers in the order of the requests, one for each, and what they used.

    `check(text, request)` returns the text as the task wants it and None, or the reason why it cannot be used.
    `spent_before` is the usage summed over earlier stages: it counts towards teacher.budget.
    The usage has calls, cached, tokens_in, tokens_out, dollars (None when the price is unknown) and seconds.

    Raises UserError when the settings are wrong, the endpoint cannot be used, or the budget is reached;
    what was answered stays in the response store.
    """
    from stages.teacher.asking import Asking  # late: `python -m stages.teacher.store` must find its module unloaded

    requests = list(requests)
    step = step or (requests[0].step if requests else "")
    asking = Asking(provider(params, task), requests, params.teacher, f"{task} {step}", check, spent_before)
    return asyncio.run(asking.run())


def provider(params: Params, task: str) -> Provider:
    """Who answers: `openai-batch` is openai_batch.py. Raises UserError when there is no such module here."""
    name = params.teacher.provider.replace("-", "_")
    files = Path(__file__).parent.glob("*.py")
    names = sorted(file.stem for file in files if "\ndef provider(params" in file.read_text(encoding="utf-8"))
    names.remove("__init__")
    if name not in names:
        known = ", ".join(names).replace("_", "-")
        raise UserError(f"params.yaml: teacher.provider is `{params.teacher.provider}`, which is not one of {known}")
    return importlib.import_module(f"{__name__}.{name}").provider(params, task)
