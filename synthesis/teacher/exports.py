"""Answers as lines of JSON: what `synthesis store export` writes, and what is recorded in the repository.

Exports in data/teacher/ are read where the response store has no answer, so that what is committed there runs without
asking anybody, on any machine and in any experiment.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from synthesis import UserError
from synthesis.teacher.request import canonical, sha256

RECORDED = Path("data/teacher")
REPLY = ["text", "finish", "tokens_in", "tokens_out", "model", "tokens_reasoning"]  # the fields of a Reply, in order
COLUMNS = ["request", "sample", "attempt", "body", *REPLY, "created"]  # the first three are the key


def write(rows: Iterable[tuple], file: io.TextIOBase) -> int:
    """Write rows of COLUMNS, a line each. Returns how many they are."""
    count = 0
    for row in rows:
        file.write(json.dumps(entry(row), ensure_ascii=False) + "\n")
        count += 1
    return count


def read(lines: Iterable[str], name: str) -> Iterator[tuple]:
    """The rows of COLUMNS of an export. name: what errors call the lines. Raises UserError that names a bad line."""
    for number, line in enumerate(lines, 1):
        where = f"{name}:{number}"
        try:
            fields = {"tokens_reasoning": None} | json.loads(line)  # earlier exports have none
            row = {column: fields[column] for column in COLUMNS}
        except (ValueError, KeyError, TypeError):
            raise UserError(f"{where} is not a line of `synthesis store export`") from None
        row["body"] = canonical(row["body"])
        if sha256(row["body"]) != row["request"]:
            raise UserError(f"{where}: the body is not the one that was asked, its hash differs")
        yield tuple(row.values())


def entry(row: tuple) -> dict:
    """A row of COLUMNS with its body as JSON."""
    fields = dict(zip(COLUMNS, row, strict=True))
    return fields | {"body": json.loads(fields["body"])}


@contextmanager
def open_text(file: Path, mode: str, packed: bool) -> Iterator[io.TextIOBase]:
    """Open a file to read or write text; packed: by gzip, always to the same bytes."""
    with file.open(f"{mode}b") as content:
        content = gzip.GzipFile("", f"{mode}b", fileobj=content, mtime=0) if packed else content
        with io.TextIOWrapper(content, encoding="utf-8") as text:
            yield text


def recorded() -> dict[tuple, tuple]:
    """The answers recorded in the repository: rows of COLUMNS by request, sample and attempt."""
    return _recorded(tuple(sorted(RECORDED.absolute().glob("*.jsonl.gz"))))


@cache
def _recorded(files: tuple[Path, ...]) -> dict[tuple, tuple]:
    answers = {}
    for file in files:
        try:
            with open_text(file, "r", packed=True) as lines:
                answers |= {row[:3]: row for row in read(lines, str(file))}
        except (OSError, EOFError, UnicodeDecodeError) as error:
            raise UserError(f"{file} cannot be read: {error}. `git checkout {file}` restores it") from None
    return answers
