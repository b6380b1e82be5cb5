"""Reading and writing what the stages exchange. A file appears whole or not at all."""

import json
import os
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from stages.pipeline.stage import UserError


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


def write_csv(frame: pd.DataFrame, path) -> None:
    """Write CSV: what `dvc plots` reads."""
    with whole(path) as draft:
        frame.to_csv(draft, index=False, lineterminator="\n")


def read(path) -> pd.DataFrame:
    """Read a Parquet table that an earlier stage wrote."""
    try:
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise UserError(f"{path} is missing: an earlier stage writes it, run `dvc repro`") from None


def write_json(value, path) -> None:
    """Write sorted, indented JSON, fit for git and for `dvc metrics diff`."""
    with whole(path) as draft:
        draft.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path):
    """Read what `write_json` of an earlier stage wrote."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: an earlier stage writes it, run `dvc repro`") from None
