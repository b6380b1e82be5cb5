"""How well students did: the task's metric on each split, as metrics files tell it."""

import pandas as pd

from stages.statistics.interval import bootstrap


def marks(task, predictions: pd.DataFrame) -> dict:
    """By split: the metric's mean over gold rows and training seeds, its 95% interval, its deviation over seeds, and
    the means of the task's other metrics.

    The interval is a bootstrap over gold rows, each row's score being its mean over the seeds.
    """
    told = {}
    for split, rows in predictions.groupby("split", sort=False):
        scores = task.scores(rows)
        first, *others = scores
        low, high = bootstrap(scores[first].groupby(rows.id).mean().to_numpy())
        told[split] = {first: round(scores[first].mean(), 4), "low": round(low, 4), "high": round(high, 4)}
        if rows.seed.nunique() > 1:
            told[split]["deviation"] = round(scores[first].groupby(rows.seed).mean().std(ddof=1), 4)
        told[split] |= {other: round(scores[other].mean(), 4) for other in others}
    return told


def mean_score(task, predictions: pd.DataFrame, split: str) -> float:
    return float(task.scores(predictions[predictions.split == split])[task.metric].mean())
