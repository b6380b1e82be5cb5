"""Reading a corpus, a text at a time: tables of texts, or a folder of text files. Each distinct text comes once."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet

from synthesis import UserError
from synthesis.tasks.cells import UNFIT

FORMATS = ".csv, .tsv, .jsonl and .parquet files, and folders of .txt files"
PIECE = 10_000  # characters: a longer text is parsed in pieces
BATCH = 50_000  # characters that are parsed together: bounds the memory of a process
ROWS = 1_000  # of a Parquet file, read at once


class Text(NamedTuple):
    """A text, or a piece of a long one. id: its file's name, or its row's number in the table."""

    id: str
    text: str


def read(source: str, column: str) -> Iterator[Text]:
    """The distinct texts of a corpus in its order, long ones in pieces; NULs and half characters become blanks.

    Raises UserError for a source that is missing, empty, of no known format or not readable, and for a missing column.
    """
    path, seen = Path(source), set()
    reader = _folder if path.is_dir() else READERS.get(path.suffix.lower())
    if not path.exists():
        raise UserError(f"{source} does not exist: mend `corpus.source` of the task in params.yaml")
    if reader is None:
        raise UserError(f"{source} is not a corpus that can be read: those are {FORMATS}")
    try:
        for name, text in reader(path, column):
            text = UNFIT.sub(" ", text)
            key = blake2b(text.encode(), digest_size=8).digest()
            if text.strip() and key not in seen:
                seen.add(key)
                yield from (Text(name, piece) for piece in pieces(text))
    except UnicodeDecodeError as error:
        raise UserError(f"{source} is not UTF-8 ({error.reason}): convert it, e.g. by `iconv -t utf-8`") from None
    except csv.Error as error:
        raise UserError(
            f"{source} has unbalanced quotes ({error}): a cell with quotes stands in quotes, and those within it are "
            'doubled, as in "say ""yes"""'
        ) from None
    except (ValueError, OSError) as error:  # of which pyarrow's errors are children
        raise UserError(f"{source} cannot be read: {' '.join(str(error).split())}") from None
    if not seen:
        raise UserError(f"{source} has no texts: it is empty, or all of its texts are")


def pieces(text: str) -> Iterator[str]:
    """A text in pieces of at most PIECE characters that end, where that can be, with a line, a sentence or a word."""
    start = 0
    while len(text) - start > PIECE:
        ends = (text.rfind(mark, start + 1, start + PIECE) for mark in ("\n", ". ", " "))
        end = next((end + 1 for end in ends if end > 0), start + PIECE)
        yield text[start:end]
        start = end
    yield text[start:]


def batches(texts: Iterable[Text]) -> Iterator[list[Text]]:
    """The texts in lots of about BATCH characters, which depend on nothing but the texts."""
    batch, size = [], 0
    for text in texts:
        batch.append(text)
        size += len(text.text)
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _folder(path: Path, column: str) -> Iterator[tuple[str, str]]:
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() == ".txt")
    if not files:
        raise UserError(f"{path} has no .txt files: mend `corpus.source` of the task in params.yaml")
    for file in files:
        name = file.relative_to(path).as_posix()
        try:
            yield name, file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise UserError(f"{file} is not UTF-8 ({error.reason}): convert it, e.g. by `iconv -t utf-8`") from None


def _csv(path: Path, column: str, delimiter: str = ",") -> Iterator[tuple[str, str]]:
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines, delimiter=delimiter, strict=True)
        _check(path, column, rows.fieldnames or [])
        for number, row in enumerate(rows, 1):
            if None in row.values() or any(row.get(None, ())):  # but for separators at the end of a row
                raise UserError(
                    f"{path} row {number} has not as many fields as the header: put a cell that holds the separator, "
                    "or quotes, in quotes"
                )
            yield str(number), row[column]


def _tsv(path: Path, column: str) -> Iterator[tuple[str, str]]:
    return _csv(path, column, "\t")


def _jsonl(path: Path, column: str) -> Iterator[tuple[str, str]]:
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                raise UserError(f"{path} line {number} is not JSON: {error}") from None
            if not isinstance(row, dict):
                raise UserError(f"{path} line {number} is not a JSON object")
            _check(f"{path} line {number}", column, list(row))
            yield str(number), _text(row[column], f"{path} line {number}", column)


def _parquet(path: Path, column: str) -> Iterator[tuple[str, str]]:
    with pyarrow.parquet.ParquetFile(path) as file:
        _check(path, column, file.schema_arrow.names)
        number = 0
        for batch in file.iter_batches(ROWS, columns=[column]):
            for value in batch.column(0).to_pylist():
                number += 1
                yield str(number), _text(value, f"{path} row {number}", column)


def _check(place, column: str, there: list[str]) -> None:
    if not there:
        raise UserError(f"{place} has no texts: it is empty")
    if column not in there:
        raise UserError(
            f"{place} has no column `{column}`, only {', '.join(map(str, there))}: "
            "name the column of the texts as `corpus.column` of the task in params.yaml"
        )
    if there.count(column) > 1:
        raise UserError(f"{place}: two columns are called `{column}`")


def _text(value, place: str, column: str) -> str:
    if value is not None and not isinstance(value, str):
        raise UserError(f"{place}: `{column}` is {type(value).__name__}, not a text")
    return value or ""


READERS = {".csv": _csv, ".tsv": _tsv, ".jsonl": _jsonl, ".parquet": _parquet}
