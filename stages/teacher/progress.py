"""What a person sees while the teacher writes: one line of progress, and now and then an answer."""

from __future__ import annotations

import sys
import textwrap

from tqdm import tqdm

from stages.teacher.request import Request

tqdm.monitor_interval = 0  # its thread has nothing to do here
SHOWN = 400  # characters of a prompt or answer


class Progress:
    """A line on stderr; in a log, a line every half minute."""

    def __init__(self, title: str, total: int, done: int, budget):
        often = 0.2 if sys.stderr.isatty() else 30
        self.bar = tqdm(
            total=total, initial=done, desc=title, unit="row", file=sys.stderr, mininterval=often, maxinterval=often,
            miniters=1, dynamic_ncols=True, leave=True,
        )  # fmt: skip
        self.budget = budget
        fresh = total - done
        self.samples = {1, fresh // 10, fresh // 2} - {0}
        self.fresh = 0

    def step(self, request: Request, text: str, rejected: str | None) -> None:
        """One more row is finished."""
        self.fresh += 1
        budget = self.budget
        dollars = "" if budget.dollars is None else f", ${budget.dollars:.4f}"
        self.bar.set_postfix_str(f"{budget.tokens_in + budget.tokens_out:,} tokens{dollars}", refresh=False)
        self.bar.update()
        if self.fresh in self.samples:
            verdict = f" (rejected: {rejected})" if rejected else ""
            told = f"--- asked ---\n{_short(request.prompt)}\n--- answered{verdict} ---\n{_short(text)}\n---"
            self.bar.write(told, file=sys.stderr)

    def close(self) -> None:
        """End the line."""
        self.bar.close()


def _short(text: str) -> str:
    if len(text) > SHOWN:
        text = f"{text[: SHOWN // 2]} [...] {text[-SHOWN // 2 :]}"
    return textwrap.indent(text, "  ")
