"""The loop that asks: every request once, as fast as the limits allow, and nothing twice."""

from __future__ import annotations

import asyncio
import sys
import textwrap
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

from tqdm import tqdm

from synthesis import UserError
from synthesis.params import Params
from synthesis.teacher.budget import Budget, Reached
from synthesis.teacher.cleaning import clean, verdict
from synthesis.teacher.endings import read_ending
from synthesis.teacher.limits import Limits
from synthesis.teacher.marks import UNFINISHED
from synthesis.teacher.rejections import THOUGHTS, Rejections
from synthesis.teacher.request import Answer, Check, Failed, Provider, Rejected, Reply, Request, canonical, sha256
from synthesis.teacher.store import Store

tqdm.monitor_interval = 0  # its thread has nothing to do here
SHOWN = 400  # characters of a prompt or answer
AHEAD = 4  # one row is claimed ahead for so many that are being asked for
POLL = 0.5  # seconds between two looks at what other processes ask for


@dataclass
class Row:
    """A request on its way."""

    place: int
    request: Request
    key: str
    size: int  # bytes of the body
    sample: int
    attempt: int = 0  # answers before this one that could not be used

    @property
    def id(self) -> tuple[str, int]:
        """What others know the row by."""
        return self.key, self.sample


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
        store: Path | None = None,
    ):
        """store: the file of the response store, by default the one of all runs."""
        self.provider, self.settings, self.title, self.check = provider, params.teacher, title, check
        asking, price = params.asking, provider.price if provider.stored else (0.0, 0.0)
        self.budget = Budget(asking.budget, price, before)
        self.limits = Limits(asking.requests_per_minute, asking.tokens_per_minute, provider.concurrency)
        self.rows = rows(provider, requests)
        self.rejections = Rejections(title, len(self.rows), asking.max_rejected)
        self.answers: list[Answer | None] = [None] * len(self.rows)
        self.seconds = 0.0
        self.progress = None
        self.store = Store(store) if provider.stored else None

    async def run(self) -> list[Answer]:
        """The answers in the order of the requests. Raises UserError."""
        began = time.monotonic()
        try:
            pending = self.not_stored(self.rows)
            if pending:
                await self._ask(pending)
        finally:
            await self.provider.close()
            if self.store:
                self.store.close()
        self.seconds = time.monotonic() - began
        return self.answers

    async def _ask(self, pending: list[Row]) -> None:
        self.progress = Progress(
            self.title, len(self.rows), len(self.rows) - len(pending), self.budget, lambda: self.provider.news
        )
        watch = asyncio.create_task(self.progress.watch())
        workers = min(self.provider.concurrency, len(pending))
        turns = asyncio.Queue(maxsize=max(1, workers // AHEAD))

        async def work():
            while row := await turns.get():
                await self._finish(row)
                if self.store:
                    self.store.claims.free(row.id)

        async def hand_out():
            async for row in self._turns(pending, workers):
                await turns.put(row)
            for _ in range(workers):
                await turns.put(None)

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(hand_out())
                for _ in range(workers):
                    group.create_task(work())
        except BaseExceptionGroup as errors:  # the first one stopped the others
            raise self._stopped(errors.exceptions[0]) from None
        finally:
            watch.cancel()
            self.progress.close()

    async def _turns(self, pending: list[Row], workers: int) -> AsyncIterator[Row]:
        """Each row when it may be asked for: no other process is asking for it. Those that one is come last.

        Some rows are claimed ahead of the workers, so that none waits for a claim.
        """
        size = workers
        while pending:
            rows, others = iter(pending), []
            while batch := list(islice(rows, size)):
                size = max(1, workers // AHEAD)
                ids = [row.id for row in batch]
                claimed = await self.store.claim(ids) if self.store else ids
                for row in batch:
                    if row.id in claimed:
                        yield row
                    else:
                        others.append(row)
            if others:
                self.progress.wait(len(others), self.store.claims.others)
                await asyncio.sleep(POLL)
            pending = self.not_stored(others)

    async def _finish(self, row: Row) -> None:
        """Ask until the row has an answer, or was tried often enough."""
        try:
            while not self._take_stored(row):  # another process may have paid for it meanwhile
                if self._take(row, await self._answer(row)):
                    return
        except Rejected as error:
            self.limits.reject(str(error))
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
                self.limits.answered(reply.headers, booked, sum(reply.tokens(row.size)))
                if self.store:
                    reply = await self.store.put(row.key, row.sample, row.attempt, body, reply)
                self.budget.count(reply, row.size, stored=False)
                return reply
            except Failed as error:
                failure = error
                if error.sent:
                    self.budget.lost(bound)
            finally:
                self.budget.release(bound)
            await asyncio.sleep(self.limits.failed(failure, tries))

    def not_stored(self, rows: list[Row]) -> list[Row]:
        """Those of the rows that the store's answers do not settle."""
        stored = self.store.stored([row.key for row in rows]) if self.store else ()
        return [row for row in rows if row.key not in stored or not self._take_stored(row)]

    def _take_stored(self, row: Row) -> bool:
        """Whether the store's answers settle the row. Those that cannot be used are passed over."""
        while self.store and (reply := self.store.get(row.key, row.sample, row.attempt)):
            self.budget.count(reply, row.size, stored=True)
            if self._take(row, reply):
                return True
        return False

    def _take(self, row: Row, reply: Reply) -> bool:
        """Judge an answer. False when the row shall be asked again."""
        text = clean(reply.text, row.request.prompt, listed=row.request.listed)
        reason = verdict(text, reply.finish, self.settings.min_words)
        if self.check and reason is None:
            text, reason = self.check(text, row.request)
        if (not text or reason == UNFINISHED) and read_ending(reply.finish) == "length":  # another would be cut too
            reason = THOUGHTS
        elif reason and row.attempt + 1 < self.settings.attempts:
            row.attempt += 1
            return False
        self._settle(row, text, reply.model, reason)
        return True

    def _settle(self, row: Row, text: str, model: str, reason: str | None) -> None:
        prompt = sha256(row.request.prompt)
        self.answers[row.place] = Answer(text, row.key, row.sample, row.attempt, prompt, model, reason)
        if self.progress:
            self.progress.step(row.request, text, reason)
        self.rejections.add(row.request, text, reason)

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

    def __init__(self, title: str, total: int, done: int, budget: Budget, news: Callable[[], str]):
        self.often = often = 0.2 if sys.stderr.isatty() else 30
        self.bar = tqdm(
            total=total, initial=done, desc=title, unit="row", file=sys.stderr, mininterval=often, maxinterval=often,
            miniters=1, dynamic_ncols=True, leave=True,
        )  # fmt: skip
        self.budget, self.news = budget, news
        pending = total - done
        self.finished, self.shown = 0, {1, pending // 10, pending // 2} - {0}
        self.waits = False

    def step(self, request: Request, text: str, rejected: str | None) -> None:
        """One more row is finished."""
        self.finished += 1
        self._describe()
        self.bar.update()
        if self.finished in self.shown:
            reason = f" (rejected: {rejected})" if rejected else ""
            sample = f"--- asked ---\n{_short(request.prompt)}\n--- answered{reason} ---\n{_short(text)}\n---"
            self.bar.write(sample, file=sys.stderr)

    def wait(self, rows: int, processes: set[str]) -> None:
        """Say once that only rows are left which other processes ask for."""
        if not self.waits:
            names = ", ".join(sorted(processes))
            message = f"{self.bar.desc}: {rows:,} rows are asked for by another process ({names}): waiting for it"
            self.bar.write(message, file=sys.stderr)
        self.waits = True

    async def watch(self) -> None:
        """Show that something goes on before rows are finished: soon, and then as often as the line may change."""
        pause = 0.2
        while True:
            await asyncio.sleep(pause)
            self._describe()
            self.bar.refresh()
            pause = min(2 * pause, max(self.often, 1))

    def close(self) -> None:
        """End the line."""
        self.bar.close()

    def _describe(self) -> None:
        budget, news = self.budget, self.news()
        dollars = "" if budget.dollars is None else f", ${budget.dollars:.4f}"
        words = f"{budget.tokens:,} tokens{dollars}" + (f", {news}" if news else "")
        self.bar.set_postfix_str(words, refresh=False)


def _short(text: str) -> str:
    if len(text) > SHOWN:
        text = f"{text[: SHOWN // 2]} [...] {text[-SHOWN // 2 :]}"
    return textwrap.indent(text, "  ")
