"""Rows that a causal model writes side by side, each from its prompt to its own end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synthesis.decoding.decoder import Decoder

REFILL = 8  # rows are read when one place of so many is free: reading a few costs as much as reading many


@dataclass(eq=False)
class Row:
    """A text in the making: the tokens of its prompt, and those that were written.

    seed: of its random numbers. limit: tokens that are written at most.
    """

    prompt: list[int] = field(default_factory=list)
    limit: int = 0
    seed: int = 0
    tokens: list[int] = field(default_factory=list)

    @property
    def state(self) -> tuple[int, int, int, int]:
        """The last token, its position, and seed and count of the next one's random number."""
        count = len(self.tokens)
        return (self.tokens or self.prompt)[-1], len(self.prompt) + count - 1, self.seed, count


class Batch:
    """Rows in the places of a decoder, and others that wait for a place to be free."""

    def __init__(self, decoder: Decoder):
        self.decoder = decoder
        self.waiting: list[Row] = []
        self.rows: list[Row | None] = []  # by their places; None: a free one

    @property
    def busy(self) -> bool:
        """Whether there are rows that have not ended."""
        return bool(self.waiting) or any(self.rows)

    def add(self, rows: list[Row]) -> None:
        """Let rows wait. The longest are taken first: what does not fit into the memory shows at once."""
        self.waiting += rows
        self.waiting.sort(key=lambda row: (len(row.prompt), row.seed))  # whatever the order in which they came

    def step(self) -> list[tuple[int, Row]]:
        """Write one token of as many rows as there is room for. Returns these rows with their places."""
        self._fill()
        if not any(self.rows):
            return []
        written = self.decoder.step([row.state if row else (0, 0, 0, 0) for row in self.rows])
        rows = [(place, row) for place, row in enumerate(self.rows) if row]
        for place, row in rows:
            row.tokens.append(written[place])
        return rows

    def end(self, place: int) -> None:
        """The row at this place has ended."""
        self.rows[place] = None

    def _fill(self) -> None:
        """Give free places to waiting rows."""
        self.rows += [None] * (self.decoder.size - len(self.rows))
        free = [place for place, row in enumerate(self.rows) if row is None]
        if self.waiting and len(free) * REFILL >= self.decoder.size:
            rows = [self.waiting.pop() for _ in free[: len(self.waiting)]]
            for place, row in zip(free, rows, strict=False):
                self.rows[place] = row
            self.decoder.read(free[: len(rows)], [row.prompt for row in rows])
        if not self.decoder.graph:  # what is free costs time, but for a graph, which runs all places anyway
            self._close_up()

    def _close_up(self) -> None:
        """Let the last rows take the free places before them."""
        while None in self.rows:
            if row := self.rows.pop():
                place = self.rows.index(None)
                self.decoder.move(len(self.rows), place)
                self.rows[place] = row
