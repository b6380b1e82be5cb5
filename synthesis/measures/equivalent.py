"""The gold equivalent: how many more gold rows would have brought what a student is better by.

Over the budgets that a user can afford, the metric grows about as the logarithm of the number of gold rows. The slope
is measured on students of shares of the gold rows; the line is laid through the one that learned them all.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

MOST = 10  # times the gold rows at hand: further the line says nothing
DRAWS = 2000


def gold_equivalent(
    budgets: pd.DataFrame, alone: np.ndarray, student: np.ndarray, rows: int, seed: int = 0
) -> dict[str, int]:
    """How many more gold rows than `rows` the student's score stands for, and its 95% interval: rows, low, high.

    budgets: the scores of students of fewer gold rows, as budgets.learn_shares has them. alone, student:
    scores on each row of test in the order of their ids, (n,), of all gold rows and of the student in question. 0
    stands for none, MOST * rows for as many or more, or where more gold rows do not help at all. The interval is a
    bootstrap over the rows of test; it takes the draws of gold rows as given.
    """
    parts = budgets.pivot(index=["rows", "draw"], columns="id", values="score")
    sizes = np.log2(np.append(parts.index.get_level_values("rows"), rows))
    scores = np.vstack([parts.to_numpy(), alone, student])
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(alone), np.full(len(alone), 1 / len(alone)), DRAWS) / len(alone)
    draws = _equivalents(sizes, weights @ scores.T, rows)
    seen = _equivalents(sizes, scores.mean(axis=1)[None], rows)[0]
    low, high = np.quantile(draws, [0.025, 0.975])
    return {"rows": round(seen), "low": round(low), "high": round(high)}


def _equivalents(sizes: np.ndarray, means: np.ndarray, rows: int) -> np.ndarray:
    """(draws,), from logarithms of sizes (k,) and means (draws, k + 1), of which the last one is the student's."""
    centred = sizes - sizes.mean()
    slopes = means[:, :-1] @ centred / (centred @ centred)
    gains = means[:, -1] - means[:, -2]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        more = rows * (np.exp2(gains / slopes) - 1)
    more = np.where(slopes > 0, more, np.inf)
    return np.where(gains > 0, np.minimum(more, MOST * rows), 0.0)
