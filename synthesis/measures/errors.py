"""Errors: which gold rows students get wrong, in which groups, from round to round, and which rows to doubt.

`students` are the rounds' and the final one, in their order: names "0", "1", ..., "final", and the predictions of each.
"""

import itertools

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer
from threadpoolctl import threadpool_limits

from synthesis.params import Method
from synthesis.tasks.base import Task
from synthesis.tasks.words import PART, UNSPACED_CHARACTER, spaced

LENGTHS = 4  # groups of about as many validation rows each
CLUSTERS = 6  # at most
CLUSTER_ROWS = 20  # validation rows that a cluster has on average, at least
TERMS = 3  # that name a cluster
NOTHING = "(no word)"
MISTAKES = 12  # kinds of mistakes that are counted, the most frequent first


# Groups of rows


def group_rows(task: Task, validation: pd.DataFrame, test: pd.DataFrame) -> list[pd.DataFrame]:
    """The groups of both splits' rows: index id; columns the task's stratum, length and cluster.

    Lengths and clusters are made from validation, and the rows of test are put where they belong.
    """
    splits = validation, test
    texts = [rows[list(task.columns)].agg(" ".join, axis=1) for rows in splits]
    groups = zip(splits, group_lengths(*texts), group_topics(*texts), strict=True)
    return [
        pd.DataFrame({task.stratum: task.strata(rows), "length": length, "cluster": cluster}).set_index(rows.id)
        for rows, length, cluster in groups
    ]


def group_lengths(texts: pd.Series, others: pd.Series) -> tuple[pd.Series, pd.Series]:
    """For both tables of texts the range of words that each falls in; the ranges are quantiles of the first."""
    counts, other_counts = (part.map(spaced).str.split().str.len() for part in (texts, others))
    edges = np.unique(np.quantile(counts, np.arange(1, LENGTHS) / LENGTHS, method="lower"))
    between = [f"{low + 1} to {high} words" for low, high in itertools.pairwise(edges)]
    names = np.array([f"{edges[0]} words or less", *between, f"over {edges[-1]} words"])
    return tuple(pd.Series(names[np.searchsorted(edges, part)], part.index) for part in (counts, other_counts))


def group_topics(texts: pd.Series, others: pd.Series) -> tuple[pd.Series, pd.Series]:
    """For both the cluster of each text, named by the terms that it has beyond the rest: k-means over TF-IDF."""
    vectorizer = TfidfVectorizer(analyzer=_terms, sublinear_tf=True, max_features=5000)
    vectors = vectorizer.fit_transform(texts)
    count = max(1, min(CLUSTERS, len(texts) // CLUSTER_ROWS))
    with threadpool_limits(1):  # sums of several threads come in any order, and rounding would decide
        means = KMeans(count, n_init=3, random_state=0).fit(vectors)
        places = means.labels_, means.predict(vectorizer.transform(others))
    terms, usual = vectorizer.get_feature_names_out(), np.asarray(vectors.mean(axis=0)).ravel()
    beyond = means.cluster_centers_ - (usual if count > 1 else 0)
    names = np.array([", ".join(terms[order[:TERMS]]) for order in np.argsort(-beyond, axis=1, kind="stable")])
    return pd.Series(names[places[0]], texts.index), pd.Series(names[places[1]], others.index)


def _terms(text: str) -> list[str]:
    """Words of two letters or more, and characters of scripts without spaces."""
    words = PART.findall(text.lower().replace("_", " "))
    words = [word for word in words if len(word) > 1 or UNSPACED_CHARACTER.match(word)]
    return [word for word in words if word not in ENGLISH_STOP_WORDS] or [NOTHING]


def count_errors(task: Task, predictions: pd.DataFrame, groups: pd.DataFrame, method: Method) -> dict:
    """One student's errors on one split: rows, wrong, mistakes by their kind, and by_<group> rows and wrong."""
    errors = predictions[task.wrong(predictions, method)]
    mistakes = task.mistakes(errors).value_counts().sort_index().sort_values(ascending=False, kind="stable")
    counts = {"rows": len(predictions), "wrong": len(errors), "mistakes": mistakes.head(MISTAKES).to_dict()}
    rows = pd.DataFrame({"rows": 1, "wrong": groups.index.isin(errors.id).astype(int)}, index=groups.index)
    for group, names in groups.items():
        counts[f"by_{group}"] = rows.groupby(names).sum().to_dict("index")
    return counts


# From student to student


def by_student(history: pd.DataFrame, final: pd.DataFrame, split: str) -> dict[str, pd.DataFrame]:
    """The predictions for one split, by student: each by the student of the first training seed, as errors are mined.

    history: those of all rounds, with a column `round`. final: those of the final student.
    """
    parts = {str(q): rows for q, rows in history.groupby("round")} | {"final": final}
    return {name: rows[(rows.split == split) & (rows.seed == 0)] for name, rows in parts.items()}


def find_wrong(task: Task, students: dict[str, pd.DataFrame], method: Method) -> pd.DataFrame:
    """Whether each student is wrong on each row: index id, (rows, students)."""
    errors = {name: set(rows.id[task.wrong(rows, method)]) for name, rows in students.items()}
    ids = next(iter(students.values())).id
    return pd.DataFrame({name: ids.isin(wrong) for name, wrong in errors.items()}).set_index(pd.Index(ids, name="id"))


def count_changes(wrong: pd.DataFrame) -> dict[str, dict[str, int]]:
    """By student: wrong rows; and of them and the student's before, those fixed, persisting and new."""
    changes, before = {}, None
    for name, now in wrong.items():
        changes[name] = {"wrong": int(now.sum())}
        if before is not None:
            rows = {"fixed": before & ~now, "persisting": before & now, "new": now & ~before}
            changes[name] |= {change: int(part.sum()) for change, part in rows.items()}
        before = now
    return changes


def status(wrong: pd.DataFrame) -> pd.Series:
    """What became of each row, from the first student to the last.

    right and wrong: all along. fixed and broken: at the end, and not at first. wavering: in between only.
    """
    first, last = wrong.iloc[:, 0], wrong.iloc[:, -1]
    names = pd.Series("wavering", index=wrong.index)
    names[first & ~last], names[~first & last] = "fixed", "broken"
    names[wrong.all(axis=1)], names[~wrong.any(axis=1)] = "wrong", "right"
    return names


def doubt(task: Task, students: dict[str, pd.DataFrame]) -> tuple[pd.Series, float]:
    """How strongly students speak against each gold row, by id; and the bar, over which a row is worth a second look.

    A student's doubt is its confidence in its answer, times one less the answer's score against gold. A row's doubt is
    the mean over students. The bar is the mean of confidence times score over students and rows: how strongly they
    speak for gold on the whole.
    """
    confidence = pd.concat({name: task.confidence(rows).set_axis(rows.id) for name, rows in students.items()}, axis=1)
    scores = {name: task.scores(rows)[task.metric].set_axis(rows.id) for name, rows in students.items()}
    scores = pd.concat(scores, axis=1)
    return (confidence * (1 - scores)).mean(axis=1), float((confidence * scores).mean(axis=None))


def suspects(rows: pd.DataFrame, bar: float) -> pd.DataFrame:
    """Rows that may be mislabelled, the most doubtful first: rank, id, doubt.

    rows: status and doubt by id. All students are wrong about them, and speak against them more than the bar.
    """
    doubtful = rows[(rows.status == "wrong") & (rows.doubt >= bar)]
    doubtful = doubtful.sort_values("doubt", ascending=False, kind="stable")[["doubt"]].reset_index()
    doubtful.insert(0, "rank", range(1, len(doubtful) + 1))
    return doubtful
