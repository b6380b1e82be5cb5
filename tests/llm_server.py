"""An OpenAI-shaped server with faults, for tests and benchmarks. Loopback only.

`with Server() as server:` starts it in a process of its own; `server.space(...)` gives an endpoint with faults and
counts of its own. Its settings (see DEFAULTS) decide how it answers.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import subprocess
import sys
import time
import urllib.request
import uuid
from collections import Counter

DEFAULTS = {
    "latency": 0.0,  # seconds
    "script": [],  # what the first calls of each distinct body meet, one after another: names of faults
    "rates": {},  # share of the calls that meet a fault, by its name
    "only": "",  # faults and slowness befall only prompts with this in them
    "slow": 0.0,  # further seconds for those prompts
    "hang": 30.0,  # seconds that a hanging call takes
    "headers": {},  # of every response
    "retry_after": None,  # the header of 429s
    "text": None,  # the answer; None: one that names the prompt
    "echo": None,  # the answer is the prompt's last line with these words after it
    "rules": [],  # pairs of a pattern and what is written of its match; the first that a prompt matches is its answer
    "texts": [],  # the answers to the first, second, ... call of a body; {n} in any answer is its number among all
    "finish": "stop",
    "choices": 1,
    "usage": [10, 20],  # tokens of the prompt and of the answer; None leaves usage out
    "per_second": None,  # more calls than that meet a 429
    "after": None,  # [12, "400"]: the first 12 calls of all are answered, all later ones meet the fault
    "choice": {},  # fields of the choice in place of those that it has
    "fields": {},  # fields of the completion in place of those that it has
    "reply": "",  # what comes, with a 200, in the place of a completion, where the fault is `reply`
    "error": "",  # message of 400s and the like
    "code": "",
}


class Space:
    """One endpoint's settings and counts."""

    def __init__(self):
        self.settings = dict(DEFAULTS)
        self.calls, self.answers, self.outcomes = Counter(), Counter(), Counter()
        self.in_flight = self.most = 0
        self.times, self.dice, self.tokens, self.queries = [], random.Random(7), 0, set()

    def stats(self) -> dict:
        return {
            "calls": self.calls.total(),
            "bodies": len(self.calls),
            "per_body": sorted(self.calls.values()),
            "answers": self.answers.total(),
            "answers_per_body": sorted(self.answers.values()),
            "tokens": self.tokens,
            "outcomes": dict(self.outcomes),
            "most_in_flight": self.most,
            "times": self.times,
            "queries": sorted(self.queries),
        }

    def fault(self, raw: bytes, prompt: str) -> str | None:
        settings, call = self.settings, self.calls[raw] - 1
        if settings["only"] not in prompt:
            return None
        if call < len(settings["script"]):
            return settings["script"][call]
        if settings["after"] and self.calls.total() > settings["after"][0]:
            return settings["after"][1]
        allowed = settings["per_second"]  # as with OpenAI, refused calls count
        if allowed and sum(when > time.monotonic() - 1 for when in self.times[-allowed - 1 :]) > allowed:
            return "429"
        roll = self.dice.random()
        for name, share in settings["rates"].items():
            if (roll := roll - share) < 0:
                return name
        return None


async def serve() -> None:
    from aiohttp import web

    spaces: dict[str, Space] = {}

    async def configure(request):
        space = spaces.setdefault(request.match_info["space"], Space())
        space.settings.update(await request.json())
        return web.json_response(space.stats())

    async def chat(request):
        space = spaces[request.match_info["space"]]
        space.in_flight += 1
        space.most = max(space.most, space.in_flight)
        try:
            return await answer(space, request)
        finally:
            space.in_flight -= 1

    async def answer(space, request):
        raw, settings = await request.read(), space.settings
        body = json.loads(raw)
        prompt = body["messages"][-1]["content"]
        space.calls[raw] += 1
        space.times.append(time.monotonic())
        space.queries.add(request.query_string)
        fault = space.fault(raw, prompt)
        space.outcomes[fault or "ok"] += 1
        slow = settings["slow"] if settings["slow"] and settings["only"] in prompt else 0
        if settings["latency"] or slow:
            await asyncio.sleep(settings["latency"] + slow)
        if fault and fault.isdigit():
            wait = settings["retry_after"] if fault == "429" else None
            headers = {} if wait is None else {"retry-after": str(wait)}
            error = {"error": {"message": settings["error"] or f"fault {fault}", "code": settings["code"]}}
            return web.json_response(error, status=int(fault), headers=headers | settings["headers"])
        if fault == "hang":
            await asyncio.sleep(settings["hang"])
        if fault == "cut":
            request.transport.close()
            return web.Response()
        if fault == "reply":
            return web.Response(text=settings["reply"])
        if fault == "garbage":
            return web.Response(body=b'{"choices": [{"mess', content_type="application/json")
        space.answers[raw] += 1
        nth = space.answers[raw] - 1
        text = settings["text"] or f"Here stands what the server wrote about {prompt[-60:]!r}"
        text = text if settings["echo"] is None else f"{prompt.splitlines()[-1]} {settings['echo']}"
        matches = ((re.search(pattern, prompt), written) for pattern, written in settings["rules"])
        text = next((match.expand(written) for match, written in matches if match), text)
        text = settings["texts"][nth] if nth < len(settings["texts"]) else text
        text = text.replace("{n}", str(space.answers.total()))
        finish = "length" if fault == "truncated" else settings["finish"]
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
        choice |= settings["choice"]
        reply = {"object": "chat.completion", "model": body["model"], "choices": [choice] * settings["choices"]}
        if fault == "empty":
            reply["choices"] = []
        if settings["usage"]:
            tokens_in, tokens_out = settings["usage"]
            reply["usage"] = {"prompt_tokens": tokens_in, "completion_tokens": tokens_out}
            space.tokens += tokens_in + tokens_out
        reply |= settings["fields"]
        body = json.dumps(reply).encode()
        return web.Response(body=body, content_type="application/json", headers=settings["headers"])

    app = web.Application()
    app.router.add_post("/{space}/settings", configure)
    app.router.add_post("/{space}/v1/chat/completions", chat)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=2048)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until the parent is gone


class Endpoint:
    """A space of a running server, seen from a test."""

    def __init__(self, port: int, **settings):
        self.root = f"http://127.0.0.1:{port}/{uuid.uuid4().hex[:8]}"
        self.url = f"{self.root}/v1"
        self.tell(**settings)

    def tell(self, **settings) -> dict:
        """Change its settings; returns its counts."""
        assert settings.keys() <= DEFAULTS.keys()
        request = urllib.request.Request(
            f"{self.root}/settings", json.dumps(settings).encode(), {"content-type": "application/json"}
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as response:
            return json.load(response)

    @property
    def stats(self) -> dict:
        return self.tell()


class Server:
    """The server in a process of its own, which ends with this one."""

    def __enter__(self) -> Server:
        self.process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.port = int(self.process.stdout.readline())
        return self

    def __exit__(self, *_) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def space(self, **settings) -> Endpoint:
        return Endpoint(self.port, **settings)


if __name__ == "__main__":
    asyncio.run(serve())
