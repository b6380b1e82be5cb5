"""Where gold rows come from: a CSV, JSONL or Parquet file, or a data set of the Hugging Face hub."""

import json
from pathlib import Path

import pandas as pd

from synthesis import UserError


def read(source: str, split: str) -> pd.DataFrame:
    """Read every column as it is, with the row's number in the file as index.

    `source` is a path, or `owner/name[:config]:split` of the hub, where `split` is the default for its last part.
    Raises UserError for what is missing, empty, not UTF-8 or not readable.
    """
    suffix = Path(source).suffix
    if suffix in FILES:
        frame = _read_file(Path(source), FILES[suffix])
    elif Path(source).exists() or source.count("/") != 1:
        raise UserError(f"{source}: a gold source is a {', '.join(FILES)} file or a hub id like owner/name")
    else:
        frame = _read_hub(source, split)
    if frame.empty:
        raise UserError(f"{source} has no rows")
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="row number")
    return frame


def _read_file(path: Path, reader) -> pd.DataFrame:
    if not path.is_file():
        raise UserError(f"{path} does not exist: mend `gold.source` or `gold.test` of the task in params.yaml")
    try:
        return reader(path)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 (byte {error.start}): convert it, e.g. by `iconv -t utf-8`") from None
    except (ValueError, OSError) as error:  # pandas' and pyarrow's parsers raise children of these
        raise UserError(f"{path} cannot be read: {' '.join(str(error).split())}") from None


def _csv(path: Path) -> pd.DataFrame:
    path.read_bytes().decode("utf-8")  # pandas reads in pieces and would name a wrong byte
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except pd.errors.EmptyDataError:
        raise UserError(f"{path} is empty") from None


def _jsonl(path: Path) -> pd.DataFrame:
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(f"{path} line {number} is not JSON: {error.msg}") from None
        if not isinstance(row, dict):
            raise UserError(f"{path} line {number} is not a JSON object")
        rows.append(row)
    return pd.DataFrame(rows)


def _parquet(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path)


FILES = {".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}


def _read_hub(source: str, split: str) -> pd.DataFrame:
    from datasets import load_dataset
    from datasets.utils.logging import disable_progress_bar

    disable_progress_bar()
    name, *rest = source.split(":")
    config = rest[0] if len(rest) == 2 else None
    split = rest[-1] if rest else split
    try:
        return load_dataset(name, config, split=split).to_pandas()
    except Exception as error:  # the hub's client raises dozens of kinds, all of them mean the same to a user
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{source} (split {split}) cannot be loaded from the hub: {cause[:200]}; "
            "without the hub, set the task's gold.source and gold.test to files"
        ) from None
