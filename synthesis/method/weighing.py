"""How much each synthetic row counts, and for which labels: what method.label: soft and method.weight say.

Weights stand beside the rows as columns `weight(LABEL)`; without these a row counts once, for its own label. They are
made by probes on frozen encodings, whatever student learns the rows then, and of validation rows alone: selection rows
stay fit to judge by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthesis.run import Run
from synthesis.students.base import Examples

if TYPE_CHECKING:
    from synthesis.students.cross_fit import GoldProbe

MOST = 5.0  # weight of a row, before the mean is made 1
FEATURES = 500  # random ones, which stand for a Gaussian kernel


def weigh(run: Run, rows: pd.DataFrame, gold: pd.DataFrame) -> pd.DataFrame:
    """Synthetic rows with their weights, if there are to be any; earlier ones are replaced.

    gold: validation rows of a task with labels.
    """
    method, task = run.params.method, run.task
    if method.label != "soft" and not method.weight:
        return rows
    from synthesis.students.cross_fit import GoldProbe  # late: most runs weigh nothing, and it needs scikit-learn

    names = task.labels(gold)
    judge = GoldProbe(task, gold, run.student)
    own = np.array(task.goals(rows))[:, None] == np.array(names)
    shares = judge.probabilities(rows) if method.label == "soft" else own.astype(float)
    if method.weight:
        shares = shares * WEIGHTS[method.weight](run, rows, gold, judge)[:, None]
    return rows.assign(**{f"weight({name})": shares[:, place] for place, name in enumerate(names)})


def dimp(run: Run, rows: pd.DataFrame, gold: pd.DataFrame, judge: GoldProbe) -> np.ndarray:
    """DIMP-Loss (2410.21526): how probable the label is to gold rows, over how probable it is to the synthetic ones.

    Rows that gold contradicts count less, and so do those that the other synthetic rows have taught already. (rows,),
    with a mean of 1. There the second probability is that of the student in training, anew at every step; here it is
    that of probes that have not learned the row, once.
    """
    from synthesis.students.cross_fit import FOLDS, CrossFit

    examples = Examples(run.task.inputs(rows), run.task.goals(rows))
    folds = np.random.default_rng(run.params.seed).permutation(len(rows)) % FOLDS
    now = CrossFit(examples, folds, judge.names, run.student).predict(examples.inputs, folds)
    own = np.arange(len(rows)), np.array([judge.names.index(label) for label in examples.goals])
    weights = np.minimum(judge.probabilities(rows)[own] / np.maximum(now[own], 1e-6), MOST)
    return weights / weights.mean()


def mmd(run: Run, rows: pd.DataFrame, gold: pd.DataFrame, judge: GoldProbe) -> np.ndarray:
    """Weights with which the rows of each label are distributed as the gold ones, as far as an encoder sees.

    The mean embedding in a Gaussian kernel is matched (kernel mean matching; for synthetic rows in 2502.08661). The
    weights, (rows,), are not negative and have a mean of 1 for each label: how often each is said stays as it is.
    """
    from sklearn.kernel_approximation import RBFSampler
    from sklearn.metrics import pairwise_distances
    from threadpoolctl import threadpool_limits

    from synthesis.students import probe

    settings, weights = run.student, np.ones(len(rows))
    with threadpool_limits(1):  # sums of several threads come in any order
        theirs, ours = (
            probe.encode(run.task.inputs(part), settings.model, settings.max_tokens)[0] for part in (gold, rows)
        )
        width = np.median(pairwise_distances(theirs[:1000], metric="sqeuclidean"))
        sampler = RBFSampler(gamma=1 / max(width, 1e-6), n_components=FEATURES, random_state=run.params.seed).fit(
            theirs
        )
        theirs, ours = sampler.transform(theirs), sampler.transform(ours)
        for name in judge.names:
            places = (rows.label == name).to_numpy()
            if places.any():
                weights[places] = _matched(ours[places], theirs[(gold.label == name).to_numpy()].mean(axis=0))
    return weights


def _matched(features: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Weights of rows, at least 0 and with a mean of 1, under which the mean of their features is nearest to this one.

    What is made small is the distance of the means, squared, and the chance that comes with few rows: the square of the
    weights over that of the rows' number, which is how far the mean of that many drawn rows would be off.
    """
    from scipy.optimize import minimize

    count = len(features)
    features = np.hstack([features, np.full((count, 1), 10.0)])  # the mean of the weights is held near 1
    mean = np.append(mean, 10.0)

    def cost(weights):
        off = weights @ features / count - mean
        return count * (off @ off) + weights @ weights / count, 2 * (features @ off + weights / count)

    found = minimize(cost, np.ones(count), jac=True, method="L-BFGS-B", bounds=[(0, MOST)] * count).x
    return found / found.mean() if found.any() else np.ones(count)


WEIGHTS = {"dimp": dimp, "mmd": mmd}
