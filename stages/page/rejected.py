"""What the filters left out, by reason and round."""

import pandas as pd

from stages.page import cells
from stages.page.cells import Table
from stages.pipeline import table

SHOWN = 3  # rows of each reason
HIDDEN = ["also in test"]  # they are test rows, which nobody should read


def facts(run) -> dict:
    rounds = range(run.last + 1)
    counts = pd.DataFrame([each["rejected"] for each in run.combined], index=rounds).fillna(0).astype(int)
    counts = counts[counts.sum().sort_values(ascending=False, kind="stable").index]
    lines = [[reason, *map(cells.count, column), cells.count(column.sum())] for reason, column in counts.items()]
    kept = [each["new"] for each in run.combined]
    lines.append(["kept", *map(cells.count, kept), cells.count(sum(kept))])
    rows = pd.concat([table.read(run.paths.rejected(q)) for q in rounds])
    shown = rows[~rows.rejected.isin(HIDDEN)].groupby("rejected").head(SHOWN)
    shown = shown.set_index("rejected").loc[[reason for reason in counts if reason not in HIDDEN]].reset_index()
    columns = ["rejected", "id", *run.task.columns, run.task.targets[0], "twin"]
    return {
        "any": len(rows) > 0,
        "hidden": int(rows.rejected.isin(HIDDEN).sum()),
        "counts": Table(
            "New rows by what became of them", ["reason", "seed", *(f"round {q}" for q in rounds[1:]), "all"], lines
        ),
        "samples": Table(
            f"At most {SHOWN} rows of each reason", ["reason", *columns[1:]], shown[columns].astype(str).values.tolist()
        ),
    }
