"""The loop that asks: every request once, as fast as the limits allow, and nothing twice."""

from __future__ import annotations

import asyncio
import sys
import textwrap
import time
from collections import Counter
from dataclasses import dataclass
from itertools import count

from tqdm import tqdm

from synthesis import UserError
from synthesis.params import Params
from synthesis.teacher.budget import Budget, Reached
from synthesis.teacher.cleaning import clean, verdict
from synthesis.teacher.limits import Limits
from synthesis.teacher.request import Answer, Check, Failed, Provider, Rejected, Reply, Request, canonical, sha256
from synthesis.teacher.store import Store

tqdm.monitor_interval = 0  # its thread has nothing to do here
SHOWN = 400  # characters of a prompt or answer


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
    result, seen = [], Counter()
    for place, request in enumerate(requests):
        body = canonical(provider.body(request))
        key = sha256(body)
        result.append(Row(place, request, key, len(body.encode()), request.sample + seen[key, request.sample]))
        seen[key, request.sample] += 1
    return result


class Asking:
    """One `Teacher.ask`. What is stored is taken first; then workers ask for the rest, each one row after another.

    The order matters to the budget: what is paid for counts before anything new is let in.
    """

    def __init__(
        self,
        provider: Provider,
        requests: list[Request],
        params: Params,
        title: str,
        check: Check | None,
        before: dict,
    ):
        self.provider, self.settings, self.title, self.check = provider, params.teacher, title, check
        asking, price = params.asking, provider.price if provider.stored else (0.0, 0.0)
        self.budget = Budget(asking.budget, price, before)
        self.limits = Limits(asking.requests_per_minute, asking.tokens_per_minute, provider.concurrency)
        self.rows = rows(provider, requests)
        self.answers: list[Answer | None] = [None] * len(self.rows)
        self.seconds = 0.0
        self.progress = None
        self.store = Store() if provider.stored else None

    async def run(self) -> list[Answer]:
        """The answers in the order of the requests. Raises UserError."""
        began = time.monotonic()
        try:
            stored = self.store.stored([row.key for row in self.rows]) if self.store else ()
            pending = [row for row in self.rows if row.key not in stored or not self._take_stored(row)]
            if pending:
                await self._ask(pending)
        finally:
            await self.provider.close()
            if self.store:
                self.store.close()
        self.seconds = time.monotonic() - began
        return self.answers

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
            while not self._take_stored(row):  # another process may have paid for it meanwhile
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
                self.budget.count(reply, stored=False)
                return reply
            except Failed as error:
                failure = error
                if error.sent:
                    self.budget.lost(bound)
            finally:
                self.budget.release(bound)
            await asyncio.sleep(self.limits.failed(failure, tries))

    def _take_stored(self, row: Row) -> bool:
        """Whether the store's answers settle the row. Those that cannot be used are passed over."""
        while self.store and (reply := self.store.get(row.key, row.sample, row.attempt)):
            self.budget.count(reply, stored=True)
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
            f"asking.budget: {error}. {done:,} of {len(self.answers):,} rows of {self.title} are answered and kept: "
            "raise asking.budget in params.yaml and run `dvc repro`, it goes on with nothing asked twice"
        )


class Progress:
    """What a person sees meanwhile: a line on stderr (in a log, one every half minute), and now and then an answer."""

    def __init__(self, title: str, total: int, done: int, budget: Budget):
        often = 0.2 if sys.stderr.isatty() else 30
        self.bar = tqdm(
            total=total, initial=done, desc=title, unit="row", file=sys.stderr, mininterval=often, maxinterval=often,
            miniters=1, dynamic_ncols=True, leave=True,
        )  # fmt: skip
        self.budget = budget
        pending = total - done
        self.finished, self.shown = 0, {1, pending // 10, pending // 2} - {0}

    def step(self, request: Request, text: str, rejected: str | None) -> None:
        """One more row is finished."""
        self.finished += 1
        budget = self.budget
        dollars = "" if budget.dollars is None else f", ${budget.dollars:.4f}"
        self.bar.set_postfix_str(f"{budget.tokens_in + budget.tokens_out:,} tokens{dollars}", refresh=False)
        self.bar.update()
        if self.finished in self.shown:
            reason = f" (rejected: {rejected})" if rejected else ""
            sample = f"--- asked ---\n{_short(request.prompt)}\n--- answered{reason} ---\n{_short(text)}\n---"
            self.bar.write(sample, file=sys.stderr)

    def close(self) -> None:
        """End the line."""
        self.bar.close()


def _short(text: str) -> str:
    if len(text) > SHOWN:
        text = f"{text[: SHOWN // 2]} [...] {text[-SHOWN // 2 :]}"
    return textwrap.indent(text, "  ")
