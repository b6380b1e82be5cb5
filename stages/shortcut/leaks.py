"""Leaks: cues that predict the label of synthetic rows and not that of gold rows."""

import numpy as np
import pandas as pd

from stages.shortcut import cues, rules

EFFECT = 0.05  # a smaller lead over gold and over chance is no alarm, however sure it is
SHOWN = 3  # examples of each cue
GIVEN = ["id", "group", "label", "text"]
COLUMNS = [
    "cue", "alarm", "says", "synthetic", "synthetic_low", "synthetic_high", "gold", "gold_low", "gold_high",
    "example_ids", "example_texts",
]  # fmt: skip


def found(synthetic: pd.DataFrame, gold: pd.DataFrame) -> pd.DataFrame:
    """What each cue is worth, a row each, the worst first; at the end, what all of them are worth together.

    Both tables: id, group, label, text, and any further cues, as a task's `examples` tells them.
    synthetic: balanced accuracy of the cue's rule on synthetic rows that it was not made from. gold: that of the same
    rule on gold rows, since a student carries over what it learns. alarm: the first exceeds the second and
    chance by `EFFECT` or more, each significantly at `rules.LEVEL` over all cues.
    """
    groups_of = synthetic.groupby("label").group.nunique()
    names = sorted(set(groups_of.index[groups_of > 1]) & set(gold.label))  # one has no halves
    if len(names) < 2:
        return pd.DataFrame(columns=COLUMNS)
    parts = [part[part.label.isin(names)] for part in (synthetic, gold)]
    rows, size = pd.concat(parts, ignore_index=True), len(parts[0])
    labels = rows.label.map({name: code for code, name in enumerate(names)}).to_numpy()
    groups, learned = pd.factorize(rows.group)[0], np.zeros(len(rows), dtype=bool)
    learned[:size] = rules.half(labels[:size], groups[:size])
    own, theirs = ~learned & (rows.index < size), rows.index >= size
    told = cues.of(rows.text).join(rows.drop(columns=GIVEN))
    told = told.apply(lambda cue: rules.worded(cue, cue[:size]))
    told = told.loc[:, told[:size].nunique() > 1]
    if told.empty:
        return pd.DataFrame(columns=COLUMNS)
    values = told.apply(lambda cue: pd.factorize(cue)[0]).to_numpy()

    def line(cue: str, hits: np.ndarray, says: str, examples: pd.DataFrame) -> dict:
        here, there = (rules.score(hits[side], labels[side], groups[side], len(names)) for side in (own, theirs))
        alarm = int(leads(here, there, 1 / len(names), values.shape[1] + 1))
        scores = here.value, *here.interval(), there.value, *there.interval()
        shown = examples.id.tolist(), examples.text.tolist()
        return dict(zip(COLUMNS, (cue, alarm, says, *scores, *shown), strict=True))

    lines = []
    for place, cue in enumerate(told):
        value, label, says = telling(told[cue], labels, size, names)
        examples = rows[:size][(told[cue][:size] == value) & (rows.label[:size] == label)].head(SHOWN)
        hits = rules.alone(values[:, place], labels, learned)
        lines.append(line(cue, hits, says, examples))
    lines.sort(key=lambda told: (-told["alarm"], told["gold"] - told["synthetic"], told["cue"]))
    lines.append(line("together", rules.together(values, labels, learned), "all cues together", rows.head(0)))
    return pd.DataFrame(lines, columns=COLUMNS)


def leads(own: rules.Score, theirs: rules.Score, chance: float, tests: int) -> bool:
    """Whether a rule is better on synthetic rows than on gold ones and than chance: by enough, and not by luck."""
    bar = rules.threshold(tests)
    over_gold, over_chance = own.value - theirs.value, own.value - chance
    sure = over_gold > bar * np.hypot(own.error, theirs.error) and over_chance > bar * own.error
    return sure and min(over_gold, over_chance) >= EFFECT


def telling(told: pd.Series, labels: np.ndarray, size: int, names: list[str]) -> tuple[str, str, str]:
    """The value of a cue that speaks most for a label, beyond what it does in gold; that label; and both in words:
    `VALUE: 96% of LABEL, 44% of OTHER; gold: 0% and 0%`. The first `size` rows are synthetic.
    """
    values, known = pd.factorize(told, sort=True)
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
