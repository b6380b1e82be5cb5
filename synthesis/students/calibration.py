"""Probabilities that can be believed: a temperature, and of two labels a threshold, fitted on rows not learned.

A student is often too sure, and may lean to one label. So its logits are divided by a temperature (Guo et al., 2017,
"On Calibration of Modern Neural Networks"), and where there are two labels, the second one is the answer from a
threshold on (Platt, 1999, whose regression has both). An export takes this file with it: to apply it needs numpy alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

BOUNDS = 0.05, 20.0  # of the temperature
LEAST = -30.0  # a logit beside the largest one: what was thought impossible must not decide alone
CERTAIN = 3.84  # twice the gain in log-likelihood that a threshold must bring: p < 0.05 with one degree of freedom


class Calibration(NamedTuple):
    """temperature: what logits are divided by. threshold: the probability of the second of two labels, after that, from
    which on it is the answer; where it is not 0.5, probabilities are shifted so that it becomes 0.5. Whoever takes the
    likeliest label takes the right one.
    """

    temperature: float = 1.0
    threshold: float = 0.5

    @property
    def shift(self) -> float:
        """What is added to the logits of the second label."""
        return float(np.log1p(-self.threshold) - np.log(self.threshold))

    def apply(self, logits: np.ndarray) -> np.ndarray:
        """Probabilities, float32 of shape (rows, labels), of logits; logarithms of probabilities will do as well."""
        scaled = np.asarray(logits, np.float32) / np.float32(self.temperature)
        if self.threshold != 0.5:
            scaled = scaled + np.array([0, self.shift], np.float32)
        raised = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return raised / raised.sum(axis=1, keepdims=True)


def logs(probabilities: np.ndarray) -> np.ndarray:
    """Logits of probabilities: a label that is impossible stays so."""
    with np.errstate(divide="ignore"):
        return np.log(probabilities)


def fit(logits: np.ndarray, truth: np.ndarray, move: bool = True) -> Calibration:
    """What makes the labels of rows that were not learned as likely as can be.

    truth: the place of each row's label, (rows,). move: whether the threshold may. Neutral where all rows are answered
    right, which no temperature is too low for, and where there are none. The threshold stays in the middle unless
    another is shown to be better.
    """
    from scipy.optimize import minimize, minimize_scalar

    if not len(truth) or (logits.argmax(1) == truth).all():
        return Calibration()
    logits = np.maximum(logits - logits.max(axis=1, keepdims=True), LEAST).astype(float)

    def loss(parameters) -> float:
        scaled = logits / np.exp(parameters[0])
        scaled[:, 1] += sum(parameters[1:])
        scaled -= scaled.max(axis=1, keepdims=True)
        return float((np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(truth)), truth]).sum())

    low, high = np.log(BOUNDS)
    alone = minimize_scalar(lambda log: loss([log]), bounds=(low, high), method="bounded")
    best = Calibration(round(float(np.exp(alone.x)), 4))
    if move and logits.shape[1] == 2:
        both = minimize(loss, [alone.x, 0.0], bounds=[(low, high), (-5, 5)], method="L-BFGS-B")
        if 2 * (alone.fun - both.fun) > CERTAIN:
            log, shift = both.x
            best = Calibration(round(float(np.exp(log)), 4), round(float(1 / (1 + np.exp(shift))), 4))
    return best


def test(calibration: Calibration, logits: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """What it does to rows that had no part in it: the mean log loss with and without it, and the accuracy with it."""
    rows = np.arange(len(truth))
    before, after = (each.apply(logits).astype(float) for each in (Calibration(), calibration))
    losses = {name: -np.log(np.maximum(chances[rows, truth], 1e-12)) for name, chances in
              {"test_loss_without": before, "test_loss": after}.items()}  # fmt: skip
    told = {name: round(float(loss.mean()), 4) for name, loss in losses.items()}
    return told | {"test_accuracy": round(float((after.argmax(1) == truth).mean()), 4)}
