"""Which gold rows students get wrong. Test appears in counts only: no text of its rows."""

from stages.page import cells
from stages.page.cells import Table
from stages.pipeline import table

SHOWN = 30  # suspects


def facts(run) -> dict:
    task, told = run.task, table.read_json(run.paths.metrics / "diagnose.json")
    suspects = table.read(run.paths.suspects)
    columns = ["rank", "id", *task.columns, task.targets[0], "predicted", "doubt"]
    splits = {split: told[split] for split in ("validation", "test")}
    return {
        "students": Table(
            "Errors on validation from student to student, of the first training seed",
            ["student", "wrong", "fixed", "persisting", "new"],
            [
                [
                    name if name == "final" else f"round {name}",
                    *(cells.count(counts.get(key)) for key in ("wrong", "fixed", "persisting", "new")),
                ]
                for name, counts in told["students"].items()
            ],
        ),
        "mistakes": Table(
            "What the final student mistakes for what", ["mistake", "validation", "test"], list(_mistakes(splits))
        ),
        "groups": [
            Table(
                f"Errors by {group.replace('_', ' ')}",
                [group.replace("_", " "), "validation", "%", "test", "%"],
                list(_groups(splits, f"by_{group}")),
            )
            for group in (task.stratum, "length", "cluster")
        ],
        "suspects": len(suspects),
        "shown": min(len(suspects), SHOWN),
        "doubted": Table(
            "Validation rows that may be mislabelled, the most doubtful first",
            ["rank", "id", *task.columns, f"gold {task.targets[0]}", "students say", "doubt"],
            [
                [cells.count(rank), *texts, cells.decimal(doubt)]
                for rank, *texts, doubt in suspects[columns].head(SHOWN).values.tolist()
            ],
        ),
        "folder": f"data/gold/{task.name}/",
    }


def _mistakes(splits: dict[str, dict]):
    for mistake in dict.fromkeys(mistake for told in splits.values() for mistake in told["mistakes"]):
        yield [mistake, *(cells.count(told["mistakes"].get(mistake)) for told in splits.values())]


def _groups(splits: dict[str, dict], group: str):
    for name in dict.fromkeys(name for told in splits.values() for name in told[group]):
        line = [name]
        for told in splits.values():
            counts = told[group].get(name, {"rows": 0, "wrong": 0})
            share = counts["wrong"] / counts["rows"] if counts["rows"] else None
            line += [cells.part(counts["wrong"], counts["rows"]), cells.percent(share, bar=True)]
        yield line
