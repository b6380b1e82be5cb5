"""What the final student learns: the functions that method.learn names.

Each takes the synthetic rows and the validation rows and returns those of either kind that are learned.
"""

from __future__ import annotations

import pandas as pd

from synthesis.run import Run

Rows = tuple[pd.DataFrame, pd.DataFrame]


def mix(run: Run, synthetic: pd.DataFrame, gold: pd.DataFrame) -> Rows:
    """The synthetic and the gold rows that the final student learns."""
    return LEARN[run.params.method.learn](run, synthetic, gold)


def only_synthetic(run: Run, synthetic: pd.DataFrame, gold: pd.DataFrame) -> Rows:
    """S3, and all methods that a teacher writes for."""
    return synthetic, gold.head(0)


def only_gold(run: Run, synthetic: pd.DataFrame, gold: pd.DataFrame) -> Rows:
    """No synthetic row."""
    return synthetic.head(0), gold


def repeated_gold(run: Run, synthetic: pd.DataFrame, gold: pd.DataFrame) -> Rows:
    """A control: gold rows, drawn with replacement until they are as many as the synthetic ones.

    Synthetic rows that do no better than these have brought nothing but their number.
    """
    return synthetic.head(0), gold.sample(len(synthetic), replace=True, random_state=run.params.seed)


def both(run: Run, synthetic: pd.DataFrame, gold: pd.DataFrame) -> Rows:
    """Shows whether synthetic rows help where the mined gold rows may be learned too."""
    return synthetic, gold


def shuffled(run: Run, synthetic: pd.DataFrame, gold: pd.DataFrame) -> Rows:
    """A control: synthetic rows, their labels (or, without labels, what the teacher wrote) put on any other row.

    A student that does better than chance on these has learned something else than the task.
    """
    column = "label" if run.task.can("labels") else run.task.written
    values = synthetic[column].sample(frac=1, random_state=run.params.seed).to_numpy()
    return synthetic.assign(**{column: values}), gold.head(0)


LEARN = {
    "synthetic": only_synthetic,
    "gold": only_gold,
    "gold-repeated": repeated_gold,
    "both": both,
    "shuffled": shuffled,
}
