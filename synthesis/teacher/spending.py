"""What the teacher's answers of the whole pipeline have cost, by the metrics of its stages. asking.budget spans all."""

from __future__ import annotations

import json
from functools import reduce
from itertools import takewhile
from pathlib import Path

from synthesis.params import Params
from synthesis.paths import Paths

USAGE = ("calls", "tokens_in", "tokens_out", "tokens_reasoning", "tokens_at_most", "dollars")


def files(name: str, params: Params) -> dict[str, Path]:
    """The metrics files of a task's teacher stages, by stage, in the order in which they run."""
    metrics = Paths(name).metrics
    rounds = {f"extrapolate{entry.q}": metrics / f"round{entry.q}" / "extrapolate.json" for entry in params.rounds}
    return {"rationales": metrics / "rationales.json", "seed": metrics / "seed.json", **rounds}


def before(name: str, stage: str, params: Params) -> dict:
    """The usage of the task's stages before this one, and of all stages of the other tasks that run."""
    own = files(name, params)
    upstream = [own[earlier] for earlier in takewhile(stage.__ne__, own)]
    others = [file for other in params.tasks if other != name for file in files(other, params).values()]
    return total([usage(file) for file in upstream + others])


def usage(file: Path) -> dict:
    """What a stage used, by its metrics file; zeros when it has not run, or had nothing to ask.

    calls: answers that were used, new ones and those out of the response store. tokens_in and tokens_out: of the
    prompts and of the answers, None where an endpoint does not count them. tokens_reasoning: those of tokens_out that
    were thoughts which the endpoint keeps to itself, None where it does not say. tokens_at_most: in and out, as
    asking.budget counts them, a byte for a token that is not counted. dollars: None when the price is unknown.
    """
    metrics = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return {key: metrics.get(key, 0) for key in USAGE}


def total(usages: list[dict]) -> dict:
    """The sum. What is None in any part is None in it."""
    sums = {key: reduce(plus, (usage[key] for usage in usages), 0) for key in USAGE}
    return sums | {"dollars": sums["dollars"] and round(sums["dollars"], 6)}


def plus(one: float | None, other: float | None) -> float | None:
    """The sum, unknown (None) where a part of it is."""
    return None if one is None or other is None else one + other
