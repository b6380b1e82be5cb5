"""What the teacher's answers cost, and the limit that the whole pipeline must not pass."""

from __future__ import annotations

import asyncio
from collections import Counter
from math import inf

from stages.pipeline.stage import UserError
from stages.teacher.request import Reply

KINDS = ("requests", "tokens", "dollars")


class Reached(Exception):
    """The next request could pass the budget. The message tells what is spent."""


class Budget:
    """Counts every answer that is used, stored ones included: a rerun thus stops where the first run did.

    A call is let in only when even its dearest outcome fits beside what is spent and what is in flight.
    `price` is in dollars for a token of the prompt and of the answer, None when it is unknown.
    """

    def __init__(self, limits, price: tuple[float, float] | None, before: dict | None = None):
        self.limits = {kind: limit for kind in KINDS if limits and (limit := getattr(limits, kind)) is not None}
        self.price = price
        self.calls = self.cached = self.tokens_in = self.tokens_out = 0
        self.longest = 0  # tokens of the longest answer so far
        self.before, self.reserved = Counter(_before(before)), Counter()
        self.in_flight = 0
        self.freed = asyncio.Event()
        if "dollars" in self.limits and (price is None or (before and before.get("dollars", 0) is None)):
            raise UserError(
                "teacher.budget.dollars cannot be held: the price of teacher.model at this endpoint is unknown; "
                "use teacher.budget.tokens or .requests"
            )

    @property
    def dollars(self) -> float | None:
        return self._dollars(self.tokens_in, self.tokens_out)

    async def reserve(self, size: int, max_tokens: int | None) -> dict:
        """Wait until a call fits, and return what is reserved for it. Raises Reached when nothing can make it fit.

        A token is at least a byte, so that a body of `size` bytes has at most so many tokens.
        """
        while self.limits:
            bound = self._bound(size, max_tokens)
            full = [kind for kind in self.limits if bound[kind] > self._left(kind) + 1e-9]
            if not full:
                break
            if not self.in_flight:
                raise Reached(self._reached(full[0]))
            self.freed.clear()
            await self.freed.wait()
        else:
            bound = {}
        self.in_flight += 1
        self.reserved.update(bound)
        return bound

    def release(self, bound: dict) -> None:
        """The call is over, and what it cost is counted."""
        self.in_flight -= 1
        self.reserved.subtract(bound)
        self.freed.set()

    def lost(self, bound: dict) -> None:
        """The call failed after it was sent, and may be billed: for this run it is taken to be."""
        self.before.update(bound)

    def count(self, reply: Reply, cached: bool) -> None:
        """An answer is used."""
        self.calls += not cached
        self.cached += cached
        self.tokens_in += reply.tokens_in
        self.tokens_out += reply.tokens_out
        self.longest = max(self.longest, reply.tokens_out)

    def usage(self, seconds: float) -> dict:
        """What this `ask` used: calls and answers out of the store, and the tokens and dollars of both."""
        names = ("calls", "cached", "tokens_in", "tokens_out", "dollars")
        return {name: getattr(self, name) for name in names} | {"seconds": round(seconds, 2)}

    def _bound(self, size: int, max_tokens: int | None) -> dict:
        """The most that a call can cost. Without max_tokens, twice the longest answer so far; the first goes alone."""
        longest = max_tokens or 2 * self.longest
        if longest:
            return {"requests": 1, "tokens": size + longest, "dollars": self._dollars(size, longest) or 0}
        left = {kind: inf if self.in_flight else max(self._left(kind), 1e-6) for kind in self.limits}
        return left | {"requests": 1}

    def _dollars(self, tokens_in: int, tokens_out: int) -> float | None:
        return self.price and tokens_in * self.price[0] + tokens_out * self.price[1]

    def _spent(self, kind: str) -> float:
        here = {"requests": self.calls + self.cached, "tokens": self.tokens_in + self.tokens_out}
        return self.before[kind] + (self.dollars if kind == "dollars" else here[kind])

    def _left(self, kind: str) -> float:
        return self.limits[kind] - self._spent(kind) - self.reserved[kind]

    def _reached(self, kind: str) -> str:
        spent, limit = self._spent(kind), self.limits[kind]
        amounts = f"${spent:.4f} of ${limit:g} are" if kind == "dollars" else f"{spent:,} of {limit:,} {kind} are"
        return f"{amounts} spent, and the next request could pass it"


def _before(usage: dict | None) -> dict:
    usage = usage or {}
    return {
        "requests": usage.get("calls", 0) + usage.get("cached", 0),
        "tokens": usage.get("tokens_in", 0) + usage.get("tokens_out", 0),
        "dollars": usage.get("dollars") or 0,
    }
