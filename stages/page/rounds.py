"""Every round's student beside the gold baseline, and how they learned."""

from stages.page import cells, figures
from stages.page.cells import Table

SPLITS = ["validation", "test"]
HEAD = ["student", "rows", "new", "wrong on validation", *SPLITS]
CLASSES = {
    ("final data", "training"): "synthetic dashed",
    ("final data", "test"): "synthetic",
    ("gold", "training"): "gold dashed",
    ("gold", "test"): "gold",
}


def facts(run) -> dict:
    *synthetic, gold = run.students
    lines = [
        [
            student["name"],
            cells.count(student["rows"]),
            cells.count(student["new"]),
            cells.part(student["wrong"], student["asked"]),
            *(cells.marked(student["marks"].get(split), run.task) for split in SPLITS),
        ]
        for student in run.students
    ]
    curves = [
        (f"{data}, {split}", CLASSES[data, split], list(part.epoch), list(100 * part.score))
        for (data, split), part in run.learning.groupby(["data", "split"], sort=False)
    ]
    return {
        "metric": run.metric,
        "table": Table("Students of the rounds, the final one, and the gold baseline", HEAD, lines),
        "converged": [student["name"] for student in synthetic if not student["marks"]],
        "picture": figures.rounds(run, [student for student in synthetic if student["marks"]], gold),
        "learning": figures.curves(curves, "epoch", f"{run.metric}, %", whole=True),
    }
