"""Where gold rows come from: a CSV, TSV, JSON, JSONL or Parquet file, or a data set of the Hugging Face hub.

Cells stay as they are: nothing is guessed, and a file of which a cell's column is not certain is refused.
"""

import csv
import gzip
import io
import json
import sys
import zlib
from pathlib import Path

import pandas as pd
import pyarrow.parquet

from synthesis import UserError

FORMATS = ".csv, .tsv, .jsonl, .json (each also .gz), .parquet"


GOLD = "`gold.source` or `gold.test` of the task in params.yaml"


def read(source: str, split: str, key: str = GOLD) -> pd.DataFrame:
    """Read every column as it is, with the row's number in the file as index.

    `source` is a path, or `owner/name[:config]:split` of the hub, where `split` is the default for its last part. key:
    what names it. Raises UserError for what is missing, empty, not UTF-8 or not readable, and for rows that do not fit
    the header.
    """
    if reader := _reader(source):
        frame = _read_file(Path(source), reader, key)
    elif Path(source).exists() or source.count("/") != 1:
        raise UserError(f"{source}: {key} must be a {FORMATS} file or a hub id like owner/name")
    else:
        frame = _load_hub(source, split, key).to_pandas()
    if frame.empty:
        raise UserError(f"{source} has no rows")
    if frame.columns.duplicated().any():
        raise UserError(f"{source}: two columns are called `{frame.columns[frame.columns.duplicated()][0]}`")
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="row number")
    return frame


def class_names(source: str, column: str) -> list[str]:
    """The names of the labels 0, 1, ... of a column, where a Parquet file or the hub has them (`ClassLabel`).

    Otherwise nothing.
    """
    reader = _reader(source)
    if reader is _parquet:
        metadata = pyarrow.parquet.read_schema(source).metadata or {}
        return _names(metadata.get(b"huggingface", b""), column)
    return [] if reader else getattr(_load_hub(source, "train").features.get(column), "names", [])


def _names(metadata: bytes, column: str) -> list[str]:
    """The names that the metadata of the library `datasets` has for a column; nothing where they make no sense."""
    try:
        names = json.loads(metadata)["info"]["features"][column]["names"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return []
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else []


def _reader(source: str):
    """What reads a file of this name; None for a name that is of no format."""
    suffixes = [suffix.lower() for suffix in Path(source).suffixes[-2:]]
    if suffixes[-1:] == [".gz"]:
        return TEXTS.get(suffixes[0])
    return {**TEXTS, ".parquet": _parquet}.get(suffixes[-1]) if suffixes else None


def _read_file(path: Path, reader, key: str) -> pd.DataFrame:
    if not path.is_file():
        raise UserError(f"{path} does not exist: mend {key}")
    try:
        return reader(path)
    # pandas' and pyarrow's parsers raise children of ValueError and OSError
    except (ValueError, OSError, EOFError, RecursionError, zlib.error) as error:
        raise UserError(f"{path} cannot be read: {' '.join(str(error).split())}") from None


def _text(path: Path) -> str:
    """A file's text without a byte order mark."""
    content = path.read_bytes()
    if path.suffix.lower() == ".gz":
        content = gzip.decompress(content)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path} is not UTF-8 (byte {error.start}, line {line}): convert it, e.g. by `iconv -t utf-8`"
        ) from None
    if not text.strip():
        raise UserError(f"{path} is empty")
    return text


def _csv(path: Path, delimiter: str = ",") -> pd.DataFrame:
    csv.field_size_limit(sys.maxsize)
    lines = csv.reader(io.StringIO(_text(path), newline=""), delimiter=delimiter, strict=True)
    rows = []
    try:
        for row in lines:
            if len(row) > 1 or "".join(row).strip():
                rows.append(row)
    except csv.Error as error:
        place = f"{path} row {len(rows)}" if rows else f"{path}: the header"
        raise UserError(
            f"{place} has unbalanced quotes ({error}, line {lines.line_num}): a cell with quotes stands in "
            'quotes, and those within it are doubled, as in "say ""yes"""'
        ) from None
    header, rows = _header(rows[0], path), rows[1:]
    width = len(header)
    if rows and all(len(row) == width + 1 and row[-1] == "" for row in rows):  # each row ends with a separator
        rows = [row[:-1] for row in rows]
    for number, row in enumerate(rows, 1):
        if len(row) != width:
            raise UserError(
                f"{path} row {number} has {len(row)} fields, the header {width}: put a cell that holds the separator "
                "in quotes, and take out separators at the end"
            )
    return pd.DataFrame(rows, columns=header, dtype=object)


def _header(names: list[str], path: Path) -> list[str]:
    if any("\0" in name for name in names):
        raise UserError(f"{path}: the header holds NUL characters: convert the file to UTF-8 with `iconv`")
    return [name or f"Unnamed: {place}" for place, name in enumerate(names)]


def _tsv(path: Path) -> pd.DataFrame:
    return _csv(path, "\t")


def _json(path: Path) -> pd.DataFrame:
    """An object a line, or one array of objects."""
    text = _text(path)
    if text.lstrip().startswith("["):
        rows = _parsed(text, str(path))
        places = [f"{path} row {number}" for number in range(1, len(rows) + 1)]
    else:
        lines = {number: line for number, line in enumerate(text.split("\n"), 1) if line.strip()}
        places = [f"{path} line {number}" for number in lines]
        rows = [_parsed(line, place) for line, place in zip(lines.values(), places, strict=True)]
    for row, place in zip(rows, places, strict=True):
        if not isinstance(row, dict):
            raise UserError(f"{place} is not a JSON object")
    return pd.DataFrame(rows, dtype=object)  # as objects, since pandas would make 1.0 of a 1 beside a 0.5


def _parsed(text: str, place: str):
    try:
        return DECODER.decode(text)
    except json.JSONDecodeError as error:
        at = f" (line {error.lineno})" if "\n" in text.strip() else ""
        raise UserError(f"{place} is not JSON: {error.msg}{at}") from None
    except KeyError as error:
        raise UserError(
            f"{place} is not JSON that has one meaning: an object has the key `{error.args[0]}` twice"
        ) from None


def _unique(pairs: list[tuple]) -> dict:
    """An object of JSON. Raises KeyError for a key that stands there twice."""
    if len(value := dict(pairs)) == len(pairs):
        return value
    keys = [key for key, _ in pairs]
    raise KeyError(next(key for key in keys if keys.count(key) > 1))


DECODER = json.JSONDecoder(object_pairs_hook=_unique)


def _parquet(path: Path) -> pd.DataFrame:
    table = pyarrow.parquet.read_table(path, partitioning=None)
    table.validate(full=True)  # or else bytes that are no UTF-8 show up only where a cell is read
    return table.to_pandas(integer_object_nulls=True)


TEXTS = {".csv": _csv, ".tsv": _tsv, ".jsonl": _json, ".json": _json}


def _load_hub(source: str, split: str, key: str = GOLD):
    """A split of a data set, as the library `datasets` has it."""
    from datasets import load_dataset
    from datasets.utils.logging import disable_progress_bar

    disable_progress_bar()
    name, *rest = source.split(":")
    config = rest[0] if len(rest) == 2 else None
    split = rest[-1] if rest else split
    try:
        return load_dataset(name, config, split=split)
    except Exception as error:  # the hub's client raises dozens of kinds, all of them mean the same to a user
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{source} (split {split}) cannot be loaded from the hub: {cause[:200]}; "
            f"without the hub, set {key} to a file"
        ) from None
