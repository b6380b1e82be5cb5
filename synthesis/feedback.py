"""Corrected predictions become gold rows of the next run: rows of validation, which is mined for errors.

They are kept in data/gold/<task>/feedback.jsonl, under this repository's names, and never touch selection and test.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from synthesis import UserError, files, source, splits
from synthesis.paths import Paths
from synthesis.tasks import cells
from synthesis.tasks.base import Task

ANSWERS = {"label": "label", "answer": "answer", "answer_start": "start", "target": "text"}  # as `predict` calls them


class Mined(NamedTuple):
    """rows: the new gold rows. left_out: how many were left out, by reason. conflicts: what they are, in words."""

    rows: pd.DataFrame
    left_out: Counter
    conflicts: list[str]


def fresh(task: Task, labels: list[str], gold: dict[str, pd.DataFrame]) -> tuple[pd.DataFrame, int]:
    """The kept rows that may join validation, and how many may not.

    Those may not that gold has already, that contradict each other, or whose group has rows in selection or test.
    """
    file = Paths(task.name).feedback
    if not file.is_file():
        return gold["validation"].head(0), 0
    raw = source.read(str(file), "feedback")
    rows, _ = _checked(task, labels, raw, file)
    kept = rows[_places(task, rows, gold) == ""]
    return kept, len(raw) - len(kept)


def mine(task: Task, file: Path, given: dict[str, str], labels: list[str], gold: dict[str, pd.DataFrame]) -> Mined:
    """Gold rows out of a file of corrected predictions, of which those without a correction are left out.

    given: what the file calls the task's columns and targets, where that is neither their own name, nor the one that
    gold files or `predict` have for them. Raises UserError that names the file, and the row where it is one.
    """
    if not file.is_file():
        raise UserError(f"{file} does not exist, or is not a file")
    table = source.read(str(file), "feedback", "FILE")
    names = _named(task, list(table.columns), given, file)
    raw = pd.DataFrame({ours: table[theirs] for ours, theirs in names.items()})
    blank = raw[task.targets[0]].map(lambda value: all(map(_blank, cells.listed(value))))
    if "label" in names and _untouched(table, raw.label[~blank], names["label"]):
        raise UserError(
            f"{file}: column `{names['label']}` is what was predicted, row by row: name the column of the corrections "
            "by --column label=NAME, or correct it"
        )
    raw = task.corrected(raw[~blank])
    if raw.empty:
        raise UserError(f"{file} has no corrections: column `{names[task.targets[0]]}` is empty in every row")
    rows, dropped = _checked(task, labels, raw, file)
    left_out = Counter({"without a correction": int(blank.sum()), "twice in the file": dropped.get("duplicates", 0)})
    left_out["the same with several labels in the file"] = dropped.get("conflicts", 0)
    places = _places(task, rows, gold)
    left_out.update(reason for reason in places if reason)
    keys = task.fingerprints(rows)
    rows = rows.assign(id=[f"feedback-{hashlib.sha256(key.encode()).hexdigest()[:12]}" for key in keys])
    return Mined(rows[places == ""], +left_out, _conflicts(task, rows[places == CONFLICT], gold))


def add(task: Task, rows: pd.DataFrame) -> Path:
    """Put the rows behind those that are kept already, each with all answers that are right. Returns the file."""
    file = Paths(task.name).feedback
    before = file.read_text(encoding="utf-8") if file.is_file() else ""
    if before and not before.endswith("\n"):
        before += "\n"
    several = map(cells.listed, rows[task.truth])
    rows = rows.assign(**{task.targets[0]: [right if len(right) > 1 else right[0] for right in several]})
    lines = rows[["id", *task.fields]].to_json(orient="records", lines=True, force_ascii=False)
    files.write_text(before + lines.rstrip("\n") + "\n", file)
    return file


TEST, SELECTION = "of test, or with something of it", "with something of a selection row"
KNOWN, CONFLICT = "known already", "in conflict with a gold row"


def _places(task: Task, rows: pd.DataFrame, gold: dict[str, pd.DataFrame]) -> pd.Series:
    """Why each row may not join validation; nothing where it may."""
    keys, groups, reasons = task.fingerprints(rows), task.groups(rows), pd.Series("", index=rows.index, dtype=object)
    known = _truths(task, gold)
    held = gold["selection"][~gold["selection"].id.isin(gold["validation"].id)]  # the protocol `paper` mines them, too
    reasons[groups.isin(task.groups(held))] = SELECTION
    answers = dict(zip(rows.index, rows[task.targets[0]], strict=True))
    for row, key in keys[keys.isin(known)].items():
        reasons[row] = KNOWN if answers[row] in known[key] else CONFLICT
    reasons[keys.isin(task.fingerprints(gold["test"])) | groups.isin(task.groups(gold["test"]))] = TEST
    return reasons


def _truths(task: Task, gold: dict[str, pd.DataFrame]) -> dict[str, list]:
    """By the fingerprint of validation and selection rows all that is right."""
    rows = pd.concat([gold["validation"], gold["selection"]])
    return dict(zip(task.fingerprints(rows), map(cells.listed, rows[task.truth]), strict=True))


def _conflicts(task: Task, rows: pd.DataFrame, gold: dict[str, pd.DataFrame]) -> list[str]:
    known, keys = _truths(task, gold), task.fingerprints(rows)
    return [
        f"row {row}: `{cells.short(answer)}`, and gold has `{cells.short(known[key][0])}`"
        for row, answer, key in zip(rows.index, rows[task.targets[0]], keys, strict=True)
    ]


def _checked(task: Task, labels: list[str], raw: pd.DataFrame, file: Path) -> tuple[pd.DataFrame, dict[str, int]]:
    """As splits.checked; but the names of labels are those of the run, whatever params.yaml makes of a gold file's."""
    if "label" in raw:
        found = cells.spelled(raw.label, str(file), "label")
        cells.check_labels(found, labels, str(file), "mend the row, or leave it out")
    return splits.checked(_own(task, labels, raw), raw, str(file), "feedback", labels)


def _own(task: Task, labels: list[str], raw: pd.DataFrame) -> Task:
    """The task for a file that has this repository's names, and whose labels are those of the run."""
    columns = {column: column for column in ("id", *task.fields) if column in raw or column in task.columns}
    names = {"columns": columns, "labels": {label: label for label in labels}, "conflicts": "drop"}
    gold = task.settings.gold.model_copy(update=names)
    return type(task)(task.name, task.settings.model_copy(update={"gold": gold}))


def _named(task: Task, there: list[str], given: dict[str, str], file: Path) -> dict[str, str]:
    """By the task's columns and targets, what the file calls them."""
    if unknown := given.keys() - {*task.fields}:
        raise UserError(f"--column {min(unknown)}: task `{task.name}` has {', '.join(task.fields)}")
    found = {}
    for column in task.fields:
        usual = [task.settings.gold.columns.get(column, column), column, ANSWERS.get(column, column)]
        names = [given[column]] if column in given else usual
        name = next((name for name in names if name in there), None)
        if name is None and (column in given or column not in task.optional):
            raise UserError(
                f"{file} has no column `{names[0]}` (there: {', '.join(map(str, there))}): say which one it is by "
                f"--column {column}=NAME"
            )
        if name is not None:
            found[column] = name
    return found


def _untouched(table: pd.DataFrame, labels: pd.Series, column: str) -> bool:
    """Whether labels are, in every row, the likeliest by the probabilities that `predict` put beside them."""
    start = f"{column.removesuffix('label')}p("
    chances = table.loc[labels.index, [name for name in table if name.startswith(start) and name.endswith(")")]]
    chances = chances.apply(pd.to_numeric, errors="coerce").rename(columns=lambda name: name[len(start) : -1])
    if chances.shape[1] < 2 or labels.empty or chances.isna().any(axis=None):
        return False
    likeliest = chances.eq(chances.max(axis=1), axis=0)  # several, where they were rounded to the same
    said = pd.DataFrame({name: labels == name for name in chances})
    return bool((said & likeliest).any(axis=1).all())


def _blank(value) -> bool:
    return cells.missing(value) or (isinstance(value, str) and not value.strip())
