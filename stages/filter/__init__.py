"""What keeps a synthetic row out of the training data: one module a filter, all of the same shape.

`find(new, old, gold, setting)` yields (place in `new`, reason, twin) for the rows that it leaves out, where `twin` is
the id of the row that they collide with, or nothing. It looks at rows that no filter before it has left out.
"""

from importlib import import_module

import pandas as pd

from stages.filter import held_out
from stages.filter.rows import Rows

# The section `filters` of params.yaml switches them. Those that look at one row alone come first, so that those that
# compare rows with each other see what is left.
SWITCHED = ("script", "length", "parent", "duplicate", "near_duplicate")


def sift(new: pd.DataFrame, old: pd.DataFrame, gold: dict[str, pd.DataFrame], task, params) -> pd.DataFrame:
    """`new` with `rejected` (the reason or nothing), `twin`, and `quoted`: the validation row that it leaks, if any.

    Rows that the teacher's stages rejected keep their reason.
    """
    rows, old, gold = Rows(new, task), Rows(old, task), {split: Rows(table, task) for split, table in gold.items()}
    rows.leave_out(held_out.find(rows, old, gold, True))
    for name in SWITCHED:
        if setting := getattr(params.filters, name):
            rows.leave_out(import_module(f"{__name__}.{name}").find(rows, old, gold, setting))
    if params.verify.student:
        from stages.filter import student  # late: it needs scikit-learn, and perhaps torch

        rows.leave_out(student.find(rows, old, gold, params))
    quoted = pd.Series("", index=new.index, dtype=object)
    for place, twin in held_out.leaks(rows, gold["validation"]):
        quoted.iloc[place] = twin
    return new.assign(rejected=rows.reasons, twin=rows.twins, quoted=quoted)
