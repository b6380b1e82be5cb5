"""What is made of mined rows: the functions that method.add names. Each returns the plan of a round's new rows."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from synthesis import UserError
from synthesis.run import Run
from synthesis.tasks.base import Material
from synthesis.teacher import plans
from synthesis.teacher.plans import FAR, Plan
from synthesis.teacher.prompt import Prompt
from synthesis.teacher.request import Request


def plan(run: Run, mined: pd.DataFrame, contexts: pd.DataFrame, q: int) -> Plan:
    """What the teacher is asked after round q. contexts: as the stage `gold` wrote them. Raises UserError."""
    return ADD[run.params.method.add](run, mined, contexts, q)


def extrapolations(run: Run, mined: pd.DataFrame, contexts: pd.DataFrame, q: int) -> Plan:
    """Rows like each mined one, with its own label (Alg. 2, lines 8 to 10; Alg. 3).

    As many for each as method.extrapolations_per_error says; or method.additional_rows, shared over the mined rows,
    evenly or as their `share` says.
    """
    each, count = run.params.method.extrapolations_per_error, run.params.method.additional(q)
    shares = mined["share"].tolist() if "share" in mined else [1.0] * len(mined)
    errors = [{**error, "parent": error["id"]} for error in mined.to_dict("records")]
    # An error that persists is asked about again, and must not get the answer of the round before.
    if count is None and "share" not in mined:
        rows = [error for error in errors for _ in range(each)]
        return Plan(rows, extrapolation_requests(run, rows, sample=q * each))
    count = each * len(errors) if count is None else count
    rows = [errors[place] for place in turns(shares, count)]
    return Plan(rows, extrapolation_requests(run, rows, sample=(q + 1) * FAR))


def turns(shares: Sequence[float], count: int) -> list[int]:
    """The places whose turn it is, `count` times, as evenly as `shares` allow (Sainte-Laguë); no places have no turns.

    Equal shares take turns in their order. More turns begin with the same ones.
    """
    if not len(shares):
        return []
    given, order = [0] * len(shares), []
    for _ in range(count):
        place = min(range(len(shares)), key=lambda place: ((given[place] + 0.5) / shares[place], place))
        given[place] += 1
        order.append(place)
    return order


def extrapolation_requests(run: Run, errors: list[dict], sample: int = 0) -> list[Request]:
    """The request for a row like each of these. sample: the number of the first answer that is wanted."""
    prompt = Prompt.of(run.task, run.params, "extrapolate")
    return [prompt.request(run.task.error_slots(error), sample) for error in errors]


def feedback(run: Run, mined: pd.DataFrame, contexts: pd.DataFrame, q: int) -> Plan:
    """Seed rows without rationales, whose prompts show examples: the in-context feedback of ProGen.

    One row for each mined one, of its label. Raises UserError when the prompt has no place for examples.
    """
    prompt = Prompt.of(run.task, run.params, "seed")
    if "examples" not in prompt.variables:
        raise UserError(f"{prompt.path} shows no `examples`: method.add: feedback needs a place for them")
    material = Material([""], contexts=contexts, seed=f"{run.params.seed}/{q + 1}")  # the labels are the mined rows'
    drawn = run.task.seed_rows(len(mined), material)
    rows = [{**seed, **row} for seed, row in zip(drawn, mined.to_dict("records"), strict=True)]
    return Plan(rows, plans.seed_requests(run, rows, sample=(q + 1) * FAR))


def copies(run: Run, mined: pd.DataFrame, contexts: pd.DataFrame, q: int) -> Plan:
    """The mined gold rows themselves, once each: the control that shows what the teacher adds to them."""
    return Plan([{**row, "parent": row["id"]} for row in mined.to_dict("records")], [])


ADD = {"extrapolations": extrapolations, "feedback": feedback, "copies": copies}
