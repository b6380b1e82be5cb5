"""How fast the teacher asks, and what a call costs the machine.

    python -m benchmarks.teacher [--calls N] [--repeat N]

Each client makes the same calls to a local server that answers after 100 ms, in a process of its own, so that its
memory is its own too. `teacher` is the whole path: render the prompt, look into the store, ask, commit, clean, parse.
`aiohttp` is the shortest loop that sends and parses JSON, `openai` the official client as it comes. The clients take
turns; of each the best of the repeats counts, because other programs can only make a run slower.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LATENCY = 0.1
CASES = [
    ("aiohttp", 100, False),
    ("openai", 100, False),
    ("teacher", 100, False),
    ("teacher", 100, True),
    ("aiohttp", 500, False),
    ("openai", 500, False),
    ("teacher", 500, False),
    ("teacher", 500, True),
]
FAULTS = {"429": 0.03, "500": 0.02}
TEMPLATE = "Write a {{ label }} film review.\nReasons:\n{% for reason in reasons %}\n- {{ reason }}\n{% endfor %}\n"


def slots(i: int) -> dict:
    return {"label": ("positive", "negative")[i % 2], "reasons": [f"reason {i}.{j} of a good length" for j in range(3)]}


def messages(i: int) -> list[dict]:
    shown = slots(i)
    reasons = "\n".join(f"- {reason}" for reason in shown["reasons"])
    return [{"role": "user", "content": f"Write a {shown['label']} film review.\nReasons:\n{reasons}"}]


async def pool(count: int, concurrency: int, call) -> None:
    numbers = iter(range(count))

    async def work():
        for i in numbers:
            await call(i)

    await asyncio.gather(*(work() for _ in range(concurrency)))


def bare(url: str, count: int, concurrency: int):
    """The shortest loop there is."""
    import aiohttp

    async def run():
        texts = [""] * count
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=concurrency)) as session:

            async def call(i):
                body = {"model": "m", "messages": messages(i)}
                async with session.post(f"{url}/chat/completions", json=body) as response:
                    texts[i] = (await response.json())["choices"][0]["message"]["content"]

            await pool(count, concurrency, call)
        return texts

    return lambda: asyncio.run(run())


def official(url: str, count: int, concurrency: int):
    """openai as its documentation shows it."""
    from openai import AsyncOpenAI

    async def run():
        texts = [""] * count
        async with AsyncOpenAI(base_url=url) as client:

            async def call(i):
                answer = await client.chat.completions.create(model="m", messages=messages(i))
                texts[i] = answer.choices[0].message.content

            await pool(count, concurrency, call)
        return texts

    return lambda: asyncio.run(run())


def whole(url: str, count: int, concurrency: int):
    """The teacher, from the prompt's file to the parsed answer."""
    import genai_prices.data  # noqa: F401  imports come before the clock starts, as with the other clients

    import synthesis.providers.openai
    import synthesis.teacher.loop  # noqa: F401
    from synthesis.params import Asking, Params, Verify
    from synthesis.params import Teacher as Settings
    from synthesis.paths import Paths
    from synthesis.run import Run
    from synthesis.tasks.classification import Task
    from synthesis.teacher.ask import Teacher
    from synthesis.teacher.prompt import Prompt

    settings = Settings(
        provider="openai", model="m", system=None, temperature=None, top_p=None, max_tokens=None, extra={}, attempts=1
    )
    asking = Asking(base_url=url, concurrency=concurrency, timeout=60)
    verify = Verify.model_construct(teacher=None)
    params = Params.model_construct(tasks=["bench"], rounds=[], teacher=settings, asking=asking, verify=verify)
    folder = Path(os.environ["TEACHER_STORE"]).parent
    paths = Paths("bench")
    paths.logs = folder / "logs"
    file = folder / "seed.md"
    file.write_text(TEMPLATE)

    def run():
        prompt = Prompt.load(file, {"label", "reasons"}, {"label"})
        requests = [prompt.request(slots(i)) for i in range(count)]
        teacher = Teacher(Run(Task("bench", None), params, paths), "seed")
        answers = teacher.ask(requests, check=lambda text, _: (text.rstrip("."), None))
        return [answer.text for answer in answers if not answer.rejected]

    return run


CLIENTS = {"aiohttp": bare, "openai": official, "teacher": whole}


def client(name: str, url: str, count: int, concurrency: int) -> None:
    """One client's run, in its own process: prints what it measured."""
    run = CLIENTS[name](url, count, concurrency)
    processor, wall = time.process_time(), time.perf_counter()
    texts = run()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    assert len(texts) == count and all(texts), "calls without an answer"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    print(json.dumps({"wall": wall, "cpu": processor, "rss": peak}))


def measure(server, name: str, count: int, concurrency: int, faults: bool) -> dict:
    space = server.space(latency=LATENCY, rates=FAULTS if faults else {})
    words = [sys.executable, "-m", "benchmarks.teacher", "--client", name, "--url", space.url]
    words += ["--calls", str(count), "--concurrency", str(concurrency)]
    with tempfile.TemporaryDirectory() as folder:
        store = {"TEACHER_STORE": f"{folder}/teacher.sqlite", "OPENAI_API_KEY": "none"}
        done = subprocess.run(words, env=os.environ | store, capture_output=True, text=True, timeout=300)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--client", choices=CLIENTS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--concurrency", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        return client(options.client, options.url, options.calls, options.concurrency)

    from tests.llm_server import Server

    best = {}
    with Server() as server:
        for _ in range(options.repeat):
            for name, concurrency, faults in CASES:
                result = measure(server, name, options.calls, concurrency, faults)
                known = best.setdefault((name, concurrency, faults), result)
                best[name, concurrency, faults] = {key: min(known[key], result[key]) for key in result}
    print(f"{options.calls} calls, {LATENCY * 1000:.0f} ms each, best of {options.repeat}\n")
    print("| client | in flight | calls/s | of ideal | of aiohttp | of openai | CPU ms/call | peak RSS MB |")
    print("|---|---|---|---|---|---|---|---|")
    for (name, concurrency, faults), result in best.items():
        rate, ideal = options.calls / result["wall"], concurrency / LATENCY
        rates = [rate / (options.calls / best[other, concurrency, False]["wall"]) for other in ("aiohttp", "openai")]
        label = f"{name}, 3% 429 and 2% 500" if faults else name
        print(
            f"| {label} | {concurrency} | {rate:,.0f} | {rate / ideal:.0%} | {rates[0]:.0%} | {rates[1]:.1f}x "
            f"| {result['cpu'] / options.calls * 1000:.2f} | {result['rss']:.0f} |"
        )


if __name__ == "__main__":
    main()
