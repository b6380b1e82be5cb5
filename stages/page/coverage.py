"""How much of gold the seed data and the final data reach."""

import pandas as pd

from stages.page import cells, figures
from stages.page.cells import Table
from stages.pipeline import table

SETS = "gold", "seed", "final"
CLASSES = {"gold": "gold", "seed": "synthetic dashed", "final": "synthetic"}
MEASURES = {
    "covered": "covered",
    "precision": "precision",
    "recall": "recall",
    "vocabulary": "vocabulary",
    "distinct_1": "distinct-1",
    "distinct_2": "distinct-2",
    "distinct_3": "distinct-3",
}


def facts(run) -> dict:
    told = table.read_json(run.paths.metrics / "coverage.json")
    points = table.read(run.paths.coverage_points)
    places = {which: points.loc[points["set"] == which, ["x", "y"]].to_numpy() for which in SETS}
    every = points[["x", "y"]].to_numpy()
    sweep = pd.read_csv(run.paths.coverage_sweep).groupby("set", sort=False)
    curves = [(f"{which} data", CLASSES[which], list(rows.gamma), list(100 * rows.covered)) for which, rows in sweep]
    lines = [[f"{which} data", *(cells.percent(told[which].get(key)) for key in MEASURES)] for which in SETS]
    return {
        "rows": told["rows"],
        "column": run.task.written,
        "maps": {
            which: figures.scatter(
                {"gold": places["gold"], "synthetic": places[which]}, every, f"{which} data over gold data"
            )
            for which in ("seed", "final")
        },
        "sweep": figures.curves(curves, "gamma", "gold points covered, %"),
        "table": Table("Reach and variety of equal samples, in %", ["set", *MEASURES.values()], lines),
    }
