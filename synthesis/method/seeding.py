"""Where seed data come from: what method.seed names. Kaddour and Liu (2023) let a tuned teacher generate and annotate.

Annotated are rows of the pool: source rows beyond the budget, whose targets the stage `gold` has left out, or rows of
the user's own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from synthesis import UserError, files
from synthesis.method.leaning import righted, weights
from synthesis.rows import Writing, table
from synthesis.run import Run
from synthesis.teacher import plans
from synthesis.teacher.ask import Teacher, model, sees_probabilities
from synthesis.teacher.plans import Plan
from synthesis.teacher.request import Answer, sha256


@dataclass(frozen=True)
class Sources:
    """What seed rows can be made of, as the stages before have written it."""

    labels: list[str]
    rationales: pd.DataFrame
    contexts: pd.DataFrame
    gold: pd.DataFrame
    pool: pd.DataFrame

    @classmethod
    def of(cls, run: Run) -> Sources:
        paths = run.paths
        tables = map(files.read, (paths.rationales, paths.contexts, paths.gold("validation"), paths.pool))
        return cls(files.read_json(paths.labels), *tables)


def write(run: Run, sources: Sources) -> tuple[pd.DataFrame, dict]:
    """The seed rows, and what to report about them, both as `synthesize` has them. Raises UserError as it does.

    Where several ways are combined, each has its share of the rows. Raises UserError, before anything is asked, when
    rows are to be annotated and there are none.
    """
    teacher, ways = Teacher(run, "seed"), SEED[run.params.method.seed]
    if annotated in ways and sources.pool.empty:
        raise UserError(
            f"method.seed: {run.params.method.seed} needs unlabelled rows, and task `{run.task.name}` has none: lower "
            f"its budget, so that {run.settings.gold.source} has rows beyond it, or set task.{run.task.name}.pool"
        )
    rows, report = None, {}
    for place, way in enumerate(ways):
        count = run.settings.seed_rows * (place + 1) // len(ways) - run.settings.seed_rows * place // len(ways)
        writing = way(run, sources, count, teacher, rows)
        new = writing.finish()
        rows = new if rows is None else pd.concat([rows, new], ignore_index=True)
        report = {name: report.get(name, 0) + number for name, number in writing.counted.items()}
    return rows, {**report, **teacher.usage}


def prompted(run: Run, sources: Sources, count: int, *others) -> Writing:
    """Rows that the prompts ask for (Alg. 1; section 2.4)."""
    plan = plans.seed(run, sources.labels, sources.rationales, sources.contexts, sources.gold, count)
    return Writing(run, plan, 0, *others)


def generated(run: Run, sources: Sources, count: int, *others) -> Writing:
    """Rows that the tuned teacher writes, by the prompts that it was tuned on: one by one, without rationales and
    examples."""
    run = plain(run)
    plan = plans.seed(run, sources.labels, sources.rationales.head(0), sources.contexts, sources.gold, count)
    return Writing(run, plan, 0, *others)


def annotated(run: Run, sources: Sources, count: int, *others) -> Writing:
    """Rows of the pool with what the teacher says of them: the likeliest label, or a text."""
    run, pool = replace(plain(run), task=run.task.annotator), sources.pool
    if run.task.annotating == "seed":
        return Writing(run, plans.seed(run, sources.labels, sources.rationales, pool, sources.gold, count), 0, *others)
    most = len(pool)
    if most < count:
        print(
            f"warning: {run.task.name} seed: {count:,} unlabelled rows are to be annotated, and there are {most:,}: "
            f"lower the budget, or give task.{run.task.name}.pool more",
            file=sys.stderr,
        )
    if sources.labels:
        most = min(most, round((1 + run.params.method.replacements) * count))
    rows = pool.head(most if sources.labels else count).to_dict("records")
    plan = Plan(rows, plans.verification(run, rows, sources.labels))
    if not sources.labels:
        return Writing(run, plan, 0, *others)
    return Labelling(run, plan, count, sources.labels, sources.gold.label.tolist(), *others)


SEED: dict[str, list[Callable[..., Writing]]] = {
    "prompts": [prompted],
    "generate": [generated],
    "annotate": [annotated],
    "both": [generated, annotated],
}


def plain(run: Run) -> Run:
    """The run without rationales and examples in its seed prompts, each of which asks for one row."""
    method = run.params.method.model_copy(update={"rationales": False, "examples": 0, "rows_per_request": 1})
    return replace(run, params=run.params.model_copy(update={"method": method}))


class Labelling(Writing):
    """Rows of a pool in the making, each with the likeliest label, and its probability as `confidence`.

    The label is the likeliest answer to the verification prompt, of all labels' words, once what the teacher leans to
    by itself is taken away: of that the rows of the first turn tell, and of the labels' frequency gold rows. Where the
    provider sees no probabilities the teacher answers freely, and nothing is known of its confidence. In the place of a
    row that is rejected another one of the pool is taken: the plan has all of these, and `count` are wanted.
    """

    def __init__(self, run: Run, plan: Plan, count: int, labels: list[str], gold: list[str], *others):
        super().__init__(run, plan, 0, *others)
        self.gold, self.weights = gold, None
        self.labels, self.wanted, self.most = labels, min(count, len(plan.rows)), len(plan.rows)

    def write(self, turn: list[int]) -> pd.DataFrame:
        """A labelled row for each of these places of the pool."""
        task, rows = self.run.task, [self.plan.rows[place] for place in turn]
        requests, first = [self.plan.requests[place] for place in turn], self.first + len(self.places)
        if not sees_probabilities(self.run):
            answers = self.teacher.ask_blind(requests)
            judged = [task.judge(answer.text, row, self.labels) for answer, row in zip(answers, rows, strict=True)]
            labels = [verdict["label"] if verdict else self.labels[0] for verdict in judged]
            answers = [
                replace(answer, text=row[task.written], rejected=answer.rejected or (None if verdict else "no label"))
                for answer, row, verdict in zip(answers, rows, judged, strict=True)
            ]
            confidence = np.full(len(rows), np.nan)
        else:
            shares = self.teacher.likelihoods(requests, task.words(self.labels))
            self.weights = weights(shares, self.gold, self.labels) if self.weights is None else self.weights
            shares = righted(shares, self.weights)
            labels, confidence = [self.labels[row.argmax()] for row in shares], shares.max(axis=1)
            too_long = [None if known else "prompt too long" for known in np.isfinite(confidence)]
            answers = [
                Answer(row[task.written], "", 0, 0, sha256(request.prompt), model(self.run), reason)
                for row, request, reason in zip(rows, requests, too_long, strict=True)
            ]
        wanted = [{**row, "label": label} for row, label in zip(rows, labels, strict=True)]
        return table(task, wanted, answers, 0, first).assign(confidence=confidence.round(4))

    def lacking(self) -> list[int]:
        """The next rows of the pool, as many as are still wanted; none when a whole turn was in vain."""
        if not any(reason == "" for reason in self.reasons[-len(self.turn) :]):
            return []
        done = len(self.places)
        return list(range(done, min(self.most, done + self.wanted - self.accepted)))
