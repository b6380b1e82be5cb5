"""How fast the teacher may be asked, and when to give up.

What the endpoint says counts: Retry-After, and the x-ratelimit headers where params.yaml sets no limit.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import Counter, deque
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from synthesis import UserError
from synthesis.teacher.request import Failed, Rejected

TRIES = 13  # calls for one request; with the backoff below that is longer than WINDOW, so an outage loses no row
QUICK = 3  # calls when nothing was ever answered and the settings are probably to blame
BACKOFF = 0.05  # seconds before the second call; doubles up to LONGEST
LONGEST = 30
PAUSE = 1  # seconds of the first common pause; doubles up to LONGEST
PATIENCE = 600  # seconds; an endpoint that asks to wait longer (a day's quota) stops the run
WINDOW = 60  # seconds during which most calls must fail before the run stops
FEWEST = 20  # calls to judge by, and rows in a row that the endpoint refuses before the run stops
CROWDED = 0.3  # share of recent calls that were refused (429) from which on all wait, not only the refused


class Rate:
    """So many units a minute, spread evenly, so that no minute ever holds more."""

    def __init__(self, limit: int | None):
        self.limit, self.free = limit, 0.0

    def wait(self, now: float) -> float:
        return self.free - now if self.limit else 0

    def take(self, units: float, now: float) -> None:
        """Book units. A negative number gives back what was booked too much."""
        if self.limit:
            self.free = (max(self.free, now) if units > 0 else self.free) + 60 * units / self.limit


class Limits:
    """Paces the calls of one run. Times are in seconds."""

    def __init__(self, requests: int | None, tokens: int | None, concurrency: int):
        self.requests, self.tokens, self.concurrency = Rate(requests), Rate(tokens), concurrency
        self.fixed = {name for name, limit in (("requests", requests), ("tokens", tokens)) if limit is not None}
        self.turn = asyncio.Lock()
        self.resume = 0.0  # nobody calls before
        self.pause = 0.0  # how long the last common pause was; 0 when all is well
        self.refused = 0.0  # recent share of 429s
        self.average = None  # tokens of one call
        self.rejected = 0  # rows that the endpoint refused since its last answer
        self.started = None
        self.recent = deque()  # (time, outcome) of the calls of the last WINDOW; the outcome "" is success
        self.counts = Counter()  # the same by outcome

    async def admit(self, bound: int) -> float:
        """Wait for this call's turn. `bound`: its tokens at most. Returns the tokens booked for it."""
        async with self.turn:
            while (seconds := self._wait()) > 0:
                await asyncio.sleep(min(seconds, 1))  # in slices: a reply may change the limits
            now = time.monotonic()
            booked = bound if self.average is None else min(bound, self.average)
            self.requests.take(1, now)
            self.tokens.take(booked, now)
            if self.pause:  # after a common pause they come one by one, not all at once
                self.resume = now + self.pause / self.concurrency
            return booked

    def _wait(self) -> float:
        now = time.monotonic()
        return max(self.resume - now, self.requests.wait(now), self.tokens.wait(now))

    def answered(self, headers: Mapping, booked: float, tokens: int) -> None:
        """Learn from a reply."""
        self.rejected = 0
        self._note("")
        self.refused *= 0.9
        if self.refused < CROWDED:
            self.pause = 0.0
        self.tokens.take(tokens - booked, time.monotonic())
        self.average = tokens if self.average is None else 0.9 * self.average + 0.1 * tokens
        self._heed(headers)

    def failed(self, error: Failed, tries: int) -> float:
        """Learn from a failure; return the seconds until this request may be sent again.

        Raises UserError when the run should stop, Rejected when this request was tried often enough.
        """
        self._note("429" if error.limited else str(error))
        self._judge(error)
        if error.fatal and tries >= QUICK:
            raise UserError(str(error))
        if not error.limited and tries >= TRIES:
            raise Rejected(f"{error} ({tries} times)")
        self._heed(error.headers)
        wait = retry_after(error.headers)
        if wait is not None and not wait < PATIENCE:
            raise UserError(
                f"stopped: the endpoint asks to wait for {wait:,.0f} s ({error}). What was answered is kept"
            )
        first = PAUSE if error.fatal else BACKOFF  # a server that is just starting needs more than a moment
        backoff = min(first * 2 ** min(tries - 1, 30), LONGEST) * random.uniform(0.5, 1)
        if error.limited:
            self.refused = 0.9 * self.refused + 0.1
            now = time.monotonic()
            if self.refused > CROWDED and now >= self.resume:
                self.pause = wait or min(max(PAUSE, 2 * self.pause), LONGEST)
                self.resume = now + self.pause
        return backoff if wait is None else wait + min(backoff, 1)

    def reject(self, reason: str) -> None:
        """Learn that the endpoint refused a row. Raises UserError when it refuses one after another."""
        self.rejected += 1
        if self.rejected >= FEWEST:
            raise UserError(
                f"stopped: {self.rejected} rows one after another had no answer, the last one because of: {reason}. "
                "Change the settings, or the prompts, as it says. What was answered is kept: `dvc repro` then asks for "
                "the rest only"
            )

    def _note(self, outcome: str) -> None:
        now = time.monotonic()
        self.started = self.started or now
        self.recent.append((now, outcome))
        self.counts[outcome] += 1
        while self.recent[0][0] < now - WINDOW and len(self.recent) > FEWEST:
            self.counts[self.recent.popleft()[1]] -= 1

    def _judge(self, error: Failed) -> None:
        """Stop the run when most calls of the last minute failed; 429s count when nothing else came back."""
        failures = self.counts - Counter({"": self.counts[""], "429": self.counts["429"] if self.counts[""] else 0})
        span = time.monotonic() - self.started
        if len(self.recent) >= FEWEST and span >= WINDOW and failures.total() > len(self.recent) / 2:
            reason, count = failures.most_common(1)[0]
            reason = str(error) if reason == "429" and error.limited else reason
            raise UserError(
                f"stopped: {failures.total()} of the last {len(self.recent)} calls to the teacher failed, most of them "
                f"({count}) with: {reason}. What was answered is kept: `dvc repro` goes on from here"
            )

    def _heed(self, headers: Mapping) -> None:
        """Take the endpoint's limits from its headers, and wait where one is used up."""
        for name, rate in (("requests", self.requests), ("tokens", self.tokens)):
            limit = headers.get(f"x-ratelimit-limit-{name}")
            if name not in self.fixed and limit and limit.isdigit() and int(limit):
                rate.limit = int(limit)
            if headers.get(f"x-ratelimit-remaining-{name}") == "0":
                reset = duration(headers.get(f"x-ratelimit-reset-{name}"))
                self.resume = max(self.resume, time.monotonic() + min(reset, WINDOW))


def retry_after(headers: Mapping) -> float | None:
    """The seconds that Retry-After (or retry-after-ms) asks for: a number, or a date."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1)):
        value = headers.get(name)
        try:
            return max(0.0, float(value) * unit)
        except (TypeError, ValueError):
            pass
        try:
            return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
        except (TypeError, ValueError):
            pass
    return None


def duration(text: str | None) -> float:
    """Seconds of `6m0s`, `1.5s`, `20ms` or `30`; 0 for anything else."""
    units = {"": 1, "s": 1, "ms": 0.001, "m": 60, "h": 3600, "d": 86400}
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|[smhd]|)", text or "")
    return sum(float(number) * units[unit] for number, unit in parts)
