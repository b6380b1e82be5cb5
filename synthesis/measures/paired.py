"""Whether two arms differ on the same test rows, and how much arms differ that are alike.

Scores of an arm are an array (rows, seeds): one number for each test row and training seed. Two arms are compared row
by row, so what is hard for both cancels out. The tests account for the choice of test rows, and take training seeds as
given: a small p value says that *these* students differ, and not yet that the methods do.
"""

import numpy as np
import pandas as pd

from synthesis.measures.scores import resampled_means
from synthesis.tasks.base import Task


def scores(task: Task, predictions: pd.DataFrame) -> np.ndarray:
    """The task's metric on each predicted row, (rows in the order of their ids, seeds)."""
    places = pd.MultiIndex.from_frame(predictions[["id", "seed"]])
    return task.scores(predictions)[task.metric].set_axis(places).unstack().to_numpy()


def p_value(task: Task, one: np.ndarray, other: np.ndarray) -> float:
    """Two-sided p value of equal students, by the test that the task names."""
    return TESTS[task.paired_test](one, other)


def sign_flip(one: np.ndarray, other: np.ndarray) -> float:
    """Exact two-sided p value of equal accuracy. Scores are 0 or 1; the arms may have different numbers of seeds.

    If the arms were equal, each row's difference of means over seeds could as well have the opposite sign. The sum over
    all 2^n signs is enumerated: differences are whole multiples of one unit, the rows with one magnitude add up to a
    binomial variable, and those of all magnitudes to their convolution. With one seed only the discordant rows
    differ, all by one unit, and this is the exact test of McNemar.
    """
    units = np.rint(one.sum(axis=1) * other.shape[1] - other.sum(axis=1) * one.shape[1]).astype(int)
    units //= max(np.gcd.reduce(units), 1)
    sizes, counts = np.unique(np.abs(units[units != 0]), return_counts=True)
    chances = np.ones(1)  # of each sum of the magnitudes whose sign is plus
    for size, count in zip(sizes, counts, strict=True):
        binomial = np.zeros(size * count + 1)
        binomial[::size] = _halves(count)
        chances = np.convolve(chances, binomial)
    sums = 2 * np.arange(len(chances)) - (len(chances) - 1)
    return min(float(chances[np.abs(sums) >= abs(units.sum())].sum()), 1.0)


def _halves(count: int) -> np.ndarray:
    """The chance of each number of heads, 0 to `count`, in so many tosses of a coin: (count + 1,)."""
    heads = np.arange(1, count + 1)
    ratios = (count - heads + 1) / heads  # of each chance to the one before
    return np.exp(np.append(0, np.log(ratios).cumsum()) - count * np.log(2))


def bootstrap(one: np.ndarray, other: np.ndarray, draws: int = 10_000, seed: int = 0) -> float:
    """Two-sided p value of equal means of any scores, by resampling rows. Repeatable.

    How often the mean of resampled differences is as far from the mean of all as that is from 0; with one added to both
    counts, so that it is never 0.
    """
    differences = one.mean(axis=1) - other.mean(axis=1)
    seen = differences.mean()
    strays = resampled_means(differences, draws, seed) - seen
    return float(1 + (np.abs(strays) >= abs(seen) - 1e-12).sum()) / (draws + 1)


TESTS = {"sign_flip": sign_flip, "bootstrap": bootstrap}  # by the name that a task gives them


def holm(values: list[float]) -> list[float]:
    """p values corrected for being several (Holm, 1979): each times how many are not smaller, and at least the last."""
    order = np.argsort(values, kind="stable")
    raised = np.asarray(values, dtype=float)[order] * np.arange(len(values), 0, -1)
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(np.maximum.accumulate(raised), 1)
    return corrected.tolist()


def spread_by_rows(scores: np.ndarray) -> float:
    """The standard deviation over arms that test rows alone bring about. `scores`: (rows, arms), at least two arms.

    If the arms were alike, a row's scores could as well be permuted among them, and the expected variance of the arms'
    means is the mean variance within rows, over the number of rows.
    """
    return float(np.sqrt(scores.var(axis=1, ddof=1).mean() / len(scores)))


def spread_by_seeds(arms: list[np.ndarray]) -> float | None:
    """The standard deviation over arms that training seeds alone bring about, from scores (rows, seeds) of each.

    None when an arm has one seed, which says nothing about the spread.
    """
    if min(scores.shape[1] for scores in arms) == 1:
        return None
    return float(np.sqrt(np.mean([scores.mean(axis=0).var(ddof=1) / scores.shape[1] for scores in arms])))


def p_alike(scores: np.ndarray) -> float:
    """p value of arms that are all alike. `scores`: (rows, arms), at least two arms.

    Cochran's Q (1950) for scores of 0 and 1; for others the same statistic, the observed variance over arms against the
    one that `spread_by_rows` expects. Chi-squared, so good for a few dozen rows on which the arms differ and more.
    """
    from scipy.special import chdtrc  # late: seldom needed; scipy.stats has it too, and takes most of a second to load

    expected, freedom = spread_by_rows(scores), scores.shape[1] - 1
    if expected == 0:
        return 1.0
    return float(chdtrc(freedom, freedom * scores.mean(axis=0).var(ddof=1) / expected**2))
