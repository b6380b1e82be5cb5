"""What a teacher learns of gold rows: the repository's own prompts, and the answers that make these rows.

A gold row is an answer to the seed prompt; to the extrapolation prompt that shows another gold row of the same label or
context; and the verification prompt about it is answered by its label. So a tuned teacher is asked as any other is.
Kaddour and Liu (2023) tune a teacher on both, to generate rows and to annotate them; their prompts are not published.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pandas as pd

from synthesis import UserError
from synthesis.method import additions
from synthesis.run import Run
from synthesis.tasks.base import Task
from synthesis.teacher import plans
from synthesis.teacher.request import Request


@dataclass(frozen=True)
class Exchange:
    """A question to the teacher, and a right answer to it."""

    request: Request
    answer: str

    def messages(self, system: str | None) -> list[dict]:
        """The chat, the answer included."""
        return [*self.request.messages(system), {"role": "assistant", "content": self.answer}]


def exchanges(run: Run, rows: pd.DataFrame, labels: list[str]) -> list[Exchange]:
    """What gold rows teach, each exchange once. Answers with a stop string (teacher.stop) in them become one line.

    An answer is one row, whatever the loop asks for: no lists (method.rows_per_request) and no contrasts (method.add).

    Raises UserError when a stop string stands in all of them, so that none would ever be written whole.
    """
    method = run.params.method.model_copy(update={"add": "extrapolations", "rows_per_request": 1})
    run = replace(run, params=run.params.model_copy(update={"method": method}))
    task, gold = run.task, [{**row, "rationales": []} for row in rows.to_dict("records")]
    seeds = zip(plans.seed_requests(run, gold), map(task.texts, gold), strict=True)
    found = [Exchange(request, text) for request, texts in seeds for text in texts]
    pairs = list(_pairs(task, gold, labels, run.params.seed))
    requests = additions.extrapolation_requests(run, [shown for shown, _ in pairs])
    found += [Exchange(request, text) for request, (_, text) in zip(requests, pairs, strict=True)]
    blind = zip(plans.verification(run, gold, labels), map(task.verdicts, gold), strict=True)
    found += [Exchange(request, verdict) for request, verdicts in blind for verdict in verdicts]
    whole = [Exchange(each.request, _on_one_line(each.answer, run.params.teacher.stop)) for each in found]
    kept = {}
    for each in whole:
        if each.answer:
            kept.setdefault((each.request.prompt, each.answer), each)
    if not kept:
        raise UserError(f"teacher.stop: {run.params.teacher.stop} stands in every gold row, so no text would be whole")
    return list(kept.values())


def counts(exchanges: list[Exchange]) -> dict[str, int]:
    """How many there are of each prompt."""
    return dict(Counter(each.request.step for each in exchanges))


def _pairs(task: Task, gold: list[dict], labels: list[str], seed: int) -> Iterator[tuple[dict, str]]:
    """For each text of a gold row another row that an extrapolation prompt may show before it.

    They agree in all that the teacher does not write, and each row is shown once. It is shown with a wrong answer, as
    errors are: another label, or another row's target. A text without such a row is left out.
    """
    drawn, groups = random.Random(f"{seed}/tuning"), {}
    for row in gold:
        for text in task.texts(row):
            key = tuple(str(row[field]) for field in task.others)
            groups.setdefault(key, []).append(({**row, **task.complete(row, text)}, text))
    for members in groups.values():
        drawn.shuffle(members)
        for (shown, _), (_, text) in zip(members, [*members[1:], members[0]], strict=True):
            if len(members) > 1:
                yield {**shown, "predicted": _wrong(task, shown, gold, labels, drawn)}, text


def _wrong(task: Task, row: dict, gold: list[dict], labels: list[str], drawn: random.Random) -> str:
    """A target that is not the row's, where one is found."""
    target = task.targets[0]
    others = (other for other in drawn.sample(gold, min(8, len(gold))) if other["id"] != row["id"])
    values = labels or [other[target] for other in others]
    return drawn.choice([value for value in values if value != row[target]] or [row[target]])


def _on_one_line(text: str, stops: list[str]) -> str:
    """The text as it must be to be written whole; nothing where no white space makes it so."""
    if not any(stop in text for stop in stops):
        return text
    line = " ".join(text.split())
    return "" if any(stop in line for stop in stops) else line
