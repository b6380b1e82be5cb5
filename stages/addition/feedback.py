"""Seed rows whose prompt shows examples: ProGen's in-context feedback."""

import pandas as pd

from stages.pipeline import table
from stages.pipeline.paths import Paths
from stages.pipeline.stage import UserError
from stages.teacher.prompt import Prompt
from stages.teacher.request import Request

FAR = 1_000_000  # samples of a prompt without examples that seed data may have taken


def plan(task, mined: pd.DataFrame, params, q: int) -> tuple[list[dict], list[Request]]:
    """One row for each mined one, of its label, without rationales. Raises UserError when the prompt has no place."""
    prompt = Prompt.of(task, params, "seed")
    if "examples" not in prompt.variables:
        raise UserError(f"{prompt.path} shows no `examples`: method.add: feedback needs a place for them")
    contexts = table.read(Paths(task.name).contexts)
    seeds = task.seeds(len(mined), [""], {}, 0, f"{params.seed}/{q + 1}", contexts)  # each gets its label here
    wanted = [{**seed, **row} for seed, row in zip(seeds, mined.to_dict("records"), strict=True)]
    return wanted, [prompt.request(task.seed_slots(row) | shown(row), (q + 1) * FAR) for row in wanted]


def shown(row: dict) -> dict:
    return {"examples": list(row["examples"])} if len(row["examples"]) else {}
