"""A table that is written chunk by chunk, each a file of its own, and put together when all are there.

So a run that is interrupted goes on after the last whole chunk, and OUTPUT is there whole or not at all.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow
import pyarrow.parquet
from filelock import FileLock, Timeout

from synthesis import UserError, files
from synthesis.prediction.reading import suffix

GROUP = 64  # chunks that a row group of Parquet is made of
TYPES = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}


class Output:
    """OUTPUT, its rejected rows, and the folder of chunks beside it.

    done: how many chunks are there already, of a run that was interrupted.
    """

    def __init__(self, path, begun: dict, force: bool):
        """begun: what the chunks depend on: those of an earlier run are used only if it is the same.

        Raises UserError when the folder is missing or cannot be written, something would be overwritten that must not,
        or another process writes here.
        """
        self.path, self.format = Path(path), suffix(path)
        self.rejected = self.path.with_name(f"{self.path.name}.rejected.jsonl")
        self.parts = self.path.with_name(f"{self.path.name}.parts")
        if not self.path.parent.is_dir():
            raise UserError(f"{self.path.parent}, the folder of {path}, does not exist: make it")
        if self.path.is_dir():
            raise UserError(f"{path} is a folder: name a file")
        self.state = self.parts / "state.json"
        before = files.read_json(self.state) if self.state.is_file() and not force else None
        if before != begun and not self._parts():  # nothing was done
            before = None
        if before is None and self.path.exists() and not force:
            raise UserError(f"{path} exists: name another file, or overwrite it by --force")
        if before is not None and before != begun:
            other = next(key for key in begun if before.get(key) != begun[key])
            raise UserError(
                f"{self.parts} holds an interrupted run with another {other}: name another OUTPUT, or begin anew by "
                "--force"
            )
        try:
            self.parts.mkdir(exist_ok=True)
        except OSError as error:  # a folder that may not be written, or a file of this name
            raise UserError(f"{self.parts} cannot be made: {error.strerror}: name an OUTPUT elsewhere") from None
        self.lock = FileLock(f"{self.parts}/lock")
        try:
            self.lock.acquire(timeout=0)
        except Timeout:
            raise UserError(f"another process writes {path} just now: wait for it, or name another file") from None
        if before is None:
            self._clear()
            files.write_json(begun, self.state)
        self.done = len(self._parts())

    def write(self, number: int, table: Rows, rejected: list[dict]) -> None:
        """Write chunk `number`: its rows, and those that were rejected."""
        name = self.parts / f"{number:08d}"
        files.write_text("".join(f"{dumped(row, ascii_only=True)}\n" for row in rejected), f"{name}.rejected")
        with files.whole(f"{name}{self.format}") as draft:  # last: a chunk counts when it is there
            WRITERS[self.format.removesuffix(".gz")](table, draft, number == 0, self.format.endswith(".gz"))

    def finish(self) -> int:
        """Put the chunks together. Returns how many rows were rejected."""
        rejected = sorted(self.parts.glob("*.rejected"))
        count = sum(part.read_bytes().count(b"\n") for part in rejected)
        draft = self.parts / "whole"  # here, where it is not left behind
        if count:
            _join(rejected, draft)
            os.replace(draft, self.rejected)
        else:
            self.rejected.unlink(missing_ok=True)
        (_join_parquet if self.format == ".parquet" else _join)(self._parts(), draft)
        os.replace(draft, self.path)
        self.forget()
        return count

    def forget(self) -> None:
        """Delete the folder of chunks."""
        self._clear()
        shutil.rmtree(self.parts)
        self.lock.release()

    def _clear(self) -> None:
        """Forget the chunks. The state goes first: without it, what is left after a kill is not gone on with."""
        self.state.unlink(missing_ok=True)
        for part in self.parts.iterdir():
            if part.name != "lock":
                part.unlink()

    def _parts(self) -> list[Path]:
        found = sorted(self.parts.glob(f"[0-9]*{self.format}"))
        return [part for place, part in enumerate(found) if part.name == f"{place:08d}{self.format}"]


class Rows(NamedTuple):
    """A chunk of rows, and what stands in the file: its columns, and for Parquet their types."""

    rows: list[dict]
    schema: pyarrow.Schema


def schema(own: pyarrow.Schema | None, columns: list[str], added: dict[str, type]) -> pyarrow.Schema:
    """The columns of a table: the input's own, which are texts where its file says nothing, and those added."""
    fields = list(own) if own is not None else [pyarrow.field(name, pyarrow.string()) for name in columns]
    return pyarrow.schema([*fields, *(pyarrow.field(name, TYPES[kind]) for name, kind in added.items())])


class _Lines(io.StringIO):
    """What csv writes, but lines end with a line feed alone. Told to end them so, it would quote no carriage return."""

    def write(self, line: str) -> int:
        return super().write(line.removesuffix("\r\n") + "\n")


def _write_csv(table: Rows, path: Path, first: bool, packed: bool, delimiter: str = ",") -> None:
    text = _Lines()
    lines = csv.writer(text, delimiter=delimiter)
    if first:
        lines.writerow(table.schema.names)
    lines.writerows([_cell(row[column]) for column in table.schema.names] for row in table.rows)
    _write_text(text.getvalue(), path, packed)


def _write_tsv(table: Rows, path: Path, first: bool, packed: bool) -> None:
    _write_csv(table, path, first, packed, "\t")


def _write_jsonl(table: Rows, path: Path, first: bool, packed: bool) -> None:
    _write_text("".join(f"{dumped(row)}\n" for row in table.rows), path, packed)


def _write_parquet(table: Rows, path: Path, first: bool, packed: bool) -> None:
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(table.rows, table.schema), path)


WRITERS = {".csv": _write_csv, ".tsv": _write_tsv, ".jsonl": _write_jsonl, ".parquet": _write_parquet}


def _write_text(text: str, path: Path, packed: bool) -> None:
    content = text.encode()
    path.write_bytes(gzip.compress(content, mtime=0) if packed else content)


def _cell(value) -> str:
    """A value as a cell of CSV."""
    if isinstance(value, str):
        return value
    return "" if value is None else dumped(value) if isinstance(value, list | dict | bool) else str(value)


def dumped(value, ascii_only: bool = False) -> str:
    """JSON in one line. Halves of characters, which UTF-8 cannot hold, are escaped; NaN and the infinities are null."""
    try:
        text = json.dumps(value, ensure_ascii=ascii_only, default=str, allow_nan=False)
    except ValueError:
        return dumped(_finite(value), ascii_only)
    if ascii_only or text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, default=str)
    return text


def _finite(value):
    """A value with None for NaN and the infinities, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _join(parts: list[Path], path: Path) -> None:
    """One file after the other, which for gzip is a file as well."""
    with path.open("wb") as whole:
        for part in parts:
            with part.open("rb") as file:
                shutil.copyfileobj(file, whole)


def _join_parquet(parts: list[Path], path: Path) -> None:
    own = pyarrow.parquet.read_schema(parts[0])
    with pyarrow.parquet.ParquetWriter(path, own) as whole:
        for several in _groups(parts):
            whole.write_table(pyarrow.concat_tables(map(pyarrow.parquet.read_table, several)))


def _groups(parts: list[Path]) -> Iterator[list[Path]]:
    return (parts[start : start + GROUP] for start in range(0, len(parts), GROUP))
