"""A local causal model: transformers' `generate` with the model's chat template, in batches.

Each row draws from a generator of its own, seeded by its request, sample and attempt: whatever shares its batch, it
gets the same random numbers. The same batches on the same machine thus give the same answers; in another batch the
padding changes logits by rounding errors, which now and then changes a token.
"""

from __future__ import annotations

import asyncio
import threading

from synthesis import UserError
from synthesis.models.load import fingerprint
from synthesis.params import Params
from synthesis.run import Run
from synthesis.teacher.request import Reply, Request, digest

from .writer import OPTIONS, Writer

WINDOW = 16  # batches' worth of rows that are collected, so that rows of like length share one
MOMENT = 0.05  # seconds that the first batch waits for company


def provider(run: Run) -> Provider:
    """The model that params.yaml names. Raises UserError when it cannot be found, or teacher.extra has other fields."""
    return Provider(run.params)


class Provider:
    """Answers of the model. asking.concurrency rows are generated at once."""

    stored = True
    price = (0.0, 0.0)

    def __init__(self, params: Params):
        self.settings, self.batch = params.teacher, params.asking.concurrency
        if other := self.settings.extra.keys() - {OPTIONS}:
            raise UserError(f"teacher.extra: `{min(other)}` is for endpoints; a local model knows only {OPTIONS}")
        self.concurrency = WINDOW * self.batch
        self.revision = fingerprint(self.settings.model, "teacher.model")
        self.writer = None  # loaded by the first answer: a run out of the store needs no torch
        self.waiting: list[tuple[list[int], int, dict, asyncio.Future]] = []
        self.work = None
        self.closed = threading.Event()

    def body(self, request: Request) -> dict:
        """All that an answer depends on, the weights included."""
        settings = self.settings
        return {
            "model": settings.model,
            "revision": self.revision,
            "messages": request.messages(settings.system),
            "temperature": 1.0 if settings.temperature is None else settings.temperature,
            "top_p": settings.top_p or 1.0,
            "max_tokens": settings.max_tokens,
            **settings.extra,
        }

    async def answer(self, body: dict, sample: int, attempt: int) -> Reply:
        """One row of a batch. Raises Rejected for too long a prompt, UserError when the model cannot be used."""
        if self.writer is None:
            self.writer = Writer(self.settings.model, self.closed)
        tokens = self.writer.tokens(body)
        seed = int(digest([body, sample, attempt])[:15], 16)
        done = asyncio.get_running_loop().create_future()
        self.waiting.append((tokens, seed, body, done))
        if self.work is None or self.work.done():
            self.work = asyncio.create_task(self._write())
        return await done

    async def close(self) -> None:
        """Stop at the next token and free the model."""
        self.closed.set()
        if self.work:
            self.work.cancel()
        self.writer = None

    async def _write(self) -> None:
        """Batch by batch, the longest rows first: what does not fit into the memory shows at once."""
        await asyncio.sleep(MOMENT)
        while self.waiting:
            self.waiting.sort(key=lambda row: (len(row[0]), row[1]))
            rows, self.waiting = self.waiting[-self.batch :], self.waiting[: -self.batch]
            tokens, seeds, bodies, futures = zip(*rows, strict=True)
            try:
                replies = await asyncio.to_thread(self.writer.write, tokens, seeds, bodies[0])
            except Exception as error:  # whatever it is, those who wait must hear of it
                replies = [error] * len(rows)
            for done, reply in zip(futures, replies, strict=True):
                if done.done():
                    continue
                if isinstance(reply, Exception):
                    done.set_exception(reply)
                else:
                    done.set_result(reply)
            await asyncio.sleep(0)  # lets those who were answered ask for their next rows
