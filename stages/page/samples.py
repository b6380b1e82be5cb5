"""Rows to read: errors with what the teacher made of them, and seed data (Table 7)."""

import pandas as pd

from stages.page.cells import Table
from stages.pipeline import table

PAIRS = 12
SEEDS = 12  # or one of each stratum where there are more


def facts(run) -> dict:
    task, rows = run.task, table.read(run.paths.train(run.last))
    seeds = rows[rows["round"] == 0]
    seeds = spread(seeds, task, max(SEEDS, task.strata(seeds).nunique()))
    told = ["id", *task.columns, task.targets[0]]
    command = "python -m stages.lineage {}" + (f" {task.name}" if len(run.params.tasks) > 1 else "")
    return {
        "pairs": [
            {
                "id": row.id,
                "round": row.round,
                "parent": row.parent,
                "given": {column: getattr(row, column) for column in task.columns[:-1]},
                "error": row.error,
                "target": (task.targets[0], getattr(row, task.targets[0])),
                "predicted": row.predicted,
                "addition": getattr(row, task.written),
                "lineage": command.format(row.id),
            }
            for row in extrapolated(run, rows).itertuples()
        ],
        "seeds": Table(
            f"Seed rows by {task.stratum.replace('_', ' ')}",
            [*told, "rationales"],
            [[*map(str, line), "; ".join(reasons)] for *line, reasons in seeds[[*told, "rationales"]].values.tolist()],
        ),
        "lineage": command.format(seeds.id.iloc[0]) if len(seeds) else "",
    }


def extrapolated(run, rows: pd.DataFrame) -> pd.DataFrame:
    """Additions with the gold row of each, as `error`, and what the student of the round before took it for."""
    task = run.task
    gold = table.read(run.paths.gold("validation"))[["id", task.written]]
    gold = gold.rename(columns={"id": "parent", task.written: "error"})
    history = table.read(run.paths.history(run.last))
    asked = history[(history.split == "validation") & (history.seed == 0)]
    said = asked[["round", "id", "predicted"]].rename(columns={"id": "parent"}).assign(round=asked["round"] + 1)
    return spread(rows.merge(gold, on="parent").merge(said, on=["round", "parent"]), task, PAIRS)


def spread(rows: pd.DataFrame, task, most: int) -> pd.DataFrame:
    """Rows at random, at most `most`: none of a round and stratum comes twice before each other one has come."""
    rows = rows.assign(stratum=task.strata(rows)).sample(frac=1, random_state=0)
    rows["turn"] = rows.groupby(["round", "stratum"]).cumcount()
    return rows.sort_values("turn", kind="stable").head(most).sort_values(["round", "stratum", "turn"], kind="stable")
