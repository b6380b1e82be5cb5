"""Reading and writing what the stages exchange. A file appears whole or not at all."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from synthesis import UserError

BATCH = 50_000  # rows


@contextmanager
def whole(path):
    """Yield a temporary path beside `path`; rename it when the block ends well, remove it when it does not."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        yield draft
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def write(frame: pd.DataFrame, path) -> None:
    """Write Parquet. The same rows give the same bytes, so that an unchanged table makes nothing stale."""
    with whole(path) as draft:
        frame.reset_index(drop=True).to_parquet(draft, index=False)


@contextmanager
def append(path, like: list, *texts: str):
    """Yield a function that appends tables to a file of Parquet, for more rows than fit into memory.

    It has the columns of the files `like`, and `texts`. What an appended table lacks is null, what it has more is left
    out.
    """
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter, read_schema

    schemas = [*map(read_schema, like), pa.schema({name: pa.string() for name in texts})]
    schema = pa.unify_schemas([schema.remove_metadata() for schema in schemas], promote_options="permissive")
    with whole(path) as draft, ParquetWriter(draft, schema) as writer:
        yield lambda rows: writer.write_table(pa.Table.from_pandas(rows.reindex(columns=schema.names), schema, False))


def batches(paths: list, columns: list[str] | None = None) -> Iterator[pd.DataFrame]:
    """The rows of tables that earlier stages wrote, one table after another, BATCH rows at a time."""
    from pyarrow.parquet import ParquetFile

    for path in paths:
        with ParquetFile(path, buffer_size=2**20, pre_buffer=False) as file:  # not a whole group of rows at once
            for batch in file.iter_batches(BATCH, columns=columns):
                yield batch.to_pandas()


def write_csv(frame: pd.DataFrame, path) -> None:
    """Write CSV: what `dvc plots` reads."""
    with whole(path) as draft:
        frame.to_csv(draft, index=False, lineterminator="\n")


def write_text(text: str, path) -> None:
    """Write UTF-8 text."""
    with whole(path) as draft:
        draft.write_text(text, encoding="utf-8")


def write_json(value, path) -> None:
    """Write indented JSON, fit for git and for `dvc metrics diff`."""
    write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", path)


def copy(source, path) -> None:
    """Copy a file, or a folder with all that is in it in the place of what `path` held."""
    if Path(source).is_dir():
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(source, path)
    else:
        with whole(path) as draft:
            shutil.copyfile(source, draft)


def read(path) -> pd.DataFrame:
    """Read a Parquet table that an earlier stage wrote. Raises UserError when it is missing."""
    try:
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise _missing(path) from None


def read_json(path):
    """Read what `write_json` of an earlier stage wrote. Raises UserError when it is missing."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _missing(path) from None


def sha256(path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _missing(path) -> UserError:
    return UserError(f"{path} is missing: an earlier stage writes it, run `dvc repro`")
