"""What is made of mined rows: the functions that method.add names. Each returns the plan of a round's new rows."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from heapq import heapify, heapreplace

import pandas as pd

from synthesis import UserError, files
from synthesis.params import Method
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
    """Rows like each mined one, with its own label (Alg. 2, lines 8 to 10; Alg. 3)."""
    texts = per_request(run.params.method)
    return like_each(run, mined, q, lambda error: [error] * texts)


def contrasts(run: Run, mined: pd.DataFrame, contexts: pd.DataFrame, q: int) -> Plan:
    """Two rows like each mined one: one with its label, and one with that which the student took it for.

    One prompt asks for both, so that they differ in what the student mistakes (after EvoKD, 2403.06414). For tasks
    with labels.
    """
    return like_each(
        run, mined, q, lambda error: [{**error, "item": 0}, {**error, "label": rival(run, error), "item": 1}]
    )


def like_each(run: Run, mined: pd.DataFrame, q: int, answer: Callable[[dict], list[dict]]) -> Plan:
    """Rows like each mined one. answer: the rows of one answer to the request about one of them.

    As many for each as method.extrapolations_per_error says (of contrasts, pairs); or method.additional_rows, shared
    over the mined rows, evenly or as their `share` says.
    """
    method, errors = run.params.method, [{**error, "parent": error["id"]} for error in mined.to_dict("records")]
    count, texts = method.additional(q), per_request(method)
    each = method.extrapolations_per_error * (2 if method.add == "contrasts" else 1)
    # An error that persists is asked about again, and must not get the answer of the round before.
    if count is None and "share" not in mined:
        sample = q * method.extrapolations_per_error
        asked = [(place, min(texts, each - start)) for place in range(len(errors)) for start in range(0, each, texts)]
    else:
        sample, count = (q + 1) * FAR, each * len(errors) if count is None else count
        shares = mined["share"].tolist() if "share" in mined else [1.0] * len(errors)
        order = turns(shares, -(-count // texts))
        asked = [(place, min(texts, count - texts * turn)) for turn, place in enumerate(order)]
    rows = [row for place, size in asked for row in answer(errors[place])[:size]]
    asks = [request for request, (_, size) in enumerate(asked) for _ in range(size)]
    return Plan(rows, extrapolation_requests(run, [errors[place] for place, _ in asked], sample), asks)


def per_request(method: Method) -> int:
    """How many rows like an error are asked for at once."""
    if method.add == "contrasts":
        return 2
    if method.additional_rows is not None:
        return method.rows_per_request
    return min(method.rows_per_request, method.extrapolations_per_error)


def extrapolation_requests(run: Run, errors: list[dict], sample: int = 0) -> list[Request]:
    """The request for rows like each of these. sample: the number of the first answer that is wanted."""
    task, texts = run.task, per_request(run.params.method)
    if run.params.method.add == "contrasts":
        prompt = Prompt.of(task, run.params, "contrast")
        errors = [{**error, "predicted": rival(run, error)} for error in errors]
        return [prompt.request(task.error_slots(error), sample, texts) for error in errors]
    prompt = Prompt.of(task, run.params, "extrapolate")
    return [prompt.listed(task.error_slots(error), sample, texts) for error in errors]


def rival(run: Run, error: dict) -> str:
    """The label that the student took a row for; if it is right, any other one."""
    if error["predicted"] != error["label"]:
        return error["predicted"]
    others = [label for label in files.read_json(run.paths.labels) if label != error["label"]]
    return random.Random(f"{run.params.seed}/contrast/{error['id']}").choice(others)


def turns(shares: Sequence[float], count: int) -> list[int]:
    """The places whose turn it is, `count` times, as evenly as `shares` allow (Sainte-Laguë); no places have no turns.

    Equal shares take turns in their order. More turns begin with the same ones.
    """
    order, waiting = [], [(0.5 / share, place) for place, share in enumerate(shares)]
    heapify(waiting)
    given = [0] * len(shares)
    for _ in range(count if waiting else 0):
        place = waiting[0][1]
        order.append(place)
        given[place] += 1
        heapreplace(waiting, ((given[place] + 0.5) / shares[place], place))
    return order


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


ADD = {"extrapolations": extrapolations, "contrasts": contrasts, "feedback": feedback, "copies": copies}
