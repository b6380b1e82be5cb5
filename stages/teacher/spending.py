"""What the teacher stages of the whole pipeline have used, by their metrics: teacher.budget holds over all of it."""

from __future__ import annotations

import json
from pathlib import Path

from stages.pipeline.params import Params
from stages.pipeline.paths import Paths

COUNTS = ("calls", "cached", "tokens_in", "tokens_out")


def files(name: str, params: Params) -> dict[str, Path]:
    """The usage files of a task's teacher stages, in the order in which they run."""
    metrics = Paths(name).metrics
    rounds = {f"extrapolate{entry.q}": metrics / f"round{entry.q}" / "extrapolate.json" for entry in params.rounds}
    return {"rationales": metrics / "rationales.json", "seed": metrics / "seed.json", **rounds}


def before(name: str, stage: str, params: Params) -> dict:
    """The usage of the task's stages before this one, and of all those of the other tasks that run."""
    own = list(files(name, params).items())
    upstream = [file for place, (_, file) in enumerate(own) if stage in dict(own[place + 1 :])]
    others = [file for other in params.tasks if other != name for file in files(other, params).values()]
    return total([usage(file) for file in upstream + others])


def usage(file: Path) -> dict:
    """What a stage used; nothing when it has not run, or had nothing to ask. Dollars are None when unknown."""
    found = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return {key: found.get(key, 0) for key in (*COUNTS, "dollars", "seconds")}


def total(usages: list[dict]) -> dict:
    """The sum. Its dollars are None when those of any part are."""
    dollars = [each["dollars"] for each in usages]
    return {
        **{key: sum(each[key] for each in usages) for key in COUNTS},
        "dollars": None if None in dollars else round(sum(dollars), 6),
        "seconds": round(sum(each["seconds"] for each in usages), 2),
    }
