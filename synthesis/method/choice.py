"""The choice of what ships: gold rows alone, synthetic rows alone, or a mixture, by cross-validation on gold rows.

No row of test has a part in it. A synthetic row that comes from a gold row, or repeats it, would give the answer to
that row away: where a student is asked about the gold row, it has not learned the synthetic one.
"""

from __future__ import annotations

import pandas as pd

from synthesis.filters import held_out
from synthesis.filters.rows import Rows
from synthesis.method.mixing import BALANCED, GOLD, SYNTHETIC, mix
from synthesis.params import Student as Settings
from synthesis.params import sees_validation
from synthesis.run import Run, whole_budget
from synthesis.students.folds import Candidate, Fold, Gold, behind, cross_validate, cut
from synthesis.tasks.base import Task
from synthesis.tasks.checks import folded

RIVALS = BALANCED, SYNTHETIC  # what may ship in the place of GOLD
BEHIND = 1.0  # standard errors after a fold: such a rival would have to turn, and more, to ship


def judge(run: Run, synthetic: pd.DataFrame, gold: Gold, settings: Settings, alone: pd.Series) -> pd.DataFrame:
    """The metric on each gold row that the teacher has not seen, by what was learned: index id, GOLD and RIVALS.

    settings: of all students, those that are best for gold rows alone. alone: of each gold row by id, the metric of a
    student of gold rows alone that had not learned it.
    """
    task, budget, selection = run.task, whole_budget(gold), gold["selection"].id
    seen = gold["validation"].id if sees_validation(run.params) else ()
    unseen = budget.id[~budget.id.isin(seen)]

    def learned(name: str, fold: Fold) -> tuple[pd.DataFrame, pd.DataFrame]:
        mixture = mix(name, task, fold.synthetic, fold.learned, run.params.seed)
        return mixture.rows, mixture.checkpoint(fold.learned[fold.learned.id.isin(selection)])

    rivals = {name: Candidate(settings, lambda fold, name=name: learned(name, fold)) for name in RIVALS}
    rows = Rows(synthetic, task)
    folds = [
        fold._replace(synthetic=without(task, rows, fold.asked)) for fold in cut(task, budget, run.params.method.folds)
    ]
    return cross_validate(task, folds, rivals, task.labels(budget), alone.loc[unseen].to_frame(GOLD), BEHIND)


def without(task: Task, rows: Rows, asked: pd.DataFrame) -> pd.DataFrame:
    """The synthetic rows that have nothing to do with the gold rows which will be asked about.

    Left out is what was extrapolated from one of them, was written from something of one (its premise, context, source
    or target), or equals, quotes or nearly equals one.
    """
    synthetic = rows.table
    related = synthetic.parent.isin(asked.id) | task.groups(synthetic).isin(task.groups(asked))
    for column in task.given:
        related |= folded(synthetic[column]).isin(folded(asked[column]))
    related.iloc[[place for place, _ in held_out.leaks(rows, Rows(asked, task))]] = True
    return synthetic[~related]


def compare(scores: pd.DataFrame) -> dict[str, dict]:
    """By what was learned: its mean score, on how many rows; beside GOLD the difference and its standard error."""
    table = {}
    for name in scores:
        table[name] = {"score": round(float(scores[name].mean()), 4), "judged": int(scores[name].count())}
        if name != GOLD:
            difference, error = behind(scores, name, GOLD)
            table[name] |= {"difference": round(difference, 4), "error": round(error, 4)}
    return table


def choose(table: dict[str, dict]) -> str:
    """What ships: GOLD, unless a rival is better by more than one standard error; of several such the best one.

    The rule of one standard error (Breiman et al., 1984, section 3.4.3): of what cannot be told apart the simplest.
    """
    better = [name for name in table if name != GOLD and table[name]["difference"] > table[name]["error"]]
    return max(better, key=lambda name: table[name]["score"], default=GOLD)
