"""Every round's student beside the gold baseline, and how they learned."""

from stages.page import cells, figures
from stages.page.cells import Table

HEAD = ["student", "rows", "new", "wrong on validation", "validation", "test"]


def facts(run) -> dict:
    *synthetic, gold = run.students
    lines = [
        [
            student["name"],
            cells.count(student["rows"]),
            cells.count(student["new"]),
            cells.part(student["wrong"], student["asked"]),
            *(cells.marked(student["marks"].get(split), run.task) for split in ("validation", "test")),
        ]
        for student in run.students
    ]
    parts = run.learning.groupby(["data", "split"], sort=False)
    curves = [
        (
            f"{'gold' if data == 'gold' else 'synthetic'}{' dashed' if split == 'training' else ''}",
            list(rows.epoch),
            list(100 * rows.score),
        )
        for (data, split), rows in parts
    ]
    return {
        "metric": run.metric,
        "table": Table("Students of the rounds, the final one, and the gold baseline", HEAD, lines),
        "converged": [student["name"] for student in synthetic if not student["marks"]],
        "picture": figures.rounds(run, [student for student in synthetic if student["marks"]], gold),
        "learning": figures.curves(curves, "epoch", f"{run.metric}, %", whole=True),
    }
