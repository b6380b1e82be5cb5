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
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).parent.parent
TASK = "reviews"
GOLD = {"validation": 1_500, "selection": 500, "test": 2_000}
VOCABULARY = 20_000
WHO = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN


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
    began, used = time.perf_counter(), processor()
    combine.main(run, 0)
    cpu, wall = processor() - used, time.perf_counter() - began
    unit = 1024 if sys.platform != "darwin" else 1024**2
    peak = max(resource.getrusage(who).ru_maxrss for who in WHO) / unit
    metrics = json.loads(Path("metrics", TASK, "round0", "combine.json").read_text())
    print(json.dumps({"cpu": cpu, "wall": wall, "rss": peak, "rejected": metrics["rejected"]}))


def processor() -> float:
    """Seconds that this process and those that it has started and seen end have computed."""
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, WHO))


def measure(count: int) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own: what this one has used would count as the peak of those that it starts.
        writer = get_context("spawn").Process(target=write, args=(Path(folder), count))
        writer.start()
        writer.join()
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
    print("| rows | duplicates | near duplicates | CPU s | rows/CPU s | time of a row | s | peak RSS MB of a process |")
    print("|---|---|---|---|---|---|---|---|")
    first = None
    for count in options.rows:
        cost = measure(count)
        each, rejected, wall, rss = cost["cpu"] / count, cost["rejected"], cost["wall"], cost["rss"]
        first = first or each
        print(
            f"| {count:,} | {rejected.get('duplicate', 0):,} | {rejected.get('near duplicate', 0):,} "
            f"| {cost['cpu']:.0f} | {count / cost['cpu']:,.0f} | {each / first:.2f}x | {wall:.0f} | {rss:,.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
