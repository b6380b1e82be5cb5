"""`synthesis predict`: the student's answers to the rows of a file."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from synthesis import UserError


def predict(
    task: Annotated[str, Argument(metavar="TASK", help="A task of params.yaml.")],
    input_: Annotated[
        Path, Argument(metavar="INPUT", help="A CSV, TSV, JSONL (each also .gz) or Parquet file, of any length.")
    ],
    output: Annotated[
        Path, Argument(metavar="OUTPUT", help="What to write, of any of these formats; JSONL becomes JSONL.")
    ],
    column: Annotated[
        list[str] | None,
        Option(
            metavar="OURS=THEIRS",
            help="What INPUT calls one of the task's columns, such as text=body; by default as task.TASK.gold.columns "
            "says. Repeatable.",
        ),
    ] = None,
    prefix: Annotated[str, Option(help="What the names of the added columns begin with.")] = "",
    exported: Annotated[
        bool, Option("--export", help="Ask what `synthesis export` wrote, which is faster without a GPU.")
    ] = False,
    force: Annotated[bool, Option("--force", help="Overwrite OUTPUT, and forget an interrupted run.")] = False,
) -> None:
    """Let the student that ships answer each row of a file.

    The columns of INPUT stay. Added are `label` and the probability of each; or `answer`, `start` and `score`; or
    `text` and `score`. Rows that cannot be read, or lack a text, go to OUTPUT.rejected.jsonl with the reason. A run
    that was interrupted goes on where it stopped when it is started again.

    Example: synthesis predict reviews new.csv labelled.csv --column text=body
    """
    from synthesis.commands.new_task import renamed
    from synthesis.models.load import fingerprint
    from synthesis.prediction import run as prediction
    from synthesis.prediction.reading import Table, suffix
    from synthesis.prediction.writing import Output
    from synthesis.run import Run
    from synthesis.service.answers import FORMS
    from synthesis.students import saved

    run = Run.of(task)
    folder = run.paths.export if exported else run.paths.student
    facts = saved.facts(run.paths.student, task)
    if facts.reads != saved.reads(run.task):
        raise UserError(
            f"{run.paths.student} reads {', '.join(facts.reads)}, and task `{task}` no longer does: run `dvc repro`"
        )
    if exported and not folder.is_dir():
        raise UserError(f"{folder} is missing: `synthesis export {task}` writes it")
    if exported:
        from synthesis.service import engine  # late: it loads onnxruntime

        if engine.facts(folder)["student"] != fingerprint(str(run.paths.student)):
            raise UserError(f"{folder} is not of {run.paths.student} as it is now: run `synthesis export {task}`")
    if suffix(input_).startswith(".jsonl") and not suffix(output).startswith(".jsonl"):
        raise UserError(f"{output} must be a .jsonl or .jsonl.gz file: rows of JSON may each have other keys")
    if output.resolve() == input_.resolve():
        raise UserError(f"{output} is the input: name another file")
    table, form = Table(input_), FORMS[facts.answer](facts.labels)
    columns = prediction.named(run.task, table, renamed(column))
    new = prediction.added(table, form.columns, prefix)
    status = input_.stat()
    begun = {
        "input": [str(input_.resolve()), status.st_size, status.st_mtime_ns],
        "student": [str(folder), fingerprint(str(folder))],
        "columns": [columns, list(new)],
    }
    written = Output(output, begun, force)
    student = engine.Engine(folder) if exported else saved.Calibrated(saved.load(folder, facts.student), facts)
    try:
        counts = prediction.predict(run.task, student, form, table, written, columns, new)
    except KeyboardInterrupt:
        print(f"what is done is in {written.parts}: the same command goes on from there")
        raise
    rejected = f", {counts.rejected:,} rejected to {written.rejected}" if counts.rejected else ""
    print(f"{counts.rows:,} rows to {output}{rejected}; {counts.rate:,.0f} rows/s")
