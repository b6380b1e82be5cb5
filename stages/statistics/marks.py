"""How well students did: the task's metric on each split, as metrics files tell it."""

import pandas as pd

from stages.statistics.interval import bootstrap


def marks(task, predictions: pd.DataFrame) -> dict:
    """By split: the metric's mean over gold rows and training seeds, its 95% interval, its deviation over seeds.

    The interval is a bootstrap over gold rows, each row's score being its mean over the seeds.
    """
    told = {}
    for split, rows in predictions.groupby("split", sort=False):
        scored = rows.assign(score=task.scores(rows))
        low, high = bootstrap(scored.groupby("id").score.mean().to_numpy())
        told[split] = {task.metric: round(scored.score.mean(), 4), "low": round(low, 4), "high": round(high, 4)}
        if scored.seed.nunique() > 1:
            told[split]["deviation"] = round(scored.groupby("seed").score.mean().std(ddof=1), 4)
    return told


def mean_score(task, predictions: pd.DataFrame, split: str) -> float:
    return float(task.scores(predictions[predictions.split == split]).mean())
