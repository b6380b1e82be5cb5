"""What the teacher's answers of the whole pipeline have cost, by the metrics of its stages. asking.budget spans all."""

from __future__ import annotations

import json
from itertools import takewhile
from pathlib import Path

from synthesis.params import Params
from synthesis.paths import Paths

COUNTS = ("calls", "tokens_in", "tokens_out")


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
    prompts and of the answers. dollars: None when the price is unknown.
    """
    metrics = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return {key: metrics.get(key, 0) for key in (*COUNTS, "dollars")}


def total(usages: list[dict]) -> dict:
    """The sum. Its dollars are None when those of any part are."""
    dollars = [usage["dollars"] for usage in usages]
    return {
        **{key: sum(usage[key] for usage in usages) for key in COUNTS},
        "dollars": None if None in dollars else round(sum(dollars), 6),
    }
