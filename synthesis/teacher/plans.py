"""What the teacher will be asked before the first round: for rationales, for seed rows, and whether rows are right.

Stages ask these requests, `synthesis estimate` counts them, `synthesis lineage` renders them again. What is asked in
rounds stands in additions.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from synthesis import parsers
from synthesis.run import Run
from synthesis.tasks.base import Material
from synthesis.teacher.prompt import Prompt
from synthesis.teacher.request import Request


@dataclass(frozen=True)
class Plan:
    """Rows that are wanted, and the request for each of them. Without requests the rows stand as they are."""

    rows: list[dict]
    requests: list[Request]


def wants_rationales(run: Run) -> bool:
    """Whether seed prompts name reasons for a label."""
    return run.params.method.rationales and run.task.can("rationales")


def rationales(run: Run, labels: Sequence[str], before: Sequence[str] = ()) -> list[Request]:
    """One request for each of the labels (Alg. 1, T_ration), which may repeat.

    before: the labels of the requests so far, so that each label's samples count on from there.
    """
    prompt, count = Prompt.of(run.task, run.params, "rationale"), run.params.method.rationales_per_request
    return [
        prompt.request({"label": run.task.word(label), "count": count}, sample=before.count(label)) for label in labels
    ]


def seed(run: Run, labels: list[str], reasons: pd.DataFrame, contexts: pd.DataFrame) -> Plan:
    """The seed rows (Alg. 1; section 2.4). reasons: label and rationale. contexts: as the stage `gold` wrote them."""
    material = Material(
        labels,
        reasons.groupby("label").rationale.apply(list).to_dict(),
        contexts,
        each=run.params.method.rationales_per_prompt,
        seed=run.params.seed,
        phrases=lambda text: parsers.phrases(text, run.params.template.parser),
    )
    rows = list(run.task.seed_rows(run.settings.seed_rows, material))
    return Plan(rows, seed_requests(run, rows))


def seed_requests(run: Run, rows: list[dict]) -> list[Request]:
    """The request for each seed row."""
    prompt = Prompt.of(run.task, run.params, "seed")
    return [prompt.request(run.task.seed_slots(row)) for row in rows]


def verification(run: Run, rows: list[dict], labels: list[str]) -> list[Request]:
    """A question about each synthetic row, which does not show its targets."""
    prompt = Prompt.of(run.task, run.params, "verify")
    return [prompt.request(run.task.blind_slots(row, labels)) for row in rows]
