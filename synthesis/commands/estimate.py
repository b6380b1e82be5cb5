"""`synthesis estimate`: what the teacher will cost."""

from __future__ import annotations

from contextlib import closing, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

if TYPE_CHECKING:
    from synthesis.estimate import Line
    from synthesis.params import Budget

HEAD = ["task", "stage", "requests", "stored", "tokens in", "tokens out", "dollars", "to spend", "time"]


def estimate(
    tasks: Annotated[list[str] | None, Argument(metavar="TASK", help="By default those that params.yaml runs.")] = None,
    rows: Annotated[
        int | None, Option(metavar="N", min=1, help="Seed rows of each task, in the place of task.<name>.seed_rows.")
    ] = None,
) -> None:
    """Estimate what the teacher will cost, before it is asked.

    It counts requests, tokens, dollars and time, stage by stage, and asks nobody. What earlier runs have left is used:
    labels, rationales, errors, and answers in the response store.

    Example: synthesis estimate reviews imdb --rows 1000000
    """
    from synthesis import params
    from synthesis.estimate import CHARACTERS, ERROR_RATE, Estimate, total
    from synthesis.run import Run
    from synthesis.teacher.ask import provider
    from synthesis.teacher.store import Store

    settings = params.load()
    runs = [Run.of(name, settings) for name in tasks or settings.tasks]
    for run in runs:
        run.check()
    ready = [run.paths.teacher.exists() or not settings.teacher.tune for run in runs]
    untuned = settings.model_copy(update={"teacher": settings.teacher.model_copy(update={"tune": None})})
    providers = [
        provider(run if there else replace(run, params=untuned)) for run, there in zip(runs, ready, strict=True)
    ]
    with closing(Store()) if providers[0].stored else nullcontext() as store:
        # Nobody has asked a teacher yet that is still to be tuned.
        each = zip(runs, providers, ready, strict=True)
        estimates = [Estimate(run, teacher, store if there else None, rows) for run, teacher, there in each]
        lines = [line for one in estimates for line in one.lines()]
    print(table([HEAD, *map(cells, [*lines, total(lines)])]))
    asked = total([line for line in lines if line.stage != "tune"])
    print(f"\n{settings.teacher.provider} {settings.teacher.model}; {compare(asked, settings.asking.budget)}")
    print(f"~ assumed: {CHARACTERS} characters a token; before a round is mined {ERROR_RATE:.0%} errors. <= at most:")
    print(
        "answers of teacher.max_tokens. Answers in the place of rejected ones (teacher.attempts, method.replacements)"
    )
    print("come on top.")
    for name in (one.run.task.name for one in estimates if one.uncounted):
        print(
            f"{name}: its gold rows are not counted yet, and so its rounds count as none: run `dvc repro gold@{name}`."
        )
    if rows:
        print(f"{rows:,} seed rows cost in proportion what those of params.yaml do; stored answers are not counted.")


def table(rows: list[list[str]]) -> str:
    """Columns under their heads: two of names, the others of numbers."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def cells(line: Line) -> list[str]:
    """The cells of a line: ~ before what is assumed, <= before what is a bound."""
    about = "~" if line.assumed else ""
    most = "<=" if line.bound else about
    measured = "" if line.requests == line.stored else "~"
    seconds = None if line.seconds is None else round(line.seconds)
    return [
        line.task,
        line.stage,
        f"{about}{line.requests:,}",
        f"{line.stored:,}",
        f"{measured}{line.tokens.prompts:,}",
        "unknown" if line.tokens.answers is None else f"{most}{line.tokens.answers:,}",
        money(line.dollars, most),
        money(line.to_spend, most),
        "unknown" if seconds is None else f"~{seconds // 60} min {seconds % 60} s",
    ]


def money(dollars: float | None, mark: str) -> str:
    if dollars is None:
        return "unknown"
    return f"{mark if dollars else ''}{dollars:.4f}"


def compare(line: Line, budget: Budget | None) -> str:
    """The budget, and how much of it the estimate is."""
    tokens = None if line.tokens.answers is None else line.tokens.prompts + line.tokens.answers
    parts = []
    for kind, used in (("dollars", line.dollars), ("requests", line.requests), ("tokens", tokens)):
        limit = getattr(budget, kind, None)
        if limit is not None:
            share = "unknown" if used is None else f"{used / limit:.0%}"
            amount = f"${limit:g}" if kind == "dollars" else f"{limit:,} {kind}"
            parts.append(f"{amount} (the estimate is {share} of it)")
    return f"budget: {', '.join(parts) or 'none'}"
