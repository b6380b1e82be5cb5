"""How fast `combine` filters, and how much memory it takes.

    python -m benchmarks.filters [--rows N ...]

Runs the stage itself on seed rows of 8 to 24 words, 5% of them duplicates, 5% nearly so, beside gold rows of the same
kind, in a process of its own for each number of rows. Linear: a row takes no longer among many than among few.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).parent.parent
TASK = "reviews"
GOLD = {"validation": 1_500, "selection": 500, "test": 2_000}
VOCABULARY = 20_000


def sentences(count: int, seed: int) -> list[str]:
    """Words as frequent as Zipf has them; of twenty texts one repeats an earlier one and one changes a word of it."""
    dice = np.random.default_rng(seed)
    words = np.array([f"{''.join(dice.choice(list('abcdefghijklmnoprstuvwy'), 6))}{i % 7}" for i in range(VOCABULARY)])
    shares = 1 / np.arange(10, VOCABULARY + 10)
    lengths = dice.integers(8, 25, count)
    drawn = iter(np.split(words[dice.choice(VOCABULARY, lengths.sum(), p=shares / shares.sum())], lengths.cumsum()))
    texts = []
    for i, own in zip(range(count), drawn, strict=False):
        kind = i % 20 if i > 20 else None
        other = texts[int(dice.integers(i))] if kind in (0, 10) else ""
        texts.append({0: other, 10: f"{other} {own[0]}"}.get(kind, " ".join(own)))
    return texts


def write(folder: Path, count: int) -> None:
    """The files that the stage reads."""
    labels = ["negative", "positive"]
    for seed, (split, rows) in enumerate(GOLD.items()):
        table = {
            "id": [f"{split}-{i}" for i in range(rows)],
            "text": sentences(rows, seed),
            "label": labels * (rows // 2),
        }
        path = folder / "data" / TASK / "gold" / f"{split}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(table).to_parquet(path, index=False)
    digest = ["0123456789abcdef" * 4] * count
    seed = {"id": [f"seed-{i}" for i in range(count)], "text": sentences(count, 9), "label": labels * (count // 2)}
    seed |= {"round": 0, "parent": "", "rationales": [["a reason", "another reason"]] * count}
    seed |= {"request": digest, "prompt": digest, "model": "m", "rejected": ""}
    pd.DataFrame(seed).to_parquet(folder / "data" / TASK / "seed.parquet", index=False)
    shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml")


def stage() -> None:
    """The stage in this process: prints what it measured."""
    from stages import combine
    from synthesis.run import Run

    run = Run.of(TASK)
    began = time.process_time(), time.perf_counter()
    combine.main(run, 0)
    cpu, wall = time.process_time() - began[0], time.perf_counter() - began[1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    metrics = json.loads(Path("metrics", TASK, "round0", "combine.json").read_text())
    print(json.dumps({"cpu": cpu, "wall": wall, "rss": peak, "rejected": metrics["rejected"]}))


def measure(count: int) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), count)
        words = [sys.executable, "-m", "benchmarks.filters", "--stage"]
        done = subprocess.run(words, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True)
    if done.returncode:
        sys.exit(f"{count} rows failed:\n{done.stderr.decode()}")
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--stage", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        return stage()
    print("| rows | duplicates | near duplicates | CPU s | rows/CPU s | time of a row | peak RSS MB |")
    print("|---|---|---|---|---|---|---|")
    first = None
    for count in options.rows:
        cost = measure(count)
        each, rejected = cost["cpu"] / count, cost["rejected"]
        first = first or each
        print(
            f"| {count:,} | {rejected.get('duplicate', 0):,} | {rejected.get('near duplicate', 0):,} "
            f"| {cost['cpu']:.0f} | {count / cost['cpu']:,.0f} | {each / first:.2f}x | {cost['rss']:,.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
