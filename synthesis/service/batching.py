"""Requests that wait while the model is busy are answered together, as soon as it is free."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

BATCH = 64  # inputs at most that are answered together
WAITING = 512  # inputs at most that may wait


class Overloaded(Exception):
    """Too many inputs wait already."""


class Job(NamedTuple):
    inputs: list
    answers: asyncio.Future


class Batcher:
    """Asks `read` about what waits, in a thread of its own, so that only one thread ever uses the model."""

    def __init__(self, read: Callable[[list], Sequence], watch: Callable[[int], None] = lambda size: None):
        """read: of inputs, an answer each. watch: is told the size of each batch."""
        self.read, self.watch = read, watch
        self.jobs, self.waiting, self.filled = deque(), 0, asyncio.Event()
        self.thread = ThreadPoolExecutor(1)

    async def ask(self, inputs: list) -> Sequence:
        """Return the answers to `inputs`, in their order. Raises Overloaded."""
        if self.waiting + len(inputs) > WAITING:
            raise Overloaded
        job = Job(inputs, asyncio.get_running_loop().create_future())
        self.jobs.append(job)
        self.waiting += len(inputs)
        self.filled.set()
        return await job.answers

    async def work(self) -> None:
        """Answer until cancelled. There is no artificial wait: a batch is what has come while the last one was read."""
        while True:
            await self.filled.wait()
            batch = self._take()
            try:
                await self._answer(batch)
            except Exception:  # whose fault it is shows when each is asked alone
                for job in batch:
                    await self._alone(job)

    async def run(self, function: Callable, *arguments):
        """Call a function in the thread that uses the model."""
        return await asyncio.get_running_loop().run_in_executor(self.thread, function, *arguments)

    def _take(self) -> list[Job]:
        batch, size = [], 0
        while self.jobs and (not batch or size + len(self.jobs[0].inputs) <= BATCH):
            batch.append(self.jobs.popleft())
            size += len(batch[-1].inputs)
        self.waiting -= size
        if not self.jobs:
            self.filled.clear()
        return batch

    async def _answer(self, batch: list[Job]) -> None:
        inputs = [one for job in batch for one in job.inputs]
        self.watch(len(inputs))
        answers, start = await self.run(self.read, inputs), 0
        for job in batch:
            if not job.answers.done():  # who asked may have gone
                job.answers.set_result(answers[start : start + len(job.inputs)])
            start += len(job.inputs)

    async def _alone(self, job: Job) -> None:
        try:
            await self._answer([job])
        except Exception as error:
            if not job.answers.done():
                job.answers.set_exception(error)
