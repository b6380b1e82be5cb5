"""How fast a model on this machine writes, and how much memory it takes.

    python -m benchmarks.local [--model PATH] [--rows N] [--batch N] [--tokens N] [--stop STRING]

Each way writes the same rows, batch rows at once, with the same settings, in a process of its own: `generate` is
transformers' as its documentation shows it, rows of like length in a batch; `provider` is the local teacher alone;
`teacher` is its whole path: store, progress, cleaning. Only `teacher` needs more than torch, transformers and pyyaml,
and is left out where that is missing. Tokens are those of answers: no padding, nothing after an answer's end. The clock
starts when the model is loaded. CPU s is the processor's time, which other programs on the machine change less.
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
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from types import SimpleNamespace

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
TOPICS = "the plot", "the cast", "its music", "its pace", "the camera", "its dialogue", "the ending", "its humour"
PLACES = "at home", "at the cinema", "on a plane", "with friends", "at a festival"
SAMPLING = {"temperature": 0.9, "top_p": 0.95}


def prompts(count: int) -> list[str]:
    texts = [
        f"Write a short {label} film review of one or two sentences about {topic}, by somebody who saw the film "
        f"{place}. Answer with the text only."
        for label, topic, place in product(("positive", "negative"), TOPICS, PLACES)
    ]
    return [texts[i % len(texts)] for i in range(count)]


class Clock:
    """Wall and processor time since `start`."""

    def start(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def result(self, tokens: int, whole: int) -> dict:
        import torch

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1024 if sys.platform != "darwin" else 1)
        device = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
        cpu, wall = time.process_time() - self.cpu, time.perf_counter() - self.wall
        return {"wall": wall, "cpu": cpu, "tokens": tokens, "whole": whole, "peak": peak, "device": device}


def generate(options) -> dict:
    """transformers' `generate`, batch after batch."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from synthesis.models.load import has_bfloat16, locate

    place, device = locate(options.model), torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.bfloat16 if has_bfloat16(device) else torch.float32
    model = AutoModelForCausalLM.from_pretrained(place, dtype=dtype).to(device)
    tokenizer = AutoTokenizer.from_pretrained(place, padding_side="left")
    clock, answered, whole = Clock(), 0, 0
    chats = [[{"role": "user", "content": text}] for text in prompts(options.rows)]
    sampling = {"do_sample": True, "top_k": 0, "max_new_tokens": options.tokens, **SAMPLING}
    sampling |= {"stop_strings": [options.stop], "tokenizer": tokenizer} if options.stop else {}
    torch.manual_seed(0)
    clock.start()
    texts = [tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False) for chat in chats]
    texts.sort(key=len, reverse=True)
    for start in range(0, len(texts), options.batch):
        batch = texts[start : start + options.batch]
        inputs = tokenizer(batch, padding=True, add_special_tokens=False, return_tensors="pt").to(model.device)
        with torch.inference_mode():
            output = model.generate(**inputs, **sampling)
        for row in output[:, inputs.input_ids.shape[1] :].tolist():
            used = row.index(tokenizer.eos_token_id) + 1 if tokenizer.eos_token_id in row else len(row)
            answered += used
            whole += used < len(row) or row[-1] == tokenizer.eos_token_id
    return clock.result(answered, whole)


def provider(options) -> dict:
    """The local teacher, answer by answer."""
    from synthesis.providers.transformers import Provider
    from synthesis.teacher.request import Request

    clock, settings = Clock(), _settings(options)

    async def run():
        teacher = Provider(SimpleNamespace(teacher=settings, asking=SimpleNamespace(concurrency=options.batch)))
        await teacher.answer(teacher.body(Request("seed", "Say no more than yes.")), 0, 0)
        clock.start()
        bodies = [teacher.body(Request("seed", text)) for text in prompts(options.rows)]
        replies = await asyncio.gather(*(teacher.answer(body, i, 0) for i, body in enumerate(bodies)))
        await teacher.close()
        return replies

    replies = asyncio.run(run())
    return clock.result(sum(reply.tokens_out for reply in replies), sum(reply.finish == "stop" for reply in replies))


def teacher(options) -> dict:
    """The whole path, from the requests to the cleaned answers. Answers that are cut are asked for once only."""
    from synthesis.params import Asking, Params, Teacher, Verify
    from synthesis.providers.transformers.writer import Writer
    from synthesis.run import Run
    from synthesis.teacher import ask
    from synthesis.teacher.request import Request

    clock, load = Clock(), Writer.__init__

    def loaded(self, *settings):
        load(self, *settings)
        clock.start()

    Writer.__init__ = loaded
    asking = Asking(base_url=None, timeout=60, concurrency=options.batch, max_rejected=None)
    settings = Teacher(provider="transformers", attempts=1, **vars(_settings(options)))
    verify = Verify.model_construct(teacher=None)
    params = Params.model_construct(tasks=["bench"], rounds=[], teacher=settings, asking=asking, verify=verify)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TEACHER_STORE"] = f"{folder}/teacher.sqlite"
        paths = SimpleNamespace(logs=Path(folder), metrics=Path(folder))
        asked = ask.Teacher(Run(SimpleNamespace(name="bench"), params, paths), "seed")
        answers = asked.ask([Request("seed", text) for text in prompts(options.rows)])
        return clock.result(asked.usage["tokens_out"], sum(answer.rejected != "length" for answer in answers))


WAYS = {"generate": generate, "provider": provider, "teacher": teacher}


def _settings(options) -> SimpleNamespace:
    stop = [options.stop] if options.stop else []
    return SimpleNamespace(model=options.model, system=None, max_tokens=options.tokens, stop=stop, extra={}, **SAMPLING)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=96, help="the longest answer")
    parser.add_argument("--stop", default="", help="a string before which answers end")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--run", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(WAYS[options.run](options)))
        return
    print(f"{options.rows} rows, {options.batch} at once, at most {options.tokens} tokens each\n")
    print("| way | tokens/s | of generate | rows/s | tokens/CPU s | ended by themselves | peak RSS GB | peak GPU GB |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    first = None
    for way in options.ways:
        if way == "teacher" and not find_spec("pydantic"):
            continue
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.local", "--run", way, *sys.argv[1:]], stdout=subprocess.PIPE
        )
        if done.returncode:
            sys.exit(f"{way} failed")
        result = json.loads(done.stdout.splitlines()[-1])
        rate = result["tokens"] / result["wall"]
        first = first or rate
        print(
            f"| {way} | {rate:,.0f} | {rate / first:.2f}x | {options.rows / result['wall']:.1f} "
            f"| {result['tokens'] / result['cpu']:,.0f} | {result['whole'] / options.rows:.0%} "
            f"| {result['peak'] / 1e9:.1f} | {result['device'] / 1e9:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
