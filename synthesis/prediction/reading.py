"""The rows of a CSV, TSV, JSONL or Parquet file, one after the other, and what is wrong with those that cannot be read.

A file of any length takes the memory of a few thousand rows. A broken row costs itself, and no row after it.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet

from synthesis import UserError
from synthesis.source import DECODER

FORMATS = "a .csv, .tsv, .jsonl (each also .gz) or .parquet file"
LONGEST = 1_000_000  # characters of a cell: a quote that is never closed must not swallow the rest of the file
DEEPEST = 300  # lists and objects of JSON in one another: Python writes about a thousand, and some are its own calls
NOT_TEXT = re.compile("[\udc80-\udcff]")  # bytes that are no UTF-8, as Python reads them


class Record(NamedTuple):
    """A row of a file. row: its number, from 1. line: where it starts; None for Parquet. cells: by the file's columns;
    None for a row that cannot be read, which has a `problem`, and in `text` what stands in the file.
    """

    row: int
    line: int | None
    cells: dict | None
    problem: str = ""
    text: str = ""


class Table:
    """A file of rows.

    columns: of CSV, TSV and Parquet; None where each row has its own. schema: of Parquet.
    """

    def __init__(self, path):
        """Raises UserError for a file that is missing, of no known format, without rows, or not readable."""
        self.path, self.format = Path(path), suffix(path)
        self.columns, self.schema, self.rows, self._at = None, None, None, lambda: 0
        if not self.path.is_file():
            raise UserError(f"{path} does not exist, or is not a file")
        self.size = self.path.stat().st_size
        self._records = FORMATS_OF[self.format.removesuffix(".gz")](self)
        with _readable(self.path, 0):
            self._first = next(self._records, None)
        if self._first is None:
            raise UserError(f"{path} has no rows")

    def __iter__(self) -> Iterator[Record]:
        done = 1
        yield self._first
        while True:
            with _readable(self.path, done):
                record = next(self._records, None)
            if record is None:
                return
            yield record
            done += 1

    @property
    def progress(self) -> float:
        """Which share of the file has been read, between 0 and 1."""
        return min(1.0, self._at() / self.size) if self.size else 1.0

    def names(self) -> list[str]:
        """The columns, or where each row has its own, those of the first row."""
        return self.columns or list(self._first.cells or ())

    def check(self, columns: list[str]) -> list[str]:
        """The header. Raises UserError for two columns of one name."""
        named = [name or f"Unnamed: {place}" for place, name in enumerate(columns)]
        if twins := [name for name in named if named.count(name) > 1]:
            raise UserError(f"{self.path}: two columns are called `{twins[0]}`")
        if any(NOT_TEXT.search(name) or "\0" in name for name in named):
            raise UserError(f"{self.path}: the header is not UTF-8: convert the file, e.g. by `iconv -t utf-8`")
        return named

    def lines(self, newline: str) -> Lines:
        """The lines of a text file, unpacked."""
        raw = self.path.open("rb")
        self._at = lambda: self.size if raw.closed else raw.tell()
        binary = gzip.GzipFile(fileobj=raw) if self.format.endswith(".gz") else raw
        return Lines(binary, newline)


@contextmanager
def _readable(path: Path, done: int):
    """Make the errors of readers a UserError that says after which row."""
    try:
        yield
    # pyarrow's errors are children of ValueError and OSError, but for dates that Python has not
    except (ValueError, OSError, EOFError, OverflowError, zlib.error) as error:
        after = f" after row {done}" if done else ""
        raise UserError(f"{path} cannot be read{after}: {' '.join(str(error).split())[:200]}") from None


class Lines:
    """Lines of a text, one after the other, of which some may be given back.

    number: of the line that came last, from 1. taken: those since `take` was called.
    """

    def __init__(self, binary, newline: str):
        self.text = io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline=newline)
        self.number, self.taken, self.again = 0, [], deque()

    def __iter__(self):
        return self

    def __next__(self) -> str:
        line = self.again.popleft() if self.again else next(self.text)
        self.number += 1
        self.taken.append(line)
        return line

    def give_back(self) -> None:
        """All taken lines but the first will come again."""
        self.number -= len(self.taken) - 1
        self.again.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]

    def close(self) -> None:
        self.text.close()


def suffix(path) -> str:
    """The format of a file by its name, such as `.csv` or `.csv.gz`. Raises UserError for a name of none."""
    suffixes = [each.lower() for each in Path(path).suffixes[-2:]]
    packed = suffixes[-1:] == [".gz"]
    found = "".join(suffixes if packed else suffixes[-1:])
    if found.removesuffix(".gz") not in FORMATS_OF or (packed and found.startswith(".parquet")):
        raise UserError(f"{path} must be {FORMATS}")
    return found


def _csv(table: Table, delimiter: str = ",") -> Iterator[Record]:
    csv.field_size_limit(LONGEST)
    with closing(table.lines(newline="")) as lines:
        cells = csv.reader(lines, delimiter=delimiter, strict=True)
        row = 0
        while True:
            start, lines.taken = lines.number + 1, []
            problem, found = "", []
            try:
                found = next(cells)
            except StopIteration:
                return
            except csv.Error as error:
                problem = f"its quotes are unbalanced, or a cell is too long ({error})"
                lines.give_back()
            text = "".join(lines.taken)
            if not text.strip() and delimiter not in text:
                continue
            if table.columns is None:
                if problem:
                    raise UserError(f"{table.path}: the header cannot be read: {problem}")
                table.columns = table.check(found)
                continue
            row += 1
            width = len(table.columns)
            if len(found) == width + 1 and found[-1] == "":  # the row ends with a separator
                found = found[:-1]
            if not problem and len(found) != width:
                problem = f"it has {len(found)} fields, the header {width}"
            problem = problem or _unfit(text)
            cells_of = None if problem else dict(zip(table.columns, found, strict=True))
            yield Record(row, start, cells_of, problem, text.rstrip("\r\n") if problem else "")


def _tsv(table: Table) -> Iterator[Record]:
    return _csv(table, "\t")


def _jsonl(table: Table) -> Iterator[Record]:
    row = 0
    with closing(table.lines(newline="\n")) as lines:
        for line in lines:
            lines.taken = []
            if not line.strip():
                continue
            row += 1
            problem, value = _unfit(line), None
            try:
                value = None if problem else DECODER.decode(line)
            except KeyError as error:
                problem = f"it has the key `{error.args[0]}` twice"
            except (ValueError, RecursionError) as error:
                problem = f"it is not JSON: {error}"
            if not problem and not isinstance(value, dict):
                problem = "it is not a JSON object"
            elif not problem and line.count("[") + line.count("{") > DEEPEST and _deep(value):
                problem = f"its JSON is more than {DEEPEST} levels deep"
            yield Record(row, lines.number, None if problem else value, problem, line.rstrip("\n") if problem else "")


def _deep(value) -> bool:
    """Whether there are more than DEEPEST lists and objects in one another."""
    level = [value]
    for _ in range(DEEPEST):
        level = [part for each in level for part in (each.values() if isinstance(each, dict) else each)]
        level = [part for part in level if isinstance(part, dict | list)]
    return bool(level)


def _parquet(table: Table) -> Iterator[Record]:
    # Not a whole group of rows at once, which may be the whole file.
    with pyarrow.parquet.ParquetFile(table.path, buffer_size=2**20, pre_buffer=False) as file:
        table.schema, table.rows = file.schema_arrow, file.metadata.num_rows
        table.columns = table.check(table.schema.names)
        row = 0
        for batch in file.iter_batches(batch_size=1024):
            for cells in batch.to_pylist():
                row += 1
                yield Record(row, None, cells)


def _unfit(text: str) -> str:
    return "it is not UTF-8" if not text.isascii() and NOT_TEXT.search(text) else ""


FORMATS_OF: dict[str, Callable[[Table], Iterator[Record]]] = {
    ".csv": _csv,
    ".tsv": _tsv,
    ".jsonl": _jsonl,
    ".parquet": _parquet,
}
