"""Seed data of another teacher or project (Table 5 of the paper), as rows of this one."""

import sys

import numpy as np
import pandas as pd

from synthesis import UserError, files, source
from synthesis.filters import held_out
from synthesis.filters.rows import Rows
from synthesis.run import Run
from synthesis.tasks.base import Task
from synthesis.tasks.cells import check_labels, check_texts, spelled


def final_rows(run: Run) -> pd.DataFrame:
    """The synthetic rows of all rounds; with method.transfer.into: final, theirs in the place of the seed data, but for
    those that selection or test would recognise.

    Raises UserError as `read` does, and when no row of theirs is left.
    """
    rows, theirs = files.read(run.paths.train(run.last)), run.params.method.transfer
    if not theirs.file or theirs.into != "final":
        return rows
    own = read(run.task, theirs.file, files.read_json(run.paths.labels), theirs.where)
    gold = {split: Rows(table, run.task) for split, table in run.gold().items()}
    known = [place for place, *_ in held_out.find(Rows(own, run.task), gold)]
    if known:
        told = f"{theirs.file}: {len(known):,} of {len(own):,} rows also stand in test or selection"
        if len(known) == len(own):
            raise UserError(f"{told}: give method.transfer.file other rows")
        print(f"warning: {told} and are left out", file=sys.stderr)
        own = own.drop(index=own.index[known])
    return pd.concat([own, rows[rows["round"] > 0]])


def read(task: Task, file: str, labels: list[str], where: str | None = None) -> pd.DataFrame:
    """The rows of a file that has the task's columns and targets, labels by their names, as `synthesis.rows` has them.

    where: a column that is true for those that are taken. Raises UserError when a column is missing, a cell is no text,
    or a label unknown.
    """
    theirs = source.read(file, "train", "method.transfer.file in params.yaml")
    if where:
        theirs = theirs[chosen(theirs, file, where)]
    if missing := [column for column in task.fields if column not in theirs.columns]:
        raise UserError(f"{file} has no column `{missing[0]}` (there: {', '.join(map(str, theirs.columns))})")
    check_texts(theirs, task.columns, file)
    if task.can("labels"):
        theirs = theirs.assign(label=spelled(theirs.label, file, "label"))
        check_labels(theirs.label, labels, file, "mend the row")
    else:
        theirs = task.check_gold(theirs, file, None)
    provenance = {"request": "", "sample": 0, "attempt": 0, "prompt": "", "model": file, "rejected": ""}
    rows = theirs[task.fields].reset_index(drop=True).assign(round=0, parent="", replaces="", **provenance)
    rows.insert(0, "id", [f"seed-{i}" for i in range(len(rows))])
    rows.insert(rows.columns.get_loc("replaces") + 1, "rationales", [[] for _ in range(len(rows))])
    rows.insert(rows.columns.get_loc("rationales") + 1, "item", 0)
    return rows


def chosen(rows: pd.DataFrame, file: str, column: str) -> pd.Series:
    """Which rows a column of true and false picks. Raises UserError when there is no such column, or it picks none."""
    if column not in rows.columns or not rows[column].map(type).isin([bool, np.bool_]).all():
        raise UserError(f"method.transfer.where: {file} has no column `{column}` of true and false")
    if not rows[column].any():
        raise UserError(f"method.transfer.where: `{column}` is true for no row of {file}")
    return rows[column].astype(bool)
