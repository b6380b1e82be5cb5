"""What the teacher is shown after a round: the functions that method.mine names. Each returns the mined rows."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pandas as pd

from synthesis.run import Run

POOL = 50  # ProGen: most helpful rows of each label
EXAMPLES = 8  # in a prompt
SHARE = 0.5  # of the prompts that have examples


@dataclass(frozen=True)
class Findings:
    """What a round has shown. predictions: those of its first student for the validation rows, which are `gold`.

    train: the rows that it has learned. influence: how much each of them helped, where that was asked for.
    """

    q: int
    predictions: pd.DataFrame
    gold: pd.DataFrame
    train: pd.DataFrame
    influence: pd.DataFrame
    labels: list[str]


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


def nothing(run: Run, findings: Findings) -> pd.DataFrame:
    """No row: seed data only, as in ZeroGen (Ye et al., 2022). The loop ends before it begins."""
    return errors(run, findings).head(0)


def _count(run: Run, findings: Findings) -> int:
    """How many rows are mined where these are not the errors: what method.mined says, else as many as there are."""
    mined = run.params.method.mined
    return mined[findings.q] if mined else int(run.task.wrong(findings.predictions, run.params.method).sum())


MINE = {"errors": errors, "gold": gold, "helpful": helpful, "nothing": nothing}
