"""How well one set of points covers another. Distances are Euclidean; every measure is free of scale and of order.

Time and memory grow with the product of the two sets' sizes: these are for samples.
"""

import numpy as np
from scipy.spatial.distance import cdist


def to_nearest(points: np.ndarray, others: np.ndarray | None = None, k: int = 1) -> np.ndarray:
    """Each point's distance to the k-th nearest of `others`, or, without them, of the points but itself. (points,)"""
    distances = cdist(points, points if others is None else others)
    if others is None:
        np.fill_diagonal(distances, np.inf)
    return np.sort(distances, axis=1)[:, k - 1]


def spacing(points: np.ndarray) -> float:
    """The median distance to the nearest neighbour: the length that a radius is a multiple of."""
    return float(np.median(to_nearest(points)))


def within(points: np.ndarray, others: np.ndarray, k: int) -> float:
    """The share of points in the manifold of `others`: within one's ball, which ends at its k-th neighbour."""
    return float((cdist(points, others) <= to_nearest(others, k=k)).any(axis=1).mean())


def precision_recall(real: np.ndarray, made: np.ndarray, k: int) -> tuple[float, float]:
    """Improved precision and recall (Kynkäänniemi et al., 2019): how much of what was made lies in the manifold of what
    is real, and how much of what is real lies in that of what was made. Each set needs more than k points."""
    return within(made, real, k), within(real, made, k)
