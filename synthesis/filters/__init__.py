"""What keeps a synthetic row out of the training data."""

import pandas as pd

from synthesis.filters import held_out
from synthesis.filters.rows import Rows
from synthesis.filters.rules import RULES
from synthesis.run import Run


def sift(new: pd.DataFrame, old: pd.DataFrame, gold: dict[str, pd.DataFrame], run: Run) -> pd.DataFrame:
    """`new` with `rejected` (the reason or nothing), `twin`, and `quoted`: the validation row that it leaks, if any.

    old: the rows of earlier rounds. gold: the rows of each split. Rows that the teacher's stages have rejected keep
    their reason.
    """
    rows, old = Rows(new, run.task), Rows(old, run.task)
    gold = {split: Rows(table, run.task) for split, table in gold.items()}
    rows.leave_out(held_out.find(rows, gold))
    if run.params.teacher.tune:
        rows.leave_out(held_out.copies(rows, gold["validation"]))
    for name, rule in RULES.items():
        if setting := getattr(run.params.filters, name):
            rows.leave_out(rule(rows, old, gold, setting))
    if run.params.verify.student:
        from synthesis.filters import student  # late: it needs scikit-learn, and perhaps torch

        rows.leave_out(student.disagreements(rows, old, run))
    if run.params.method.label == "agree":
        from synthesis.filters import student

        rows.leave_out(student.contradictions(rows, gold["validation"], run))
    quoted = pd.Series("", index=new.index, dtype=object)
    for place, twin in held_out.leaks(rows, gold["validation"]):
        quoted.iloc[place] = twin
    return new.assign(rejected=rows.reasons, twin=rows.twins, quoted=quoted)
