"""`synthesis worth`: whether the teacher is likely to be worth its price."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option


def worth(
    task: Annotated[str, Argument(metavar="TASK", help="A task of params.yaml.")],
    rows: Annotated[int, Option(metavar="N", min=10, help="How many rows the teacher writes as a sample.")] = 100,
) -> None:
    """Tell from a sample of the teacher's rows if more would pay.

    The teacher writes the first rows of the seed data, which a later run finds in the response store. By
    cross-validation on gold rows a student that learns them, alone or beside gold rows, is compared with one of gold
    rows alone. Rows of test have no part in it. First run: dvc repro rationales@TASK baseline@TASK

    Example: synthesis worth reviews
    """
    from synthesis import UserError, files, params
    from synthesis.filters import sift
    from synthesis.method import choice, seeding
    from synthesis.method.weighing import weigh
    from synthesis.report.tables import in_words
    from synthesis.run import Run

    settings = params.load()
    sample = settings.one(task).model_copy(update={"seed_rows": rows})
    run = Run.of(task, settings.model_copy(update={"task": settings.task | {task: sample}}))
    needed = [run.paths.labels, run.paths.rationales, run.paths.baseline_folds]
    if missing := [file for file in needed if not file.is_file()]:
        raise UserError(f"{missing[0]} is missing: run `dvc repro rationales@{task} baseline@{task}`")
    gold, alone = run.gold(), files.read(run.paths.baseline_folds)
    picked = run.student.changed(files.read_json(run.paths.metrics / "baseline.json")["picked"])
    written, metrics = seeding.write(run, seeding.Sources.of(run))
    written = sift(written, written.head(0), gold, run)
    written = weigh(run, written[written.rejected == ""], gold["validation"])
    scores = choice.judge(run, written, gold, picked, alone.set_index("id").score)
    print("\n".join(findings(choice.compare(scores), len(written), metrics, in_words(run.task.metric))))


def findings(judged: dict[str, dict], rows: int, metrics: dict, metric: str) -> list[str]:
    """What the sample says, line by line; the last one is what follows."""
    from synthesis.method.mixing import GOLD
    from synthesis.report.tables import dollars, markdown
    from synthesis.report.worth import LEARNED

    head = ["learned", "gold rows asked about", f"{metric}, %", "beside gold alone", "standard error"]
    table = [
        [LEARNED[name], row["judged"], *(_points(row.get(key)) for key in ("score", "difference", "error"))]
        for name, row in judged.items()
    ]
    paid = f"{metrics['calls']:,} answers, {dollars(metrics['dollars']).text}"
    title = f"{rows:,} rows of the teacher ({paid}), by cross-validation on gold rows:"
    last = verdict([row for name, row in judged.items() if name != GOLD])
    return [title, "", *markdown([head, *table]), "", last]


def verdict(rivals: list[dict]) -> str:
    """Whether more rows are likely to pay: what learned some, beside gold rows alone, by more than a standard error."""
    best = max(rivals, key=lambda row: row["difference"])
    if best["difference"] > best["error"]:
        return "More rows are likely to pay: these bring more than their standard error already."
    if best["difference"] < -best["error"]:
        return "More rows are not likely to pay: gold rows alone are better by more than the standard error."
    return "Whether more rows would pay cannot be told from these: the difference is within its standard error."


def _points(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"
