"""Synthetic rows, with their provenance: what the teacher wrote, and what stands beside it."""

import pandas as pd

from stages import source
from stages.pipeline.stage import UserError
from stages.teacher.request import Answer

PROVENANCE = ["request", "sample", "attempt", "prompt", "model", "rejected"]


def provenance(answer) -> dict:
    """Where a row comes from: the answer's key in the store (request, sample, attempt), the prompt's hash, the model.

    `rejected` is empty, or the reason why the answer cannot be used.
    """
    return {
        "request": answer.request,
        "sample": answer.sample,
        "attempt": answer.attempt,
        "prompt": answer.prompt,
        "model": answer.model,
        "rejected": answer.rejected or "",
    }


def rows(task, wanted: list[dict], answers: list, q: int) -> pd.DataFrame:
    """Round q's rows: the task's columns and targets, `parent` (the gold id extrapolated from) and `rationales`."""
    name = f"round{q}" if q else "seed"
    written = [
        {
            "id": f"{name}-{i}",
            **task.answered(answer.text, row),
            "round": q,
            "parent": row.get("parent", ""),
            "rationales": row.get("rationales", []),
            **provenance(answer),
        }
        for i, (row, answer) in enumerate(zip(wanted, answers, strict=True))
    ]
    columns = ["id", *task.columns, *task.targets, "round", "parent", "rationales", *PROVENANCE]
    return pd.DataFrame(written, columns=columns)


def gold(text: str) -> Answer:
    """A gold row's own text in the place of an answer."""
    return Answer(text, request="", sample=0, attempt=0, prompt="", model="gold")


def borrowed(task, file: str, labels: list[str]) -> pd.DataFrame:
    """Seed data of another teacher or project: a file with the task's columns and targets, labels by their names.

    Raises UserError when a column is missing or empty, or a label unknown.
    """
    found = source.read(file, "train")
    needed = [*task.columns, *task.targets]
    if missing := [column for column in needed if column not in found.columns]:
        raise UserError(f"{file} has no column `{missing[0]}` (there: {', '.join(map(str, found.columns))})")
    source.filled(found, needed, file)
    if "label" in needed and (strange := ~found.label.isin(labels)).any():
        row = strange.idxmax()
        raise UserError(f"{file} row {row}: unknown label `{found.label[row]}` (known: {', '.join(labels[:8])})")
    answer = Answer("", request="", sample=0, attempt=0, prompt="", model=file)
    told = {"round": 0, "parent": "", **provenance(answer)}
    rows = found[needed].reset_index(drop=True).assign(**told)
    rows.insert(0, "id", [f"seed-{i}" for i in range(len(rows))])
    rows.insert(list(rows.columns).index("parent") + 1, "rationales", [[] for _ in range(len(rows))])
    return rows
