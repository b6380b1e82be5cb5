"""The loop that asks: every request once, as fast as the limits allow, and nothing twice."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from itertools import count

from stages.pipeline.stage import UserError
from stages.teacher.answers import clean, verdict
from stages.teacher.budget import Budget, Reached
from stages.teacher.limits import Limits
from stages.teacher.progress import Progress
from stages.teacher.request import Answer, Failed, Provider, Rejected, Reply, Request, canonical, sha256
from stages.teacher.store import Store


@dataclass
class Row:
    """A request on its way."""

    place: int
    request: Request
    key: str
    size: int  # bytes of the body
    sample: int
    attempt: int = 0  # answers before this one that could not be used


def rows(provider: Provider, requests: list[Request]) -> list[Row]:
    """Requests with equal bodies are samples of one another: as a set, their keys do not depend on the order."""
    found, seen = [], Counter()
    for place, request in enumerate(requests):
        body = canonical(provider.body(request))
        key = sha256(body)
        found.append(Row(place, request, key, len(body.encode()), request.sample + seen[key, request.sample]))
        seen[key, request.sample] += 1
    return found


class Asking:
    """One `ask`. All that is stored is taken first; then C workers ask for the rest, each one row after another.

    The order matters to the budget: what is paid for counts before anything new is let in.
    """

    def __init__(self, provider: Provider, requests: list[Request], settings, title: str, check, before: dict | None):
        self.provider, self.settings, self.title, self.check = provider, settings, title, check
        price = provider.price if provider.stored else (0.0, 0.0)
        self.budget = Budget(settings.budget, price, before)
        self.limits = Limits(settings.requests_per_minute, settings.tokens_per_minute, provider.concurrency)
        self.rows = rows(provider, requests)
        self.answers: list[Answer | None] = [None] * len(self.rows)
        self.progress = None
        self.store = Store() if provider.stored else None

    async def run(self) -> tuple[list[Answer], dict]:
        """The answers in the order of the requests, and what they used. Raises UserError."""
        began = time.monotonic()
        try:
            known = self.store.known([row.key for row in self.rows]) if self.store else ()
            pending = [row for row in self.rows if row.key not in known or not self._stored(row)]
            if pending:
                await self._ask(pending)
        finally:
            await self.provider.close()
            if self.store:
                self.store.close()
        return self.answers, self.budget.usage(time.monotonic() - began)

    async def _ask(self, pending: list[Row]) -> None:
        self.progress = Progress(self.title, len(self.rows), len(self.rows) - len(pending), self.budget)
        rows = iter(pending)

        async def work():
            for row in rows:
                await self._finish(row)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.provider.concurrency, len(pending))):
                    group.create_task(work())
        except BaseExceptionGroup as errors:  # the first one stopped the others
            raise self._stopped(errors.exceptions[0]) from None
        finally:
            self.progress.close()

    async def _finish(self, row: Row) -> None:
        """Ask until the row has an answer, or was tried often enough."""
        try:
            while not self._stored(row):  # another process may have paid for it meanwhile
                if self._take(row, await self._answer(row)):
                    return
        except Rejected as error:
            self._settle(row, "", "", str(error))

    async def _answer(self, row: Row) -> Reply:
        """One new answer, on disk and counted. Raises Rejected, Reached or UserError."""
        body = self.provider.body(row.request)
        longest = body.get("max_completion_tokens") or body.get("max_tokens")
        for tries in count(1):
            bound = await self.budget.reserve(row.size, longest)
            try:
                booked = await self.limits.admit(row.size + (longest or 0))
                reply = await self.provider.answer(body, row.sample, row.attempt)
                self.limits.answered(reply.headers, booked, reply.tokens_in + reply.tokens_out)
                if self.store:
                    reply = await self.store.put(row.key, row.sample, row.attempt, body, reply)
                self.budget.count(reply, cached=False)
                return reply
            except Failed as error:
                failure = error
                if error.sent:
                    self.budget.lost(bound)
            finally:
                self.budget.release(bound)
            await asyncio.sleep(self.limits.failed(failure, tries))

    def _stored(self, row: Row) -> bool:
        """Whether the store's answers settle the row. Those that cannot be used are passed over."""
        while self.store and (reply := self.store.get(row.key, row.sample, row.attempt)):
            self.budget.count(reply, cached=True)
            if self._take(row, reply):
                return True
        return False

    def _take(self, row: Row, reply: Reply) -> bool:
        """Judge an answer. False when the row shall be asked again."""
        text = clean(reply.text, row.request.prompt)
        reason = verdict(text, reply.finish, self.settings.min_words)
        if self.check and reason is None:
            text, reason = self.check(text, row.request)
        if reason and row.attempt + 1 < self.settings.attempts:
            row.attempt += 1
            return False
        self._settle(row, text, reply.model, reason)
        return True

    def _settle(self, row: Row, text: str, model: str, reason: str | None) -> None:
        prompt = sha256(row.request.prompt)
        self.answers[row.place] = Answer(text, row.key, row.sample, row.attempt, prompt, model, reason)
        if self.progress:
            self.progress.step(row.request, text, reason)

    def _stopped(self, error: BaseException) -> BaseException:
        if not isinstance(error, Reached):
            return error
        done = sum(answer is not None for answer in self.answers)
        return UserError(
            f"teacher.budget: {error}. {done:,} of {len(self.answers):,} rows of {self.title} are answered and kept: "
            "raise teacher.budget in params.yaml and run `dvc repro`, it goes on with nothing asked twice"
        )
