"""Cells of a file of gold rows: which values are texts, and which are labels. None is turned into a string by force."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from decimal import Decimal

import numpy as np
import pandas as pd

from synthesis import UserError

UNFIT = re.compile("[\0\ud800-\udfff]")
NUMBER = re.compile(r"[+-]?\d+(\.\d*)?", re.ASCII)
TRUTH = {"true": "1", "false": "0"}


def check_texts(rows: pd.DataFrame, columns: Iterable[str], file: str) -> None:
    """Raise UserError when a cell of the columns is no string, or an empty one. The index numbers the file's rows."""
    for column in columns:
        for row, value in zip(rows.index, rows[column].tolist(), strict=True):
            if not _fit(value):
                check_text(value, f"{file} row {row}: `{column}`")


def check_text(value, place: str) -> None:
    """Raise UserError when a value is no string, a blank one, or one that no file can hold."""
    if missing(value) or (isinstance(value, str) and not value.strip()):
        raise UserError(f"{place} is empty")
    if not isinstance(value, str):
        raise UserError(f"{place} is {short(value)}, which is not a text: write it in quotes if it is meant as one")
    if unfit := UNFIT.search(value):
        what = "a NUL character" if unfit[0] == "\0" else f"half a character (the lone surrogate U+{ord(unfit[0]):X})"
        raise UserError(f"{place} holds {what}: mend the row")


def spelled(values: pd.Series, file: str, column: str, noun: str = "label") -> pd.Series:
    """Labels or ids as strings: strings as they are, whole numbers and booleans as they are written.

    A list of one counts as that one. Raises UserError for all else. The index numbers the file's rows.
    """
    cells = [_only(value) for value in values.tolist()]
    for row, value in zip(values.index, cells, strict=True):
        if _fit(value):
            continue
        if isinstance(value, str) or missing(value):
            check_text(value, f"{file} row {row}: `{column}`")
        elif isinstance(value, list | tuple):
            raise UserError(
                f"{file} row {row}: `{column}` is {short(value)}, and there must be one {noun} a row: mend the row"
            )
        elif not (isinstance(value, bool | int) or (isinstance(value, float) and value.is_integer())):
            raise UserError(
                f"{file} row {row}: `{column}` is {short(value)}: {noun}s are strings, whole numbers or booleans"
            )
    if all(isinstance(value, float) for value in cells):  # a column of numbers with a decimal point each
        cells = map(int, cells)
    return pd.Series(list(map(str, cells)), index=values.index, dtype=str)


def check_labels(values: pd.Series, known: Iterable[str], file: str, way_out: str) -> None:
    """Raise UserError when a value is none of the known labels. The index numbers the rows of the file."""
    unknown = ~values.isin(known)
    if unknown.any():
        row = unknown.idxmax()
        there = ", ".join(sorted(known)[:8])
        raise UserError(f"{file} row {row}: unknown label `{values[row]}` (known: {there}): {way_out}")


def check_distinct(labels: pd.Series, file: str, key: str) -> None:
    """Raise UserError when labels differ only in blanks, case, the composition of accents or the form of a number.

    key: the parameter that can map them.
    """
    if twins := look_alikes(labels):
        shown = "; ".join(" and ".join(f"`{label}`" for label in several) for several in twins)
        one = {label: unicodedata.normalize("NFC", several[0].strip()) for several in twins for label in several}
        mapping = json.dumps({label: one.get(label, label) for label in sorted(labels.unique())})
        raise UserError(
            f"{file}: labels that differ only in blanks, case, composition of accents or form of a number: {shown}: "
            f"mend the file, or give all labels their names under {key}, the same name to those that are one: {mapping}"
        )


def look_alikes(labels: pd.Series) -> list[list[str]]:
    """Labels that are probably one, together."""
    forms = {}
    for label in sorted(labels.unique()):
        forms.setdefault(_form(label), []).append(label)
    return [several for several in forms.values() if len(several) > 1]


def all_numbers(labels: pd.Series) -> bool:
    """Whether labels say nothing: 0, 1, ..."""
    return all(map(NUMBER.fullmatch, labels.unique()))


def missing(value) -> bool:
    """None, NaN, NaT and pandas' NA."""
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


def listed(value) -> list:
    """What files give as one value, as several, or not at all."""
    if isinstance(value, list | tuple | np.ndarray):
        return list(value)
    return [] if missing(value) else [value]


def short(value) -> str:
    """A value in one line of at most 40 characters."""
    text = " ".join(value.split() if isinstance(value, str) else repr(value).split())
    return text if len(text) <= 40 else text[:39] + "…"


def _fit(value) -> bool:
    """Whether a value is a text that a file can hold."""
    return isinstance(value, str) and bool(value.strip()) and not UNFIT.search(value)


def _only(value):
    """The one value of a list of one, as Python has it."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple) and len(value) == 1:
        [value] = value
    return value.item() if isinstance(value, np.generic) else value


def _form(label: str) -> str:
    """What a label has in common with other spellings of it."""
    label = unicodedata.normalize("NFC", unicodedata.normalize("NFC", label).casefold())
    label = "".join(char for char in label if not char.isspace() and unicodedata.category(char) != "Cf")
    if NUMBER.fullmatch(label):
        return str(Decimal(label).normalize() + 0)
    return TRUTH.get(label, label)
