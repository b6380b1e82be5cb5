"""How many requests a second the service answers, beside a plain endpoint on torch.

    python -m benchmarks.serve [--seconds N] [--repeat N] [--connections N]

Both serve the same fine-tuned MiniLM and are asked about the demo's reviews, a text a request, over as many connections
as are named, each of which asks again as soon as it is answered. `plain` is what is usually written first: a FastAPI
handler that calls a pipeline of transformers for each request. They take turns, and of each the
best of the repeats counts, because other programs can only make a run slower. The client runs on the same machine.
Processor time, of a request, says the same where other programs take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MODEL = "sentence-transformers/all-MiniLM-L6-v2"
PLAIN = """
import sys, uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import pipeline

classify = pipeline("text-classification", sys.argv[1], device="cpu", top_k=None)
app = FastAPI()

class Asked(BaseModel):
    inputs: str

@app.post("/predict")
def predict(asked: Asked):
    return classify(asked.inputs, truncation=True)

@app.get("/health")
def health():
    return {}

uvicorn.run(app, port=int(sys.argv[2]), log_level="warning")
"""


def prepare(folder: Path) -> None:
    """A MiniLM with a fresh head, as transformers keeps it, and its exports, float32 and int8."""
    import shutil

    from transformers import AutoModelForSequenceClassification

    from synthesis import export, files
    from synthesis.models.load import load_model, load_tokenizer
    from synthesis.students.classifier import FineTuned
    from synthesis.students.saved import Facts

    model = load_model(AutoModelForSequenceClassification, MODEL)
    student = FineTuned(["negative", "positive"], model, load_tokenizer(MODEL, 128))
    student.save(folder / "student")
    (folder / "float32").mkdir()
    facts = export.write(student.graph(), Facts("classifier", "label", ["text"], student.names), folder / "float32")
    files.write_json(facts | {"task": "reviews", "student": ""}, folder / "float32" / "export.json")
    shutil.copytree(folder / "float32", folder / "int8")
    export.quantise(folder / "int8" / "model.onnx")


def texts() -> list[str]:
    import pandas as pd

    return pd.read_csv("data/gold/reviews/reviews.csv").text.tolist()


async def ask(url: str, texts: list[str], connections: int, seconds: float) -> tuple[float, list[float]]:
    """Requests a second, and how long each took, in seconds."""
    import aiohttp

    took, end = [], time.perf_counter() + seconds

    async def one(session, place: int) -> None:
        while (started := time.perf_counter()) < end:
            place += connections
            async with session.post(url, json={"inputs": texts[place % len(texts)]}) as reply:
                assert reply.status == 200, await reply.text()
                await reply.read()
            took.append(time.perf_counter() - started)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as session:
        started = time.perf_counter()
        await asyncio.gather(*(one(session, place) for place in range(connections)))
        return len(took) / (time.perf_counter() - started), sorted(took)


def processor_seconds(process: int) -> float:
    """What a process has used of the processors so far."""
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def measure(words: list[str], port: int, asked: list[str], arguments) -> tuple[float, list[float], float]:
    """Start a server, warm it up, and ask it: requests a second, their seconds, processor seconds of each."""
    import urllib.error
    import urllib.request

    server = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL)
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health")
                break
            except urllib.error.URLError:
                assert server.poll() is None, "the server has not started"
                time.sleep(0.1)
        url = f"http://127.0.0.1:{port}/predict"
        asyncio.run(ask(url, asked, arguments.connections, 2))
        before = processor_seconds(server.pid)
        rate, took = asyncio.run(ask(url, asked, arguments.connections, arguments.seconds))
        return rate, took, (processor_seconds(server.pid) - before) / len(took)
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    arguments = parser.parse_args()
    asked = texts()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        prepare(folder)
        service = ["-m", "synthesis.service", "--port", "8391"]
        servers = {
            "plain": (["-c", PLAIN, str(folder / "student"), "8390"], 8390),
            "service": ([*service, str(folder / "float32")], 8391),
            "service, int8": ([*service, str(folder / "int8")], 8391),
        }
        best = dict.fromkeys(servers, (0.0, [0.0], 0.0))
        for _ in range(arguments.repeat):
            for name, (words, port) in servers.items():
                best[name] = max(best[name], measure(words, port, asked, arguments))
    cores = len(os.sched_getaffinity(0))
    print(f"{arguments.connections} connections, {cores} cores, {len(asked)} reviews")
    print("| server | requests/s | of plain | median ms | 99% ms | processor ms | of plain |")
    print("|---|---|---|---|---|---|---|")
    for name, (rate, took, used) in best.items():
        middle, late = (1000 * took[int(share * len(took))] for share in (0.5, 0.99))
        cells = [name, f"{rate:.0f}", f"{rate / best['plain'][0]:.2f}x", f"{middle:.0f}", f"{late:.0f}"]
        print("|", " | ".join([*cells, f"{1000 * used:.1f}", f"1/{best['plain'][2] / used:.2f}"]), "|")


if __name__ == "__main__":
    main()
