"""GoldGen: validation rows at random, whether the student gets them right or wrong."""

import pandas as pd

from stages.mining import count
from stages.pipeline import table
from stages.pipeline.paths import Paths


def mine(task, params, q: int, answers: pd.DataFrame) -> pd.DataFrame:
    """As many rows as method.mined says, or as there are errors, uniformly, with the student's answer to each."""
    rows = task.answers(answers).merge(table.read(Paths(task.name).gold("validation")), validate="1:1")
    return rows.sample(min(count(task, params, q, answers), len(rows)), random_state=params.seed + q).sort_index()
