"""What a teacher leans to: to a language model some labels are likelier than others, whatever the row says.

Calibration by a batch of rows (Zhou et al., 2024, "Batch Calibration") takes that away. Here the labels' probabilities
are weighed so that over the batch they are as frequent as they are known to be, by the fixed point of Saerens et al.
(2002, "Adjusting the Outputs of a Classifier to New a Priori Probabilities").
"""

import numpy as np

ROWS = 10  # that know nothing, counted besides: a few rows say little
TURNS = 200  # of the fixed point


def weights(shares: np.ndarray, said: list[str], labels: list[str]) -> np.ndarray:
    """What to weigh each label's probability by, (labels,). shares: (rows, labels), of which rows without a number are
    left out. said: labels of rows, which tell how frequent each is; one row of each is counted besides."""
    counts = np.array([said.count(label) + 1 for label in labels], float)
    frequent = counts / counts.sum()
    known = shares[np.isfinite(shares).all(axis=1)]
    known = np.vstack([known, np.full((ROWS, len(labels)), 1 / len(labels))])
    weight = frequent.copy()
    for _ in range(TURNS):
        weight *= frequent / righted(known, weight).mean(axis=0)
    return weight / weight.sum()


def righted(shares: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The weighed probabilities, rows of sum 1."""
    weighed = shares * weight
    return weighed / weighed.sum(axis=1, keepdims=True)
