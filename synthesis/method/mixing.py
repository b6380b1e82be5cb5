"""What a student learns: the mixtures that method.learn names.

Each takes the synthetic rows, the gold rows that may be learned, a seed and the method's parameters, and returns those
of either kind that are learned.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from synthesis import UserError
from synthesis.params import Method
from synthesis.tasks.base import Task
from synthesis.tasks.checks import words

GOLD, SYNTHETIC, BALANCED, MIX = "gold", "synthetic", "balanced", "mix"


class Mixture(NamedTuple):
    """Rows to learn: the synthetic and the gold ones. to_the_end: selection rows pick no checkpoint in any case."""

    synthetic: pd.DataFrame
    gold: pd.DataFrame
    to_the_end: bool = False

    @property
    def rows(self) -> pd.DataFrame:
        return pd.concat([self.synthetic, self.gold])

    def checkpoint(self, selection: pd.DataFrame) -> pd.DataFrame:
        """The rows that pick the student's checkpoint: none where gold rows are learned themselves."""
        return selection.head(0) if len(self.gold) or self.to_the_end else selection


def mix(
    learn: str, task: Task, synthetic: pd.DataFrame, gold: pd.DataFrame, seed: int, method: Method | None = None
) -> Mixture:
    """The mixture of this name, of nothing but the columns that are learned; of gold rows all that is right.

    method: needed where `learn` is MIX.
    """
    columns = ["id", *task.fields]
    gold = gold[list(dict.fromkeys([*columns, task.truth]))]
    synthetic = synthetic[[*columns, *_weights(synthetic)]]
    return MIXTURES[learn](task, synthetic, gold, seed, method)


def _weights(rows: pd.DataFrame) -> list[str]:
    """The columns that say how much rows count, where there are any."""
    return [column for column in rows if column.startswith("weight(")]


def only_synthetic(task: Task, synthetic: pd.DataFrame, gold: pd.DataFrame, seed: int, method: Method) -> Mixture:
    """S3, and all methods that a teacher writes for."""
    return Mixture(synthetic, gold.head(0))


def only_gold(task: Task, synthetic: pd.DataFrame, gold: pd.DataFrame, seed: int, method: Method) -> Mixture:
    """No synthetic row."""
    return Mixture(synthetic.head(0), gold)


def repeated_gold(task: Task, synthetic: pd.DataFrame, gold: pd.DataFrame, seed: int, method: Method) -> Mixture:
    """A control: gold rows, drawn with replacement until they are as many as the synthetic ones.

    Synthetic rows that do no better than these have brought nothing but their number.
    """
    return Mixture(synthetic.head(0), gold.sample(len(synthetic), replace=True, random_state=seed))


def both(task: Task, synthetic: pd.DataFrame, gold: pd.DataFrame, seed: int, method: Method) -> Mixture:
    """All rows, each once."""
    return Mixture(synthetic, gold)


def balanced(task: Task, synthetic: pd.DataFrame, gold: pd.DataFrame, seed: int, method: Method) -> Mixture:
    """All rows; gold rows are repeated, as evenly as can be, until they are as many as the synthetic ones."""
    times = -(-max(len(synthetic), len(gold)) // len(gold))
    repeated = pd.concat([gold.sample(frac=1, random_state=seed)] * times)
    return Mixture(synthetic, repeated.head(max(len(synthetic), len(gold))))


def shuffled(task: Task, synthetic: pd.DataFrame, gold: pd.DataFrame, seed: int, method: Method) -> Mixture:
    """A control: synthetic rows, their labels (or, without labels, what the teacher wrote) put on any other row.

    A student that does better than chance on these has learned something else than the task.
    """
    column = "label" if task.can("labels") else task.written
    values = synthetic[[column, *_weights(synthetic)]].sample(frac=1, random_state=seed)
    return Mixture(synthetic.assign(**values.set_index(synthetic.index)), gold.head(0))


def at_ratio(task: Task, synthetic: pd.DataFrame, gold: pd.DataFrame, seed: int, method: Method) -> Mixture:
    """Synthetic and gold rows, drawn at random, as many of either as make up their share of a fixed number of words.

    The number is that of the gold rows; `on_top`: all of these are learned, and as many more words of synthetic rows as
    `ratio` says. Words are those that the student reads and writes, and stand for tokens, which differ by the student.
    All ratios are trained to the end. Raises UserError for a ratio over 0 without synthetic rows.
    """
    ratio = method.ratio
    if ratio and synthetic.empty:
        raise UserError(f"method.ratio is {ratio}, and there are no synthetic rows to mix in: set it to 0")
    total = _words(task, gold).sum()
    made = _drawn(task, synthetic, ratio * total, seed)
    real = gold if method.on_top else _drawn(task, gold, (1 - ratio) * total, seed)
    return Mixture(made, real, to_the_end=True)


def _drawn(task: Task, rows: pd.DataFrame, wanted: float, seed: int) -> pd.DataFrame:
    """Rows in random order, up to the one with which they have the words that are wanted, as near as can be.

    All come once before any comes again.
    """
    if not wanted:
        return rows.head(0)
    rows = rows.sample(frac=1, random_state=seed)
    sizes = _words(task, rows).to_numpy()
    whole, rest = divmod(round(wanted), sizes.sum())
    more = int(np.abs(np.append(0, sizes.cumsum()) - rest).argmin())
    return pd.concat([*[rows] * whole, rows.head(more)])


def _words(task: Task, rows: pd.DataFrame) -> pd.Series:
    """How many words of each row are learned: those of its columns, and of its target where the student writes it."""
    texts = [*task.columns, *(task.targets if task.can("texts") else ())]
    counts = [max(1, sum(len(words(text)) for text in row)) for row in rows[texts].itertuples(index=False)]
    return pd.Series(counts, index=rows.index, dtype=int)


MIXTURES = {
    SYNTHETIC: only_synthetic,
    GOLD: only_gold,
    "gold-repeated": repeated_gold,
    "both": both,
    BALANCED: balanced,
    "shuffled": shuffled,
    MIX: at_ratio,
}
