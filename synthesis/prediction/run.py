"""Prediction: every row of a file gets the student's answer, in the memory of a few thousand rows."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple, Protocol

import pandas as pd
from tqdm import tqdm

from synthesis import UserError
from synthesis.prediction import writing
from synthesis.prediction.reading import Record, Table
from synthesis.prediction.writing import Output, Rows
from synthesis.tasks import cells
from synthesis.tasks.base import Task

CHUNK = 2048  # rows that are predicted, written and, after an interruption, perhaps predicted again together
MISSING = "is missing"  # why a row without a column is rejected


class Student(Protocol):
    """Whatever predicts: a student, or an exported one."""

    def predict(self, inputs: list) -> Sequence: ...


class Counts(NamedTuple):
    rows: int
    rejected: int
    rate: float  # rows a second, of this run


def named(task: Task, table: Table, given: dict[str, str]) -> dict[str, str]:
    """By the task's columns, what the file calls them: as `given`, or as gold files do, or as the task itself.

    Raises UserError when the file lacks one, or the task has no such column.
    """
    if unknown := given.keys() - {*task.columns}:
        raise UserError(f"--column {min(unknown)}: task `{task.name}` reads {', '.join(task.columns)}")
    found, there = {}, table.names()
    for column in task.columns:
        usual = task.settings.gold.columns.get(column, column)
        names = [given[column]] if column in given else [usual, column]
        found[column] = next((name for name in names if name in there), names[0])
        if table.columns and found[column] not in there:
            raise UserError(
                f"{table.path} has no column `{found[column]}` (there: {', '.join(there)}): say which one it is by "
                f"--column {column}=NAME"
            )
    return found


def added(table: Table, columns: dict[str, type], prefix: str) -> dict[str, type]:
    """The columns that are added, with their types. Raises UserError when the file has one of them already."""
    prefixed = {prefix + name: kind for name, kind in columns.items()}
    if twins := [name for name in prefixed if name in table.names()]:
        raise UserError(
            f"{table.path} has a column `{twins[0]}` already: name what is added otherwise, for instance by "
            "--prefix predicted_"
        )
    return prefixed


def predict(
    task: Task, student: Student, form, table: Table, output: Output, columns: dict[str, str], new: dict[str, type]
) -> Counts:
    """Write what the student answers to each row of the table.

    form: of its answers. columns: by the task's columns, the table's. new: the columns that are added.
    """
    schema = writing.schema(table.schema, table.columns or [], new)
    started, seen, fresh = time.perf_counter(), 0, 0
    with tqdm(total=table.rows, desc="predicting", unit="row", disable=None) as bar:
        for number, records in enumerate(_chunks(table)):
            seen += len(records)
            if number >= output.done:
                rows, rejected = _sift(records, columns, new)
                if number == 0 and not rows:
                    output.forget()
                    first = f"row {rejected[0]['row']}: {rejected[0]['reason']}"
                    if first.endswith(MISSING):
                        first += ": if it is called otherwise, say so by --column OURS=THEIRS"
                    raise UserError(f"{table.path}: none of its first {len(records)} rows can be used; {first}")
                answers = student.predict(_inputs(task, rows, columns)) if rows else []
                rows = [
                    {**row, **dict(zip(new, form.cells(answer), strict=True))}
                    for row, answer in zip(rows, answers, strict=True)
                ]
                output.write(number, Rows(rows, schema), rejected)
                fresh += len(records)
            bar.total = table.rows or round(seen / max(table.progress, 1e-9))
            bar.update(len(records))
            if number + 1 == output.done:
                print(f"going on after row {seen:,}", file=sys.stderr)
                bar.unpause()
    rejected = output.finish()
    return Counts(seen - rejected, rejected, fresh / (time.perf_counter() - started))


def _chunks(table: Table) -> Iterator[list[Record]]:
    records = iter(table)
    while chunk := list(islice(records, CHUNK)):
        yield chunk


def _sift(records: list[Record], columns: dict[str, str], new: dict[str, type]) -> tuple[list[dict], list[dict]]:
    """The cells of rows that can be predicted; and of the others their place, why not, and what they hold."""
    rows, rejected = [], []
    for record in records:
        if reason := record.problem or _problem(record.cells, columns, new):
            place = {"row": record.row} if record.line is None else {"row": record.row, "line": record.line}
            rejected.append({**place, "reason": reason, "input": record.cells or record.text})
        else:
            rows.append(record.cells)
    return rows, rejected


def _problem(row: dict, columns: dict[str, str], new: dict[str, type]) -> str:
    if twins := [name for name in new if name in row]:  # each row of JSON may have other keys than the first
        return f"it has `{twins[0]}` already: name what is added otherwise by --prefix"
    for name in columns.values():
        if name not in row:
            return f"`{name}` {MISSING}"
        try:
            cells.check_text(row[name], f"`{name}`")
        except UserError as error:
            return str(error)
    return ""


def _inputs(task: Task, rows: list[dict], columns: dict[str, str]) -> list:
    return task.inputs(pd.DataFrame({ours: [row[theirs] for row in rows] for ours, theirs in columns.items()}))
