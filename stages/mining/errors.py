"""The validation rows that the student gets wrong (Alg. 2, line 6)."""

import pandas as pd

from stages.pipeline import table
from stages.pipeline.paths import Paths


def mine(task, params, q: int, answers: pd.DataFrame) -> pd.DataFrame:
    """Every one of them is an error, with the student's answer, its probability and its margin over the truth."""
    wrong = task.answers(answers[task.wrong(answers, params.method)])
    return wrong.merge(table.read(Paths(task.name).gold("validation")), validate="1:1")
