"""What a student learns: the mixtures that method.learn names.

Each takes the synthetic rows, the gold rows that may be learned, and a seed, and returns those of either kind that are
learned.
"""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from synthesis.tasks.base import Task

GOLD, SYNTHETIC, BALANCED = "gold", "synthetic", "balanced"


class Mixture(NamedTuple):
    """Rows to learn: the synthetic and the gold ones."""

    synthetic: pd.DataFrame
    gold: pd.DataFrame

    @property
    def rows(self) -> pd.DataFrame:
        return pd.concat(self)

    def checkpoint(self, selection: pd.DataFrame) -> pd.DataFrame:
        """The rows that pick the student's checkpoint: none where gold rows are learned themselves."""
        return selection.head(0) if len(self.gold) else selection


def mix(learn: str, task: Task, synthetic: pd.DataFrame, gold: pd.DataFrame, seed: int) -> Mixture:
    """The mixture of this name, of nothing but the columns that are learned; of gold rows all that is right."""
    columns = ["id", *task.fields]
    return MIXTURES[learn](task, synthetic[columns], gold[list(dict.fromkeys([*columns, task.truth]))], seed)


def only_synthetic(task: Task, synthetic: pd.DataFrame, gold: pd.DataFrame, seed: int) -> Mixture:
    """S3, and all methods that a teacher writes for."""
    return Mixture(synthetic, gold.head(0))


def only_gold(task: Task, synthetic: pd.DataFrame, gold: pd.DataFrame, seed: int) -> Mixture:
    """No synthetic row."""
    return Mixture(synthetic.head(0), gold)


def repeated_gold(task: Task, synthetic: pd.DataFrame, gold: pd.DataFrame, seed: int) -> Mixture:
    """A control: gold rows, drawn with replacement until they are as many as the synthetic ones.

    Synthetic rows that do no better than these have brought nothing but their number.
    """
    return Mixture(synthetic.head(0), gold.sample(len(synthetic), replace=True, random_state=seed))


def both(task: Task, synthetic: pd.DataFrame, gold: pd.DataFrame, seed: int) -> Mixture:
    """All rows, each once."""
    return Mixture(synthetic, gold)


def balanced(task: Task, synthetic: pd.DataFrame, gold: pd.DataFrame, seed: int) -> Mixture:
    """All rows; gold rows are repeated, as evenly as can be, until they are as many as the synthetic ones."""
    times = -(-max(len(synthetic), len(gold)) // len(gold))
    repeated = pd.concat([gold.sample(frac=1, random_state=seed)] * times)
    return Mixture(synthetic, repeated.head(max(len(synthetic), len(gold))))


def shuffled(task: Task, synthetic: pd.DataFrame, gold: pd.DataFrame, seed: int) -> Mixture:
    """A control: synthetic rows, their labels (or, without labels, what the teacher wrote) put on any other row.

    A student that does better than chance on these has learned something else than the task.
    """
    column = "label" if task.can("labels") else task.written
    values = synthetic[column].sample(frac=1, random_state=seed).to_numpy()
    return Mixture(synthetic.assign(**{column: values}), gold.head(0))


MIXTURES = {
    SYNTHETIC: only_synthetic,
    GOLD: only_gold,
    "gold-repeated": repeated_gold,
    "both": both,
    BALANCED: balanced,
    "shuffled": shuffled,
}
