"""When so many answers cannot be used that not the rows are to blame, but a setting, a prompt or the model."""

from __future__ import annotations

import re
from collections import Counter
from math import sqrt

from synthesis import UserError
from synthesis.teacher.request import Request

FEWEST = 10  # rows of a stage that asks: of fewer, any share may be chance
SHOWN = 80  # characters of a prompt's end and of an answer
THOUGHTS = "length: no text before teacher.max_tokens, all of it went into thoughts"


class Rejections:
    """The rejected ones among `total` rows that are asked for under `title`.

    most: their largest share that is taken for chance (asking.max_rejected); None sets no limit.
    """

    def __init__(self, title: str, total: int, most: float | None):
        self.title, self.total = title, total
        self.most = most if total >= FEWEST else None
        self.rows, self.counts, self.examples = 0, Counter(), {}

    def add(self, request: Request, text: str, reason: str | None) -> None:
        """One more row is finished. Raises UserError when too many are rejected.

        That is, when the rest cannot make up for it any more, or is most unlikely to (by three standard deviations),
        so that little is spent on what goes wrong.
        """
        self.rows += 1
        if not reason:
            return
        kind = re.sub(r"\d+", "0", reason)  # a prompt's number of tokens makes no other reason
        self.counts[kind] += 1
        self.examples.setdefault(kind, (request, text, reason))
        if self.most is None:
            return
        rejected, expected = self.counts.total(), self.most * self.rows
        if rejected > min(self.most * self.total, expected + 1.5 * sqrt(self.rows)):
            raise UserError(
                f"stopped: {rejected} of the first {self.rows} rows of {self.title} ({self.total} are wanted) were "
                f"rejected, more than asking.max_rejected ({self.most:g}) allows. {self.commonest()}, or raise "
                "asking.max_rejected. What was answered is kept"
            )

    def commonest(self) -> str:
        """The commonest reason with its count, an example, and what to do about it."""
        kind, count = self.counts.most_common(1)[0]
        request, text, reason = self.examples[kind]
        return (
            f"Commonest reason ({count} times): {reason}. For example, the prompt that ends "
            f"`{shorten(request.prompt)}` was answered `{shorten(text)}`. {advice(reason, request.step)}"
        )


def advice(reason: str, step: str) -> str:
    """What to do about a reason that rows are rejected for."""
    if reason.startswith("length"):
        return "Raise teacher.max_tokens, or turn thinking down in teacher.extra"
    if reason.startswith("refused by the endpoint"):
        return "Change what the endpoint refuses"
    if reason.startswith("finish_reason"):
        return "The endpoint broke off: look at it, or try another one"
    return f"Change the prompt ({step}.md) or the model"


def shorten(text: str) -> str:
    """A text's end, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"[...] {line[-SHOWN:]}"
