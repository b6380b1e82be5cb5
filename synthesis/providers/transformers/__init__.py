"""A local causal model with its own chat template, which writes many rows at once.

A row's random numbers depend on its request, sample and attempt alone, whatever is written beside it. The same rows on
the same machine thus get the same answers, but for rounding: other company can change the last digits of a row's
logits, and so now and then a token.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from synthesis import UserError
from synthesis.models.load import fingerprint
from synthesis.teacher.request import Reply, Request, digest

from .writer import OPTIONS, Row, Writer, encode, load

if TYPE_CHECKING:
    from synthesis.params import Params
    from synthesis.run import Run

WINDOW = 16  # rows that are collected for each that is written, so that rows of like length start together
MOMENT = 0.05  # seconds that the first row waits for company


def provider(run: Run) -> Provider:
    """The model that params.yaml names. Raises UserError when it cannot be found, or teacher.extra has other fields."""
    return Provider(run.params)


class Provider:
    """Answers of the model. asking.concurrency rows are written at once."""

    stored = True
    price = (0.0, 0.0)

    def __init__(self, params: Params):
        self.settings, self.size = params.teacher, params.asking.concurrency
        if other := self.settings.extra.keys() - {OPTIONS}:
            raise UserError(f"teacher.extra: `{min(other)}` is for endpoints; a local model knows only {OPTIONS}")
        self.concurrency = WINDOW * self.size
        self.revision = fingerprint(self.settings.model, "teacher.model")
        self.writer = None  # loaded by the first answer: a run out of the store needs no torch
        self.rows: list[Row] = []  # those without an answer
        self.new: list[Row] = []  # those of them that the writer does not know yet
        self.work = None
        self.thread = ThreadPoolExecutor(1)

    @property
    def news(self) -> str:
        """What the model is doing."""
        return f"{self.writer.rate:,.0f} tokens/s" if self.writer else f"loading {self.settings.model}"

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
            **request.stop(settings.stop),
            **settings.extra,
        }

    async def answer(self, body: dict, sample: int, attempt: int) -> Reply:
        """One row. Raises Rejected for too long a prompt, UserError when the model cannot be used."""
        seed = int(digest([body, sample, attempt])[:15], 16)
        row = Row(body=body, seed=seed, done=asyncio.get_running_loop().create_future())
        self.rows.append(row)
        self.new.append(row)
        if self.work is None or self.work.done():
            self.work = asyncio.create_task(self._write())
        return await row.done

    def log_likelihoods(self, requests: list[Request], answers: list[str], title: str) -> np.ndarray:
        """The logarithm of the probability of each answer to each request, (requests, answers), the same each time.

        NaN where a prompt is too long. title: of the line of progress. Raises UserError when the model cannot be used.
        """
        from .likelihood import ended, log_likelihoods

        tokenizer, model, _ = load(self.settings.model)
        told = tokenizer(answers, add_special_tokens=False).input_ids
        told = ended(told, tokenizer.eos_token_id)
        chats = [request.messages(self.settings.system) for request in requests]
        asked = [encode(tokenizer, chat, self.settings.extra.get(OPTIONS, {}), self.settings.model) for chat in chats]
        return log_likelihoods(model, asked, told, title)

    async def close(self) -> None:
        """Stop after the token that is being written, and free the model."""
        if self.work:
            self.work.cancel()
        self.thread.shutdown(cancel_futures=True)
        self.writer = None

    async def _write(self) -> None:
        """Token by token until every row has ended. Whatever fails, those who wait must hear of it."""
        run = asyncio.get_running_loop().run_in_executor
        await asyncio.sleep(MOMENT)
        try:
            if self.writer is None:
                body = self.new[0].body  # all rows share its temperature and top_p
                settings = self.settings.model, self.size, body["temperature"], body["top_p"]
                self.writer = await run(self.thread, Writer, *settings)
            while self.rows:
                new, self.new = self.new, []
                for row, result in await run(self.thread, self.writer.step, new):
                    self._settle(row, result)
                    self.rows.remove(row)
        except Exception as error:
            rows, self.rows, self.new = self.rows, [], []
            for row in rows:
                self._settle(row, error)

    def _settle(self, row: Row, result: Reply | Exception) -> None:
        if row.done.done():  # nobody waits any more
            return
        if isinstance(result, Exception):
            row.done.set_exception(result)
        else:
            row.done.set_result(result)
