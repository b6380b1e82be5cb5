"""`synthesis mine-feedback`: corrected predictions become gold rows."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

SHOWN = 10  # conflicts at most


def mine_feedback(
    task: Annotated[str, Argument(metavar="TASK", help="A task of params.yaml.")],
    file: Annotated[
        Path, Argument(metavar="FILE", help="Corrected predictions: a CSV, TSV, JSON, JSONL or Parquet file.")
    ],
    column: Annotated[
        list[str] | None,
        Option(
            metavar="OURS=THEIRS",
            help="What FILE calls one of the task's columns, such as label=corrected; by default as gold files or "
            "`synthesis predict` do. Repeatable.",
        ),
    ] = None,
) -> None:
    """Make gold rows out of corrected predictions.

    Each row of FILE that has a correction is taken as right, whether it differs from what was predicted or not; rows
    whose correction is empty are left out. The new rows are put into data/gold/TASK/feedback.jsonl, from where
    `dvc repro` takes them into validation: what the student got wrong is mined, and learned. Test and selection never
    change, and rows that have to do with theirs are left out. What is known already, and what contradicts a gold row,
    is told and left out as well.

    Example: synthesis mine-feedback reviews labelled.csv --column text=body --column label=corrected
    """
    import pandas as pd

    from synthesis import feedback, files
    from synthesis.commands.new_task import renamed
    from synthesis.run import Run

    run = Run.of(task)
    gold, labels = run.gold(), files.read_json(run.paths.labels)
    kept, _ = feedback.fresh(run.task, labels, gold)
    gold["validation"] = pd.concat([gold["validation"], kept])  # what no run has taken in so far
    mined = feedback.mine(run.task, file, renamed(column), labels, gold)
    if mined.left_out:
        print("left out: " + ", ".join(f"{count:,} {reason}" for reason, count in mined.left_out.items()))
    for conflict in mined.conflicts[:SHOWN]:
        print(f"conflict: {file} {conflict}")
    if len(mined.conflicts) > SHOWN:
        print(f"and {len(mined.conflicts) - SHOWN:,} more conflicts")
    if mined.rows.empty:
        print("no new gold rows")
        return
    written = feedback.add(run.task, mined.rows)
    print(f"new gold rows: {len(mined.rows):,}, in {written}; `dvc repro` takes them into validation")
