"""How well students did: the task's metric on each split, with its interval."""

import numpy as np
import pandas as pd

from synthesis.tasks.base import Task

AT_ONCE = 100  # draws of rows that are in memory together


def score_splits(task: Task, predictions: pd.DataFrame) -> dict:
    """By split: the metric's mean over gold rows and training seeds, its 95% interval, its deviation over seeds, the
    means of the task's other metrics, and under `corpus` the scores that are no means over rows, if the task has any.

    The interval is a bootstrap over gold rows, each row's score being its mean over the seeds.
    """
    metrics = {}
    for split, rows in predictions.groupby("split", sort=False):
        scores = task.scores(rows)
        first, *others = scores
        low, high = bootstrap(scores[first].groupby(rows.id).mean().to_numpy())
        metrics[split] = {first: round(scores[first].mean(), 4), "low": round(low, 4), "high": round(high, 4)}
        if rows.seed.nunique() > 1:
            metrics[split]["deviation"] = round(scores[first].groupby(rows.seed).mean().std(ddof=1), 4)
        metrics[split] |= {other: round(scores[other].mean(), 4) for other in others}
        if corpus := _corpus_scores(task, rows):
            metrics[split]["corpus"] = corpus
    return metrics


def _corpus_scores(task: Task, rows: pd.DataFrame) -> dict:
    """The task's corpus scores on one split, each number the mean over training seeds."""
    first, *others = [task.corpus_scores(part) for _, part in rows.groupby("seed")]
    return {
        name: {key: _mean([each[name][key] for each in (first, *others)]) for key in score}
        for name, score in first.items()
    }


def _mean(values: list):
    """The mean of numbers; of texts, which are all the same, the first."""
    return values[0] if isinstance(values[0], str) else round(float(np.mean(values)), 4)


def mean_score(task: Task, predictions: pd.DataFrame, split: str) -> float:
    """The task's metric on one split, over gold rows and training seeds."""
    return float(task.scores(predictions[predictions.split == split])[task.metric].mean())


def mined_predictions(predictions: pd.DataFrame) -> pd.DataFrame:
    """The predictions of which errors are mined: those for validation, of the first training seed's student."""
    return predictions[(predictions.split == "validation") & (predictions.seed == 0)]


def bootstrap(scores: np.ndarray, level: float = 0.95, draws: int = 2000, seed: int = 0) -> tuple[float, float]:
    """Percentile interval of the mean over resampled rows. `scores`: one number a row, (n,). Repeatable."""
    means = resampled_means(np.asarray(scores, dtype=float), draws, seed)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def resampled_means(values: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """The means, (draws,), of as many rows as there are, drawn with replacement. `values`: one number a row, (n,)."""
    rng = np.random.default_rng(seed)
    sizes = np.diff([*range(0, draws, AT_ONCE), draws])
    return np.concatenate([rng.choice(values, (size, len(values))).mean(axis=1) for size in sizes])
