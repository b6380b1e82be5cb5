"""Groups of gold rows, in which errors are counted: by length and by cluster. Validation makes them, test joins."""

import itertools
import re

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer
from threadpoolctl import threadpool_limits

LENGTHS = 4  # groups of as many validation rows each, as far as that goes
CLUSTERS = 6  # at most
CLUSTER_ROWS = 20  # validation rows that a cluster has on average, at least
TERMS = 3  # that name a cluster
NOTHING = "(no word)"


def read(rows: pd.DataFrame, task) -> pd.Series:
    """All that the student reads of each row, as one text."""
    return rows[list(task.columns)].agg(" ".join, axis=1)


def lengths(texts: pd.Series, others: pd.Series) -> tuple[pd.Series, pd.Series]:
    """For both tables of texts the range of words that each falls in; the ranges are quantiles of the first."""
    counts, other_counts = (part.str.split().str.len() for part in (texts, others))
    edges = np.unique(np.quantile(counts, np.arange(1, LENGTHS) / LENGTHS, method="lower"))
    between = [f"{low + 1} to {high} words" for low, high in itertools.pairwise(edges)]
    names = np.array([f"{edges[0]} words or less", *between, f"over {edges[-1]} words"])
    return tuple(pd.Series(names[np.searchsorted(edges, part)], part.index) for part in (counts, other_counts))


def clusters(texts: pd.Series, others: pd.Series) -> tuple[pd.Series, pd.Series]:
    """For both the cluster of each text, named by the terms that it has beyond the rest: k-means over TF-IDF."""
    vectors = TfidfVectorizer(analyzer=_terms, sublinear_tf=True, max_features=5000)
    table = vectors.fit_transform(texts)
    count = max(1, min(CLUSTERS, len(texts) // CLUSTER_ROWS))
    with threadpool_limits(1):  # sums of several threads come in any order, and rounding would decide
        means = KMeans(count, n_init=3, random_state=0).fit(table)
        found = means.labels_, means.predict(vectors.transform(others))
    terms, usual = vectors.get_feature_names_out(), np.asarray(table.mean(axis=0)).ravel()
    beyond = means.cluster_centers_ - (usual if count > 1 else 0)
    names = np.array([", ".join(terms[order[:TERMS]]) for order in np.argsort(-beyond, axis=1, kind="stable")])
    return pd.Series(names[found[0]], texts.index), pd.Series(names[found[1]], others.index)


def _terms(text: str) -> list[str]:
    found = [word for word in re.findall(r"[^\W_]{2,}", text.lower()) if word not in ENGLISH_STOP_WORDS]
    return found or [NOTHING]
