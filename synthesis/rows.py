"""Synthetic rows: asked for, verified, replaced where they are rejected, and kept with their provenance."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from itertools import takewhile

import numpy as np
import pandas as pd

from synthesis import files
from synthesis.filters import sift
from synthesis.method import lists
from synthesis.method.leaning import righted, weights
from synthesis.params import Asking
from synthesis.run import Run
from synthesis.tasks.base import Task
from synthesis.teacher import plans
from synthesis.teacher.ask import Teacher
from synthesis.teacher.plans import FAR, Plan
from synthesis.teacher.request import PROVENANCE, Answer, Request

ORIGIN = "round", "parent", "replaces", "rationales", "item"
PATIENCE = 5  # rejected rows in a row, at least, after which no more are asked for: fewer may be chance


def synthesize(run: Run, plan: Plan, q: int) -> tuple[pd.DataFrame, dict]:
    """The rows of round q, rejected ones included, and what to report about them.

    Accepted is a row that passes the teacher's checks, the verification and the filters. In the place of each other one
    a replacement is asked for, turn by turn, until as many are accepted as the plan wants, method.replacements is used
    up, or a whole turn was in vain. A warning says when too few are accepted.

    The report has `rows`, how many were asked for, `wanted` and `accepted`, counts of the verification if there was
    one, and the teacher's usage. Raises UserError when the teacher cannot be asked; what was answered by then stays in
    the response store.
    """
    writing = Writing(run, plan, q)
    return writing.finish(), writing.report


class Writing:
    """The rows of round q in the making. A wanted row is known by its place in the plan.

    teacher: who writes. others: rows of the round that there are already, whose numbers these follow.
    """

    def __init__(
        self, run: Run, plan: Plan, q: int, teacher: Teacher | None = None, others: pd.DataFrame | None = None
    ):
        self.run, self.plan, self.q, self.others = run, plan, q, others
        self.teacher = teacher or Teacher(run, f"extrapolate{q - 1}" if q else "seed")
        self.first = 0 if others is None else len(others)
        self.wanted = self.most = len(plan.rows)
        if plan.requests:  # most: rows that may be asked for
            self.most = round((1 + run.params.method.replacements) * self.wanted)
        self.rows = table(run.task, [], [], q)
        self.places: list[int] = []  # of the wanted row that each row was written for
        self.reasons: list[str] = []  # why each row is rejected, or nothing
        self.turn: list[int] = []  # the places of the last turn
        self.asked = Counter()  # how often each prompt was
        self.counts = Counter()

    @property
    def accepted(self) -> int:
        return self.reasons.count("")

    @property
    def counted(self) -> dict:
        """How many rows there are, were wanted and are accepted, and what the verification found."""
        return {"rows": len(self.rows), "wanted": self.wanted, "accepted": self.accepted, **self.counts}

    @property
    def report(self) -> dict:
        """What `synthesize` reports."""
        return {**self.counted, **self.teacher.usage}

    def finish(self) -> pd.DataFrame:
        """The rows, as `synthesize` makes them."""
        turn = list(range(self.wanted))
        while turn:
            self.ask(turn)
            turn = self.lacking()
        if self.accepted < self.wanted < self.most:
            print(f"warning: {self.shortfall()}", file=sys.stderr)
        return self.rows

    def ask(self, turn: list[int]) -> None:
        """Have a row written for each of these wanted ones, and judge all rows as `combine` will judge them.

        So by the task as it is: `self.run` has another one where unlabelled rows are annotated.
        """
        new = self.write(turn)
        self.rows = pd.concat([self.rows, new], ignore_index=True) if self.places else new
        self.places, self.turn = self.places + turn, turn
        old = files.read(self.run.paths.train(self.q - 1)) if self.q else new.head(0)
        if self.others is not None:
            old = pd.concat([old, self.others[self.others.rejected == ""]])
        self.reasons = sift(self.rows, old, self.run.gold(), self.teacher.run).rejected.tolist()

    def write(self, turn: list[int]) -> pd.DataFrame:
        """A row for each of these wanted ones, verified. After the first turn they are replacements.

        These take samples that no other row takes, and any share of them may be unusable, as the rows before them were.
        """
        task, wanted = self.run.task, [self.plan.rows[place] for place in turn]
        if not self.plan.requests:
            return table(task, wanted, [_gold(row[task.written]) for row in wanted], self.q)
        groups = {group: place for place, group in enumerate(dict.fromkeys(map(self.plan.asked, turn)))}
        requests, asking = [self.plan.requests[group] for group in groups], self.run.params.asking
        if self.places:
            requests = [replace(each, sample=self.q * FAR + self.asked[each.prompt]) for each in requests]
            asking = asking.model_copy(update={"max_rejected": None})
            wanted = [{**row, "replaces": self.rows.id[place]} for row, place in zip(wanted, turn, strict=True)]
        self.asked.update(request.prompt for request in requests)
        answers = self.ask_for(requests, [groups[self.plan.asked(place)] for place in turn], wanted, asking)
        rows = table(task, wanted, answers, self.q, first=self.first + len(self.places))
        if self.run.params.verify.teacher:
            rows, counts = verify(self.run, self.teacher, rows, files.read_json(self.run.paths.labels))
            self.counts.update(counts)
        return rows

    def ask_for(self, requests: list[Request], asks: list[int], wanted: list[dict], asking: Asking) -> list[Answer]:
        """An answer for each wanted row. asks: the place of its request, whose answer may be a list of them."""
        judge, taken, teacher = self.run.task.check, Counter(), self.run.params.teacher
        if (fewest := self.run.task.min_words) is not None:
            teacher = teacher.model_copy(update={"min_words": fewest})
        if requests[0].texts == 1:
            return self.teacher.ask(requests, check=judge, teacher=teacher, asking=asking)
        lists_, found = self.teacher.ask(requests, check=lists.check, teacher=teacher, asking=asking), []
        for place, row in zip(asks, wanted, strict=True):
            item = row.get("item", taken[place])
            found.append(lists.pick(lists_[place], item, requests[place], judge, teacher.min_words))
            taken[place] += 1
        return found

    def lacking(self) -> list[int]:
        """The wanted rows to ask for next: those without an accepted row, unless more would be in vain or too many.

        A prompt that no model has answered is left out: it would be refused again.
        """
        rejected = len(list(takewhile(bool, reversed(self.reasons))))
        if rejected >= max(PATIENCE, len(self.turn)):
            return []
        rows = zip(self.places, self.reasons, self.rows.model, strict=True)
        done = {place for place, reason, model in rows if not (reason and model)}
        room = max(0, min(self.most - len(self.rows), self.wanted - self.accepted))
        return [place for place in range(self.wanted) if place not in done][:room]

    def shortfall(self) -> str:
        """That too few rows are accepted, why, and what can be done about it."""
        reason, count = Counter(filter(None, self.reasons)).most_common(1)[0]
        more = ", or raise method.replacements" if len(self.rows) == self.most else ""
        return (
            f"{self.run.task.name} {self.teacher.stage}: {self.accepted:,} of {self.wanted:,} wanted rows are "
            f"accepted, after {len(self.rows):,} were asked for. Most frequent reason: `{reason}`, {count:,} times "
            f"(see docs/data.md). Change the prompt ({self.plan.requests[0].step}.md), the teacher or filters{more}"
        )


def table(task: Task, wanted: list[dict], answers: list[Answer], q: int, first: int = 0) -> pd.DataFrame:
    """Round q's rows, with numbers from `first` on. A row that nobody was asked for is what was wanted, as it is.

    They have the task's columns and targets, `parent` (the gold row extrapolated from), `replaces` (the first row that
    was written for the same wanted one), `rationales` and `item` (the place in the answer, where it is a list).
    """
    name = f"round{q}" if q else "seed"
    rows = [
        {
            "id": f"{name}-{i}",
            **(task.complete(row, answer.text) if answer.request else {field: row[field] for field in task.fields}),
            "round": q,
            "parent": row.get("parent", ""),
            "replaces": row.get("replaces", ""),
            "rationales": row.get("rationales", []),
            "item": answer.item,
            **answer.provenance(),
        }
        for i, (row, answer) in enumerate(zip(wanted, answers, strict=True), first)
    ]
    return pd.DataFrame(rows, columns=["id", *task.fields, *ORIGIN, *PROVENANCE])


def _gold(text: str) -> Answer:
    """A gold row's own text in the place of an answer."""
    return Answer(text, request="", sample=0, attempt=0, prompt="", model="gold")


def verify(run: Run, teacher: Teacher, rows: pd.DataFrame, labels: list[str]) -> tuple[pd.DataFrame, dict]:
    """The rows, those that the teacher judges otherwise rejected or relabelled (verify.teacher), and counts of them.

    The teacher's answer is kept as `blind`, and, when rows are relabelled, the label that was asked for as `asked`. An
    answer without a label, or with several, is a disagreement; a row whose answer cannot be used is rejected as not
    verified. Raises UserError as `Teacher.ask` does.
    """
    task, mode = run.task, run.params.verify.teacher
    if mode == "likelihood":
        return likeliest(run, teacher, rows, labels)
    written = rows[rows.rejected == ""].to_dict("records")
    answers = teacher.ask_blind(plans.verification(run, written, labels))
    rows = rows.set_index("id").assign(blind="")
    if mode == "relabel":
        rows["asked"] = rows.label
    counts = Counter(verified=0, disagreed=0, relabelled=0)
    for row, answer in zip(written, answers, strict=True):
        if answer.rejected:
            rows.at[row["id"], "rejected"] = f"not verified: {answer.rejected}"
            continue
        counts["verified"] += 1
        rows.at[row["id"], "blind"] = answer.text
        verdict = task.judge(answer.text, row, labels)
        if verdict == {target: row[target] for target in task.targets}:
            continue
        counts["disagreed"] += 1
        if mode == "relabel" and verdict:
            counts["relabelled"] += 1
            rows.at[row["id"], "label"] = verdict["label"]
        else:
            rows.at[row["id"], "rejected"] = "teacher disagrees"
    return rows.reset_index(), dict(counts)


def likeliest(run: Run, teacher: Teacher, rows: pd.DataFrame, labels: list[str]) -> tuple[pd.DataFrame, dict]:
    """The rows, those rejected whose label the teacher itself does not find the likeliest one, or whose verification
    prompt it has no room for, and counts of them.

    What it leans to whatever a row says, and how often labels were asked for, is taken into account. Its own label is
    kept as `blind`. It is asked for no answer. Raises UserError when it cannot be used.
    """
    task, left = run.task, rows.rejected == ""
    requests = plans.verification(run, rows[left].to_dict("records"), labels)
    shares = teacher.likelihoods(requests, task.words(labels))
    shares = righted(shares, weights(shares, rows.label[left].tolist(), labels))
    known, asked = np.isfinite(shares).all(axis=1), rows.index[left]
    found = pd.Series([labels[row.argmax()] for row in shares[known]], index=asked[known], dtype=object)
    wrong = found.index[found != rows.label[asked[known]]]
    rows = rows.assign(blind=found.map(task.word).reindex(rows.index, fill_value=""))
    rows.loc[wrong, "rejected"], rows.loc[asked[~known], "rejected"] = "teacher disagrees", "prompt too long"
    return rows, {"verified": len(found), "disagreed": len(wrong), "relabelled": 0}
