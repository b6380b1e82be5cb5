"""Confidence intervals."""

import numpy as np


def bootstrap(scores: np.ndarray, level: float = 0.95, draws: int = 2000, seed: int = 0) -> tuple[float, float]:
    """Percentile interval of the mean over resampled rows. `scores`: one number a row, (n,). Repeatable."""
    scores = np.asarray(scores, dtype=float)
    rng = np.random.default_rng(seed)
    means = [rng.choice(scores, len(scores)).mean() for _ in range(draws)]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
