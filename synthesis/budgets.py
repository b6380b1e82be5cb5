"""What fewer gold rows are worth: students of shares of the budget, learned as all of it is."""

import pandas as pd

from synthesis.params import Student as Settings
from synthesis.run import Run, whole_budget
from synthesis.splits import in_shares
from synthesis.students.base import Lesson
from synthesis.students.folds import Gold
from synthesis.students.lesson import examples, try_out


def learn_shares(run: Run, gold: Gold, settings: Settings) -> pd.DataFrame:
    """The metric on each row of test, of students of `baseline.shares` of the gold rows, in `baseline.draws` of each.

    Columns: id, score, rows (learned), draw. Of one draw the smaller share is part of the larger one. A share that
    would have rows of one label only is as large as it must be to have two: probes cannot learn one.
    """
    task, rows, parts = run.task, whole_budget(gold), []
    names = task.labels(rows)
    for draw in range(run.params.baseline.draws):
        ordered = in_shares(rows, task.strata(rows), draw)
        least = 1 + (ordered.label != ordered.label.iloc[0]).to_numpy().argmax() if names else 2
        for count in sorted({max(least, round(share * len(rows))) for share in run.params.baseline.shares}):
            scores = try_out(task, Lesson(examples(task, ordered[:count]), settings, names), gold["test"])
            parts.append(scores.rename("score").reset_index().assign(rows=count, draw=draw))
    return pd.concat(parts, ignore_index=True)
