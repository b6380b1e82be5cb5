"""How many rows a second `synthesis predict` reads and writes, and in how much memory, beside what the student takes.

    python -m benchmarks.predict [--rows N ...]

The student here answers at once and always the same, so that what is left is the work of reading, checking, writing and
putting together. Each number of rows and format runs in a process of its own, and the memory is the most that it had.
"""

from __future__ import annotations

import argparse
import gzip
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet

from synthesis.params import Task as Settings
from synthesis.prediction import run as prediction
from synthesis.prediction.reading import Table
from synthesis.prediction.writing import Output
from synthesis.service.answers import FORMS
from synthesis.tasks import classification

FORMATS = "csv", "jsonl.gz", "parquet"
TEXT = "A film that is neither good nor bad, but long, and whose cast does what it can with the lines that it was given"
WRITTEN = 100_000  # rows at once


class Gold:
    columns = {}


class Ready:
    """A student that need not think."""

    def predict(self, inputs: list) -> np.ndarray:
        return np.tile(np.array([0.25, 0.75], np.float32), (len(inputs), 1))


def write(path: Path, rows: int) -> None:
    """A file of reviews, in the memory of a part of it."""
    parts = (range(start, min(start + WRITTEN, rows)) for start in range(0, rows, WRITTEN))
    if path.suffix == ".parquet":
        columns = pyarrow.schema([("id", pyarrow.int64()), ("text", pyarrow.string())])
        with pyarrow.parquet.ParquetWriter(path, columns) as file:
            for part in parts:
                table = {"id": list(part), "text": [f"{TEXT} {place}." for place in part]}
                file.write_table(pyarrow.table(table, columns))
        return
    line = '{{"id": {0}, "text": "{1} {0}."}}\n' if ".jsonl" in path.name else '{0},"{1} {0}."\n'
    with gzip.open(path, "wt", 1) if path.suffix == ".gz" else path.open("w") as file:
        file.write("" if ".jsonl" in path.name else "id,text\n")
        for part in parts:
            file.writelines(line.format(place, TEXT) for place in part)


def one(name: str, rows: int) -> None:
    """Print rows a second and MB of a run."""
    task = classification.Task("t", Settings.model_construct(kind="classification", words={}, gold=Gold()))
    with tempfile.TemporaryDirectory() as place:
        given, output = (Path(place) / f"{word}.{name}" for word in ("in", "out"))
        write(given, rows)
        table, form = Table(given), FORMS["label"](["no", "yes"])
        columns, new = prediction.named(task, table, {}), prediction.added(table, form.columns, "")
        counts = prediction.predict(task, Ready(), form, table, Output(output, {}, False), columns, new)
        assert counts.rows == rows, counts
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| {name} | {rows:,} | {counts.rate:,.0f} | {most:,.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        one(arguments.one[0], int(arguments.one[1]))
        return
    print("| format | rows | rows/s | MB |\n|---|---|---|---|", flush=True)
    for name in FORMATS:
        for rows in arguments.rows:
            words = ["-m", "benchmarks.predict", "--one", name, str(rows)]
            subprocess.run([sys.executable, *words], check=True, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
