"""How well cues alone predict labels: rules that are learned from synthetic rows and asked about others.

Everything is balanced over labels, so that chance is 1 / labels whatever the labels' shares are. A rule is made from
one half of the synthetic rows and asked about the other half and about gold: two samples that it has not seen, whose
scores are independent of each other. (Cross-validated scores are not: each row also helps to make rules.)
"""

import itertools
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder

BINS = 5  # of a number: fifths of the synthetic rows
LEVEL = 0.05  # how often clean data may ring, all cues taken together
RARE = 5  # the least rows of a value that the cues together are asked about


@dataclass
class Score:
    """Balanced accuracy, the mean recall of the labels, and its standard error."""

    value: float
    error: float

    def interval(self) -> tuple[float, float]:
        """95%."""
        return max(0.0, self.value - 1.96 * self.error), min(1.0, self.value + 1.96 * self.error)


def score(hits: np.ndarray, labels: np.ndarray, groups: np.ndarray, count: int) -> Score:
    """From hits in [0, 1], codes of labels, below `count`, and codes of groups, each (n,). A group hangs together.

    The error is that of deviations from chance, as a test against chance needs it. Far from chance it is somewhat too
    large; but a rule that is right on all of ten rows does not count as certain.
    """
    weights = 1 / (count * np.maximum(1, np.bincount(labels, minlength=count)))[labels]
    apart = np.bincount(groups, weights * (hits - 1 / count))
    return Score(float((weights * hits).sum()), float(sqrt((apart**2).sum())))


def threshold(tests: int) -> float:
    """How many standard errors one of so many cues must be off by (Bonferroni)."""
    return NormalDist().inv_cdf(1 - LEVEL / tests)


def worded(cue: pd.Series, reference: pd.Series) -> pd.Series:
    """A cue's values in words, "" for what is not so. A number is told by the fifth of the reference it falls in."""
    name = cue.name.replace("_", " ")
    if pd.api.types.is_bool_dtype(cue):
        return cue.map({True: name, False: ""})
    if not pd.api.types.is_numeric_dtype(cue):
        return name + " “" + cue + "”"
    edges = np.unique(np.quantile(reference, np.arange(1, BINS) / BINS, method="lower"))
    shown = [f"{edge:.3g}" for edge in edges]
    first = shown[0] if edges[0] == reference.min() else f"{shown[0]} or less"
    names = [first, *(f"over {low} up to {high}" for low, high in itertools.pairwise(shown)), f"over {shown[-1]}"]
    return pd.Series(np.array(names)[np.searchsorted(edges, cue)], index=cue.index).radd(f"{name} ")


def half(labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Half of the rows, (n,): of each label, and of each group all rows or none. Repeatable."""
    rows = pd.DataFrame({"label": labels, "group": groups}).drop_duplicates("group").sample(frac=1, random_state=0)
    return np.isin(groups, rows.group[rows.groupby("label").cumcount() % 2 == 0])


def alone(values: np.ndarray, labels: np.ndarray, learned: np.ndarray) -> np.ndarray:
    """How right one cue's rule, "the label that a value speaks for", is on each row, (n,).

    values, labels: codes. learned: the rows that the rule is made from. A value speaks for the label that has the
    largest share of its rows there; one that is new speaks for all labels alike: of k labels a hit counts 1 / k.
    """
    counts = np.zeros((values.max() + 1, labels.max() + 1))
    np.add.at(counts, (values[learned], labels[learned]), 1)
    share = counts / np.maximum(1, counts.sum(axis=0))
    best = share == share.max(axis=1, keepdims=True)
    return (best / best.sum(axis=1, keepdims=True))[values, labels]


def together(values: np.ndarray, labels: np.ndarray, learned: np.ndarray) -> np.ndarray:
    """The same of all cues at once, (n, cues), by logistic regression over their values."""
    seen = OneHotEncoder(min_frequency=RARE, handle_unknown="infrequent_if_exist").fit(values[learned])
    model = LogisticRegression(class_weight="balanced", max_iter=200)
    model.fit(seen.transform(values[learned]), labels[learned])
    return (model.predict(seen.transform(values)) == labels).astype(float)
