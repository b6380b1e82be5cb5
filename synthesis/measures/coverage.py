"""Coverage: how much of gold the synthetic texts reach, and how varied they are (appendix C, Figure 3, Table 8).

Sets of texts are points: encodings, or places on a map. Distances are Euclidean, and every measure is free of scale and
of order. Time and memory grow with the product of two sets' sizes: these are for samples.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from synthesis import UserError
from synthesis.tasks.checks import words

GAMMAS = [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0]
NEIGHBOURS = 3  # k of a manifold, that of Kynkäänniemi et al.
COMPONENTS = 30  # principal ones, of which the map is made
EPSILON = 1e-8  # sets equal distances apart and leaves the order of all others


def sample(sets: dict[str, pd.DataFrame], column: str, most: int, seed: int) -> dict[str, pd.DataFrame]:
    """As many rows of each set, uniformly, at most `most`; no text twice. Raises UserError when there are too few."""
    sets = {name: rows.drop_duplicates(column) for name, rows in sets.items()}
    size = min(most, *map(len, sets.values()))
    if size <= NEIGHBOURS:
        fewest = min(sets, key=lambda name: len(sets[name]))
        raise UserError(
            f"coverage compares at least {NEIGHBOURS + 1} different texts of each set, and the {fewest} data have "
            f"{len(sets[fewest])}: look at what was rejected, or raise gold.budget"
        )
    return {name: rows.sample(size, random_state=seed) for name, rows in sets.items()}


def numbers(vectors: dict[str, np.ndarray], texts: dict[str, list[str]]) -> dict:
    """Of each set: its precision and recall, the share of gold's words that it has, and distinct-1, 2 and 3.

    vectors, texts: by set, `gold` among them. Words are counted in equally much text of each set.
    """
    metrics = {"rows": len(texts["gold"]), "neighbours": NEIGHBOURS}
    runs = {n: {name: grams(part, n) for name, part in texts.items()} for n in (1, 2, 3)}
    limits = {n: min(map(len, by_set.values())) for n, by_set in runs.items()}
    vocabulary = {name: set(part[: limits[1]]) for name, part in runs[1].items()}
    for name in texts:
        values = {}
        if name != "gold":
            values["precision"], values["recall"] = precision_recall(vectors["gold"], vectors[name], NEIGHBOURS)
            values["vocabulary"] = len(vocabulary[name] & vocabulary["gold"]) / max(1, len(vocabulary["gold"]))
        values |= {f"distinct_{n}": distinct(by_set[name], limits[n]) for n, by_set in runs.items()}
        metrics[name] = {key: round(float(value), 4) for key, value in values.items()}
    return metrics


# Points


def to_nearest(points: np.ndarray, others: np.ndarray | None = None, k: int = 1) -> np.ndarray:
    """Each point's distance to the k-th nearest of `others`, or, without them, of the points but itself. (points,)"""
    distances = cdist(points, points if others is None else others)
    if others is None:
        np.fill_diagonal(distances, np.inf)
    return np.sort(distances, axis=1)[:, k - 1]


def spacing(points: np.ndarray) -> float:
    """The median distance to the nearest neighbour: the length that a radius is a multiple of."""
    return float(np.median(to_nearest(points)))


def share_within(points: np.ndarray, others: np.ndarray, k: int) -> float:
    """The share of points in the manifold of `others`: within one's ball, which ends at its k-th neighbour."""
    return float((cdist(points, others) <= to_nearest(others, k=k)).any(axis=1).mean())


def precision_recall(real: np.ndarray, made: np.ndarray, k: int) -> tuple[float, float]:
    """Improved precision and recall (Kynkäänniemi et al., 2019): how much of what was made lies in the manifold of what
    is real, and how much of what is real lies in that of what was made. Each set needs more than k points."""
    return share_within(made, real, k), share_within(real, made, k)


# The map


def tsne(vectors: np.ndarray) -> np.ndarray:
    """The places of encodings on a map, (points, 2).

    t-SNE makes another map of a change in the last bit, so it is given what processors do not differ in: principal
    components that are rounded, to what a batch of other texts, which pads and sums in another order, does not reach;
    distances that are summed without BLAS, and of which no two are equal; and where the points start.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # sums of several threads come in any order
        size = min(COMPONENTS, *vectors.shape)
        components = PCA(size, svd_solver="full").fit_transform(vectors.astype(float)).round(2)
        distances = cdist(components, components).round(4) + EPSILON * np.arange(len(components))
        start = (components[:, :2] / components[:, 0].std() * 1e-4).round(8)  # scaled as scikit-learn's own start is
        perplexity = min(30, (len(vectors) - 1) / 3)
        map_ = TSNE(perplexity=perplexity, metric="precomputed", init=start.astype(np.float32))
        return map_.fit_transform(distances)


def sweep(maps: dict[str, np.ndarray]) -> pd.DataFrame:
    """The share of gold points that are covered on the map: gamma, set, covered.

    A gold point is covered by a set when one of its points lies within gamma. The map has no scale of its own: gamma
    counts in median distances of gold points to their nearest neighbours. Gold itself, each point by the others, is
    what as many more gold rows would reach.
    """
    gold = maps["gold"]
    unit = spacing(gold)
    distances = {name: to_nearest(gold, None if name == "gold" else places) for name, places in maps.items()}
    shares = [
        (gamma, name, (nearest <= gamma * unit).mean()) for name, nearest in distances.items() for gamma in GAMMAS
    ]
    return pd.DataFrame(shares, columns=["gamma", "set", "covered"]).round(4)


# Texts


def grams(texts: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """The runs of n words of all texts, in their order; none spans two texts."""
    return [tuple(run[at : at + n]) for run in map(words, texts) for at in range(len(run) - n + 1)]


def distinct(runs: Sequence[tuple], limit: int) -> float:
    """Distinct-n (Li et al., 2016) of the first `limit` runs: the share of different ones; 0 when there are none.

    It falls with the amount of text, so sets are only to be compared at the same limit.
    """
    counted = runs[:limit]
    return len(set(counted)) / len(counted) if counted else 0.0
