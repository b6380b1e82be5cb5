"""Leaks: forms of a text that give the label of synthetic rows away, and not that of gold rows.

Such forms are annotation artefacts (Gururangan et al., 2018). A cue is what a model must not need in order to answer:
a number, a truth or a word of the text's form. A rule predicts labels by cues alone. It is made from one half of the
synthetic rows, and asked about the other half and about gold rows: two samples that it has not seen, whose scores are
independent of each other. (Cross-validated scores are not: each row also helps to make rules.) Everything is balanced
over labels, so that chance is 1 / labels, whatever the labels' shares are.
"""

import itertools
import re
from dataclasses import dataclass
from math import hypot, sqrt
from statistics import NormalDist

import numpy as np
import pandas as pd
import regex
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder

from synthesis.tasks.words import caseless, pattern

EFFECT = 0.05  # by how much an alarm's score leads over gold and over chance, at least
LEVEL = 0.05  # how often an audit of clean rows may raise an alarm, all cues taken together
BINS = 5  # ranges of a number, with a fifth of the synthetic rows each
RARE = 5  # rows of a value; rarer ones count as one value when all cues are taken together
EXAMPLES = 3  # of each cue

EXAMPLE_COLUMNS = ["id", "group", "label", "text"]
COLUMNS = [
    "cue", "alarm", "says", "synthetic", "synthetic_low", "synthetic_high", "gold", "gold_low", "gold_high",
    "example_ids", "example_texts",
]  # fmt: skip

QUOTED = re.compile(r"\s*(?:\".*\"|“.*”|„.*[“”]|«.*»|'.*'|‘.*’)\s*", re.DOTALL)
QUOTE = re.compile(r"[\"“”„«»]|(?<!\w)['‘]\w|\w[.,!?]?['’](?!\w)")
WORD = pattern("'’-")
MARK = regex.compile(r"[^\w\s\p{M}\p{Cf}]")
TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
MARKDOWN = re.compile(r"\*\*\w|__\S[^\n]{0,99}\S__|`\S|^[ \t]*(?:#{1,6}|[-*+]) +\S|\[[^\[\]\n]+\]\(", re.MULTILINE)
NUMBERED = re.compile(r"\s*(?:\(?(?:\d{1,3}|[a-zA-Z])[.):]|[ivxIVX]+[.)])\s")
SHOUT = regex.compile(r"\b\p{Lu}{2,}\b")
CURLY = re.compile(r"[“”„‘’]")


def audit(synthetic: pd.DataFrame, gold: pd.DataFrame) -> pd.DataFrame:
    """How well each cue alone predicts labels, a row each, the worst leak first; then how well all together do.

    Both tables: id, group, label, text, and any further cues, as `Task.examples` returns them. Of what is returned,
    synthetic is the balanced accuracy of the cue's rule on synthetic rows that it was not made from, gold that of the
    same rule on gold rows, since a student carries over what it learns. alarm is 1 where the first exceeds the second,
    and chance, by EFFECT or more, each significantly at LEVEL over all cues. says is the cue's most telling value.
    No row is returned where there are no two labels, or no cue that varies.
    """
    groups_by_label = synthetic.groupby("label").group.nunique()
    names = sorted(set(groups_by_label.index[groups_by_label > 1]) & set(gold.label))  # a single group has no halves
    if len(names) < 2:
        return pd.DataFrame(columns=COLUMNS)
    parts = [part[part.label.isin(names)] for part in (synthetic, gold)]
    rows, size = pd.concat(parts, ignore_index=True), len(parts[0])
    labels = rows.label.map({name: code for code, name in enumerate(names)}).to_numpy()
    groups, taught = pd.factorize(rows.group)[0], np.zeros(len(rows), dtype=bool)
    taught[:size] = half(labels[:size], groups[:size])
    on_synthetic, on_gold = ~taught & (rows.index < size), rows.index >= size
    cues = read_cues(rows.text).join(rows.drop(columns=EXAMPLE_COLUMNS))
    cues = cues.apply(lambda cue: in_words(cue, cue[:size]))
    cues = cues.loc[:, cues[:size].nunique() > 1]
    if cues.empty:
        return pd.DataFrame(columns=COLUMNS)
    values = cues.apply(lambda cue: pd.factorize(cue)[0]).to_numpy()

    def line(cue: str, hits: np.ndarray, says: str, examples: pd.DataFrame) -> dict:
        scores = [score(hits[side], labels[side], groups[side], len(names)) for side in (on_synthetic, on_gold)]
        alarm = int(is_leak(*scores, 1 / len(names), values.shape[1] + 1))
        numbers = [number for one in scores for number in (one.value, *one.interval())]
        return dict(zip(COLUMNS, (cue, alarm, says, *numbers, [*examples.id], [*examples.text]), strict=True))

    lines = []
    for place, cue in enumerate(cues):
        value, label, says = most_telling(cues[cue], labels, size, names)
        examples = rows[:size][(cues[cue][:size] == value) & (rows.label[:size] == label)].head(EXAMPLES)
        lines.append(line(cue, hits_of_one(values[:, place], labels, taught), says, examples))
    lines.sort(key=lambda line: (-line["alarm"], line["gold"] - line["synthetic"], line["cue"]))
    lines.append(line("together", hits_of_all(values, labels, taught), "all cues together", rows.head(0)))
    return pd.DataFrame(lines, columns=COLUMNS)


# Cues


def read_cues(texts: pd.Series) -> pd.DataFrame:
    """The cues of each text, a column each: numbers, truths and texts."""
    return pd.DataFrame([_cues(text) for text in texts], index=texts.index)


def _cues(text: str) -> dict:
    words, marks, line = [caseless(word) for word in WORD.findall(text)], MARK.findall(text), text.strip()
    return {
        "words": len(words),
        "characters": len(text),
        "characters_a_word": len(text) / max(1, len(words)),
        "marks_a_word": len(marks) / max(1, len(words)),
        "commas": text.count(","),
        "exclamation_marks": text.count("!"),
        "question_marks": text.count("?"),
        "ellipsis": "..." in text or "…" in text,
        "last_mark": line[-1:] if MARK.match(line[-1:]) else "none",
        "enclosing_quotes": bool(QUOTED.fullmatch(text)),
        "quotes": bool(QUOTE.search(text)),
        "curly_marks": bool(CURLY.search(text)),
        "lower_case_start": line[:1].islower(),
        "capital_words": bool(SHOUT.search(text)),
        "digits": any(map(str.isdigit, text)),
        "html": bool(TAG.search(text)),
        "markdown": bool(MARKDOWN.search(text)),
        "numbering": bool(NUMBERED.match(text)),
        "line_breaks": "\n" in line,
        "first_word": " ".join(words[:1]),
        "first_words": " ".join(words[:2]),
        "last_word": " ".join(words[-1:]),
        "last_words": " ".join(words[-2:]),
    }


def in_words(cue: pd.Series, reference: pd.Series) -> pd.Series:
    """A cue's values in words; "" where a truth is false.

    A number becomes the range that it falls in. The ranges split the reference into BINS parts of about equal size.
    """
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


def most_telling(cue: pd.Series, labels: np.ndarray, size: int, names: list[str]) -> tuple[str, str, str]:
    """The value whose share among rows of one label exceeds that among the others most, beyond what it does in gold.

    The value, the label, and `VALUE: 96% of LABEL, 44% of OTHER; gold: 0% and 0%`. The first `size` rows are synthetic.
    """
    values, known = pd.factorize(cue, sort=True)
    own, theirs = (_shares(values[side], labels[side], len(known)) for side in (slice(size), slice(size, None)))
    excess = (own[0] - own[1]) - np.maximum(0, theirs[0] - theirs[1])
    excess[(known == "") | (own[0].sum(axis=1) == 0)] = -np.inf
    value, label = np.unravel_index(excess.argmax(), excess.shape)
    other = names[1 - label] if len(names) == 2 else "the others"
    (a, b), (c, d) = ([side[value, label] for side in shares] for shares in (own, theirs))
    says = f"{known[value]}: {a:.0%} of {names[label]}, {b:.0%} of {other}; gold: {c:.0%} and {d:.0%}"
    return known[value], names[label], says


def _shares(values: np.ndarray, labels: np.ndarray, known: int) -> tuple[np.ndarray, np.ndarray]:
    """(values, labels): the share of a label's rows that have a value; and the mean share of the other labels."""
    counts = np.zeros((known, labels.max() + 1))
    np.add.at(counts, (values, labels), 1)
    share = counts / counts.sum(axis=0)
    return share, (share.sum(axis=1, keepdims=True) - share) / (share.shape[1] - 1)


# Rules


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
    deviations = np.bincount(groups, weights * (hits - 1 / count))
    return Score(float((weights * hits).sum()), float(sqrt((deviations**2).sum())))


def half(labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Half of the rows, (n,): of each label, and of each group all rows or none. Repeatable."""
    rows = pd.DataFrame({"label": labels, "group": groups}).drop_duplicates("group").sample(frac=1, random_state=0)
    return np.isin(groups, rows.group[rows.groupby("label").cumcount() % 2 == 0])


def hits_of_one(values: np.ndarray, labels: np.ndarray, taught: np.ndarray) -> np.ndarray:
    """How right one cue's rule, "the label that a value speaks for", is on each row, (n,).

    values, labels: codes. taught: the rows that the rule is made from. A value speaks for the label that has the
    largest share of its rows there; one that is new speaks for all labels alike: of k labels a hit counts 1 / k.
    """
    counts = np.zeros((values.max() + 1, labels.max() + 1))
    np.add.at(counts, (values[taught], labels[taught]), 1)
    share = counts / np.maximum(1, counts.sum(axis=0))
    best = share == share.max(axis=1, keepdims=True)
    return (best / best.sum(axis=1, keepdims=True))[values, labels]


def hits_of_all(values: np.ndarray, labels: np.ndarray, taught: np.ndarray) -> np.ndarray:
    """How right logistic regression over the values of all cues, (n, cues), is on each row, (n,)."""
    encoder = OneHotEncoder(min_frequency=RARE, handle_unknown="infrequent_if_exist").fit(values[taught])
    model = LogisticRegression(class_weight="balanced", max_iter=200)
    model.fit(encoder.transform(values[taught]), labels[taught])
    return (model.predict(encoder.transform(values)) == labels).astype(float)


def is_leak(synthetic: Score, gold: Score, chance: float, tests: int) -> bool:
    """Whether a rule does better on synthetic rows than on gold rows and than chance: by enough, and not by luck.

    tests: how many rules are asked about; their luck is corrected for (Bonferroni).
    """
    errors = NormalDist().inv_cdf(1 - LEVEL / tests)
    over_gold, over_chance = synthetic.value - gold.value, synthetic.value - chance
    significant = over_gold > errors * hypot(synthetic.error, gold.error) and over_chance > errors * synthetic.error
    return significant and min(over_gold, over_chance) >= EFFECT
