"""Rows like each mined one, with its own label (Alg. 2, lines 8 to 10; Alg. 3)."""

import pandas as pd

from stages.teacher.prompt import Prompt
from stages.teacher.request import Request


def plan(task, mined: pd.DataFrame, params, q: int) -> tuple[list[dict], list[Request]]:
    """method.extrapolations_per_error rows for each."""
    prompt, each = Prompt.of(task, params, "extrapolate"), params.method.extrapolations_per_error
    wanted = [{**error, "parent": error["id"]} for error in mined.to_dict("records") for _ in range(each)]
    # An error that persists is asked about again, and must not get the answer of the round before.
    return wanted, [prompt.request(task.error_slots(row), sample=q * each) for row in wanted]
