"""How fast a corpus becomes pairs of question and answer, beside spaCy's own loop.

    python -m benchmarks.corpus FILE [--column context] [--texts 600]

The same texts go through `spacy.load(...).pipe` as its documentation shows it, and through `synthesis.corpus`, parsing
and asking, in one process and in two; each way is a process of its own, in turn, `--rounds` times. Sentences for a
second of the processor are those of all processes together, without what it takes to load the model; `--rounds` shows
how much other work on the machine matters.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
WAYS = ("plain, 1 process", "plain, 2 processes", "ask, 1 process", "ask, 2 processes")


def cpu() -> float:
    """Seconds of the processor that this process and those that it has waited for have used."""
    return sum(os.times()[:4])


def run(way: str, options) -> dict:
    """One way in this process: seconds, seconds of the processor and memory, from the model's loading on."""
    from synthesis.corpus import sentences, templates, texts
    from synthesis.parsers import spacy

    name, processes = way.split(", ")[0], int(way.split()[-2])
    corpus = list(itertools.islice(texts.read(options.file, options.column), options.texts))

    def work(corpus) -> tuple[int, int]:
        if name == "plain":
            docs = spacy.load("the benchmark needs a parser").pipe([text.text for text in corpus], n_process=processes)
            return sum(1 for doc in docs for _ in doc.sents), 0
        found = list(sentences.ask(texts.batches(corpus), templates.load(), processes))
        return sum(one.sentences for one in found), sum(len(one.pairs) for one in found)

    spent = []
    for part in (corpus[: 2 * processes], corpus):  # a few texts first: what loading takes
        began = time.perf_counter(), cpu()
        sentences_, pairs = work(part)
        spent.append((time.perf_counter() - began[0], cpu() - began[1]))
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
    wall, used = (whole - load for load, whole in zip(*spent, strict=True))
    return {"sentences": sentences_, "pairs": pairs, "wall": wall, "cpu": used, "load": spent[0][0], "rss": peak}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", help="a corpus, as `corpus.source` takes it")
    parser.add_argument("--column", default="text")
    parser.add_argument("--texts", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        return print(json.dumps(run(options.way, options)))
    print("| way | sentences | pairs | sentences/s | sentences/CPU s | of plain | load s | peak RSS MB |")
    print("|---|---|---|---|---|---|---|---|")
    for _ in range(options.rounds):
        base = None
        for way in WAYS:
            words = [sys.executable, "-m", "benchmarks.corpus", *sys.argv[1:], "--way", way]
            done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{way} failed:\n{done.stderr}")
            cost = json.loads(done.stdout)
            rate = cost["sentences"] / cost["cpu"]
            base = base or rate
            print(
                f"| {way} | {cost['sentences']:,} | {cost['pairs']:,} | {cost['sentences'] / cost['wall']:,.0f} "
                f"| {rate:,.0f} | {rate / base:.2f}x | {cost['load']:.1f} | {cost['rss']:,.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
