"""What the teacher is shown after a round: the functions that method.mine names. Each returns the mined rows."""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd

from synthesis.run import Run

POOL = 50  # ProGen: most helpful rows of each label
EXAMPLES = 8  # in a prompt
SHARE = 0.5  # of the prompts that have examples


@dataclass(frozen=True)
class Findings:
    """What a round has shown. predictions: those of its first student for the validation rows, which are `gold`.

    train: the rows that it has learned. influence: how much each of them helped, where that was asked for.
    history: such predictions of the rounds before, with their `round`.
    """

    q: int
    predictions: pd.DataFrame
    gold: pd.DataFrame
    train: pd.DataFrame
    influence: pd.DataFrame
    labels: list[str]
    history: pd.DataFrame


def mine(run: Run, findings: Findings) -> pd.DataFrame:
    """The rows that the teacher is shown after a round."""
    return MINE[run.params.method.mine](run, findings)


def errors(run: Run, findings: Findings) -> pd.DataFrame:
    """The validation rows that the student gets wrong (Alg. 2, line 6), with its prediction and how sure it was.

    The worst come first, where scores differ among them.
    """
    task, predictions = run.task, findings.predictions
    wrong = predictions[task.wrong(predictions, run.params.method)]
    order = task.scores(wrong)[task.metric].argsort(kind="stable")
    return task.details(wrong.iloc[order]).merge(findings.gold, validate="1:1")


def gold(run: Run, findings: Findings) -> pd.DataFrame:
    """GoldGen: validation rows at random, whether the student gets them right or wrong."""
    rows = run.task.details(findings.predictions).merge(findings.gold, validate="1:1")
    seed = run.params.seed + findings.q
    return rows.sample(min(_count(run, findings), len(rows)), random_state=seed).sort_index()


def helpful(run: Run, findings: Findings) -> pd.DataFrame:
    """ProGen's feedback (Ye et al., 2022): synthetic rows that help the student most become examples in the prompt.

    Each mined row is a label, in turn, and `examples`: texts of that label, or none. What helps is judged on gold
    validation rows, which S3 sees as well; the published method, which has no gold, judges on synthetic ones.
    """
    helped = findings.influence.query("influence > 0")
    rows = findings.train.merge(helped, on="id", validate="1:1")
    best = rows.sort_values(["influence", "id"], ascending=[False, True]).groupby("label").head(POOL)
    pools = best.groupby("label")[run.task.written].apply(list).to_dict()
    mined = []
    for i in range(_count(run, findings)):
        label = findings.labels[i % len(findings.labels)]
        pool, rng = pools.get(label, []), random.Random(f"{run.params.seed}/feedback/{findings.q}/{i}")
        examples = rng.sample(pool, min(EXAMPLES, len(pool))) if rng.random() < SHARE else []
        mined.append({"label": label, "examples": examples})
    return pd.DataFrame(mined, columns=["label", "examples"])


def loss(run: Run, findings: Findings) -> pd.DataFrame:
    """The validation rows on which the student's loss is highest, which are not all errors (2512.00884).

    As many as method.mined says, or as there are errors. What the other gold rows contradict with confidence is likely
    to be mislabelled and is left out: its loss would be the highest of all, and the teacher would write more like it.
    (`measures.errors.suspects` asks students of synthetic rows instead, which share the teacher's mistakes.)
    """
    rows = run.task.details(findings.predictions).assign(loss=run.task.losses(findings.predictions))
    rows = rows.merge(findings.gold, validate="1:1")
    if run.task.can("labels"):
        from synthesis.students.cross_fit import GoldProbe  # late: most runs mine errors, and it needs scikit-learn

        doubtful = GoldProbe(run.task, rows, run.student).contradicted(rows)
        if doubtful.any():
            print(f"{doubtful.sum()} validation rows may be mislabelled and are not mined", file=sys.stderr)
        rows = rows[~doubtful]
    return rows.sort_values("loss", ascending=False, kind="stable").head(_count(run, findings))


def clusters(run: Run, findings: Findings) -> pd.DataFrame:
    """The errors, each with its `cluster`, and as `share` how much more rows like it are worth than others'.

    The clusters are those of round 0's errors. A row's share is its cluster's gain, so that a cluster gets rows in
    proportion to the errors of it that another such round would mend; in round 0, to all of its errors. One whose last
    additions hurt the rest gets none: if all do, the loop is over. For tasks with labels.
    """
    from synthesis.method.clusters import (  # late: most runs mine errors, and it needs scikit-learn
        gains,
        harmful,
        place,
    )

    task, gold, q = run.task, findings.gold, findings.q
    rows = errors(run, findings)
    if rows.empty:
        return rows.assign(cluster=[], share=[])

    def wrong(round_: int) -> np.ndarray:
        asked = findings.predictions if round_ == q else findings.history.query("round == @round_")
        return gold.id.isin(asked.id[task.wrong(asked, run.params.method)]).to_numpy()

    first = wrong(0) if wrong(0).any() else wrong(q)
    found = pd.DataFrame({"id": gold.id, "cluster": place(task, gold, first, run.student), "share": 1.0})
    if q:
        found["share"] = gains(found.cluster.to_numpy(), wrong(q - 1), wrong(q))
        hurt = harmful(task, gold, found.cluster.to_numpy(), findings.train, q, run.student)
        if hurt:
            print(f"additions to {len(hurt)} of {found.cluster.nunique()} clusters hurt the rest", file=sys.stderr)
        found = found[~found.cluster.isin(hurt)]
    return rows.merge(found, validate="1:1")


def nothing(run: Run, findings: Findings) -> pd.DataFrame:
    """No row: seed data only, as in ZeroGen (Ye et al., 2022). The loop ends before it begins."""
    return errors(run, findings).head(0)


def _count(run: Run, findings: Findings) -> int:
    """How many rows are mined where these are not the errors: what method.mined says, else as many as there are."""
    mined = run.params.method.mined
    return mined[findings.q] if mined else int(run.task.wrong(findings.predictions, run.params.method).sum())


MINE = {"errors": errors, "gold": gold, "loss": loss, "clusters": clusters, "helpful": helpful, "nothing": nothing}
