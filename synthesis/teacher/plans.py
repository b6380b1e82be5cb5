"""What the teacher will be asked before the first round: for rationales, for seed rows, and whether rows are right.

Stages ask these requests, `synthesis estimate` counts them, `synthesis lineage` renders them again. What is asked in
rounds stands in additions.py.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from synthesis import parsers
from synthesis.run import Run
from synthesis.tasks.base import Material
from synthesis.teacher.prompt import Prompt
from synthesis.teacher.request import Request

FAR = 1_000_000  # round q takes samples from q * FAR on, which no other round takes; but for those of as many an error


@dataclass(frozen=True)
class Plan:
    """Rows that are wanted, and the requests for them. Without requests the rows stand as they are.

    asks: the place of each row's request, where it is not the row's own: several rows can be written in one answer. A
    row's `item` is the place that it must have there; without one, rows take what is there in their order.
    """

    rows: list[dict]
    requests: list[Request]
    asks: list[int] | None = None

    def asked(self, row: int) -> int:
        """The place of the request for a row."""
        return row if self.asks is None else self.asks[row]


def wants_rationales(run: Run) -> bool:
    """Whether seed prompts name reasons for a label; nobody needs any where other ways lead to seed data."""
    method = run.params.method
    prompted = method.seed == "prompts" and not (method.transfer.file and method.transfer.into == "rounds")
    return method.rationales and prompted and run.task.can("rationales")


def rationales(run: Run, labels: Sequence[str], before: Sequence[str] = ()) -> list[Request]:
    """One request for each of the labels (Alg. 1, T_ration), which may repeat.

    before: the labels of the requests so far, so that each label's samples count on from there.
    """
    prompt, count = Prompt.of(run.task, run.params, "rationale"), run.params.method.rationales_per_request
    return [
        prompt.request({"label": run.task.word(label), "count": count}, sample=before.count(label)) for label in labels
    ]


def seed(
    run: Run,
    labels: list[str],
    reasons: pd.DataFrame,
    contexts: pd.DataFrame,
    gold: pd.DataFrame,
    count: int | None = None,
) -> Plan:
    """The seed rows (Alg. 1; section 2.4), task.<name>.seed_rows or another count. reasons: label and rationale.

    contexts, gold: what rows are written from, and what examples are taken from, as the stage `gold` wrote them.
    """
    material = Material(
        labels,
        reasons.groupby("label").rationale.apply(list).to_dict(),
        contexts,
        each=run.params.method.rationales_per_prompt,
        seed=run.params.seed,
        phrases=lambda text: parsers.phrases(text, run.params.template.parser),
    )
    count, each = run.settings.seed_rows if count is None else count, run.params.method.rows_per_request
    rows = with_examples(run, list(run.task.seed_rows(-(-count // each), material)), gold)
    asks = [row // each for row in range(count)]
    return Plan([rows[request] for request in asks], seed_requests(run, rows, each=each), asks)


def with_examples(run: Run, rows: list[dict], gold: pd.DataFrame, first: int = 0) -> list[dict]:
    """The seed rows, each with `examples`: method.examples gold rows of its label, drawn at random.

    None of them shares what the row's teacher is given, its premise or context: its text would be copied. Row i gets
    the same ones however many rows there are. first: the number of the first row.
    """
    task, count, pools = run.task, run.params.method.examples, {}
    if not count:
        return rows
    for example in gold.to_dict("records"):
        pools.setdefault(example.get("label"), []).append(example)
    filled = []
    for i, row in enumerate(rows, first):
        pool = pools.get(row.get("label"), ())
        others = [one for one in pool if not any(one[column] == row[column] for column in task.given)]
        drawn = random.Random(f"{run.params.seed}/examples/{i}").sample(others, min(count, len(others)))
        filled.append({**row, "examples": list(map(task.example, drawn))})
    return filled


def seed_requests(run: Run, rows: list[dict], sample: int = 0, each: int = 1) -> list[Request]:
    """The request for each seed row, or for `each` rows like it; its prompt may show the row's `examples`, if any."""
    prompt, requests = Prompt.of(run.task, run.params, "seed"), []
    for row in rows:
        examples = list(row.get("examples", ()))
        slots = run.task.seed_slots(row) | ({"examples": examples} if examples else {})
        requests.append(prompt.listed(slots, sample, each))
    return requests


def verification(run: Run, rows: list[dict], labels: list[str]) -> list[Request]:
    """A question about each synthetic row, which does not show its targets."""
    prompt = Prompt.of(run.task, run.params, "verify")
    return [prompt.request(run.task.blind_slots(row, labels)) for row in rows]
