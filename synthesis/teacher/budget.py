"""What the teacher's answers cost, and the limit that the whole pipeline must not pass."""

from __future__ import annotations

import asyncio
from collections import Counter
from math import inf

from synthesis import UserError
from synthesis.params import Budget as Limits
from synthesis.teacher.request import Reply
from synthesis.teacher.spending import plus

KINDS = ("requests", "tokens", "dollars")


def price(model: str, base_url: str) -> tuple[float, float] | None:
    """Dollars for a token of the prompt and for one of the answer, by the offline tables of the package genai-prices.

    None, never a guess, where they do not know the model at this endpoint.
    """
    from genai_prices import Usage, calc_price

    try:
        prices = calc_price(Usage(input_tokens=1000, output_tokens=1000), model, provider_api_url=base_url)
    except LookupError:
        return None
    if not prices.input_price and not prices.output_price:
        return None
    return float(prices.input_price) / 1000, float(prices.output_price) / 1000


class Reached(Exception):
    """The next request could pass the budget. The message says what is spent."""


class Budget:
    """Counts every answer that is used, stored ones included: a rerun thus stops where the first run did.

    A call is let in only when even its dearest outcome fits beside what is spent and what is in flight.
    price: dollars for a token of the prompt and of the answer, None when unknown. before: what was spent earlier, as
    spending.py has it. Raises UserError when dollars are limited and their price is unknown.
    """

    def __init__(self, limits: Limits | None, price: tuple[float, float] | None, before: dict):
        self.limits = {kind: limit for kind in KINDS if limits and (limit := getattr(limits, kind)) is not None}
        self.price = price
        self.asked = self.stored = 0
        self.counts = dict.fromkeys(("tokens_in", "tokens_out", "tokens_reasoning"), 0)  # as answers say; None: unknown
        self.at_most = (0, 0)  # tokens in and out, a byte for a token where an answer does not say
        self.longest = 0  # tokens of the longest answer so far
        self.before, self.reserved = Counter(_amounts(before)), Counter()
        self.in_flight = 0
        self.freed = asyncio.Event()
        if "dollars" in self.limits and (price is None or before["dollars"] is None):
            raise UserError(
                "asking.budget.dollars cannot be kept: the price of teacher.model at this endpoint is unknown; "
                "use asking.budget.tokens or .requests"
            )

    @property
    def dollars(self) -> float | None:
        """What the answers used so far cost."""
        return self._dollars(*self.at_most)

    @property
    def tokens(self) -> int:
        """Tokens of the answers used so far, in and out, at most."""
        return sum(self.at_most)

    @property
    def usage(self) -> dict:
        """What the answers used so far cost, as spending.py describes it."""
        return {
            "calls": self.asked + self.stored,
            **self.counts,
            "tokens_at_most": self.tokens,
            "dollars": self.dollars,
        }

    async def reserve(self, size: int, max_tokens: int | None) -> dict:
        """Wait until a call fits, and return what is reserved for it. Raises Reached when nothing can make it fit.

        A token is at least a byte, so that a body of `size` bytes has at most so many tokens.
        """
        while self.limits:
            bound = self._bound(size, max_tokens)
            full = [kind for kind in self.limits if bound[kind] > self.left(kind) + 1e-9]
            if not full:
                break
            if not self.in_flight:
                raise Reached(self._message(full[0]))
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

    def count(self, reply: Reply, size: int, stored: bool) -> None:
        """An answer to a request of `size` bytes is used: a new one, or one out of the response store."""
        self.asked += not stored
        self.stored += stored
        tokens_in, tokens_out = reply.tokens(size)
        self.at_most = self.at_most[0] + tokens_in, self.at_most[1] + tokens_out
        self.counts = {name: plus(count, getattr(reply, name)) for name, count in self.counts.items()}
        self.longest = max(self.longest, tokens_out)

    def _bound(self, size: int, max_tokens: int | None) -> dict:
        """The most that a call can cost. Without max_tokens, twice the longest answer so far; the first goes alone."""
        longest = max_tokens or 2 * self.longest
        if longest:
            return {"requests": 1, "tokens": size + longest, "dollars": self._dollars(size, longest) or 0}
        left = {kind: inf if self.in_flight else max(self.left(kind), 1e-6) for kind in self.limits}
        return left | {"requests": 1}

    def _dollars(self, tokens_in: int, tokens_out: int) -> float | None:
        return self.price and tokens_in * self.price[0] + tokens_out * self.price[1]

    def _spent(self, kind: str) -> float:
        return self.before[kind] + _amounts(self.usage)[kind]

    def left(self, kind: str) -> float:
        """What is neither spent nor reserved of a limit."""
        return self.limits[kind] - self._spent(kind) - self.reserved[kind]

    def _message(self, kind: str) -> str:
        spent, limit = self._spent(kind), self.limits[kind]
        amounts = f"${spent:.4f} of ${limit:g} are" if kind == "dollars" else f"{spent:,} of {limit:,} {kind} are"
        return f"{amounts} spent, and the next request could pass it"


def _amounts(usage: dict) -> dict:
    """A usage in the kinds of a budget."""
    return {
        "requests": usage["calls"],
        "tokens": usage["tokens_at_most"],
        "dollars": usage["dollars"] or 0,
    }
