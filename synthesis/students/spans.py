"""The answer of a reader: a context is read in windows, and the likeliest span is found in the logits of all of them.

Needs neither torch nor transformers, as an exported reader answers the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

N_BEST = 20  # spans that share the probability
LONGEST = 30  # tokens of an answer at most, as in the official baselines


def shares(length: int) -> tuple[int, int]:
    """Of the tokens of a window, how many the question may have, and how many the next window repeats."""
    return length // 2 - 4, length // 4


@dataclass(frozen=True)
class Window:
    """A question and a piece of its context.

    row:     the number of the pair that it was cut from.
    tokens:  what the model reads, input_ids among it, not padded.
    offsets: (tokens, 2), where each token of the context lies in it; (-1, -1) for those that are not of the context.
    """

    row: int
    tokens: dict[str, list[int]]
    offsets: np.ndarray

    def place(self, start: int, end: int) -> tuple[int, int]:
        """The first and last token of context[start:end]; (0, 0), the first token of all, when it is not all here."""
        inside = np.flatnonzero((self.offsets[:, 0] < end) & (self.offsets[:, 1] > start))
        if not len(inside) or self.offsets[inside[0], 0] > start or self.offsets[inside[-1], 1] < end:
            return 0, 0
        return int(inside[0]), int(inside[-1])


def best_span(context: str, seen: list[tuple[Window, np.ndarray, np.ndarray]]) -> tuple[str, int, float]:
    """The likeliest answer in the windows of one context: its text, where it starts, its probability.

    `seen`: each window with its logits of start and end, (tokens or more,). A span ends no earlier than it starts and
    has at most LONGEST tokens; the probability is the softmax over the N_BEST spans with the highest sum of logits.
    Nothing of a context without tokens can be an answer: ("", 0, 0).
    """
    spans = [span for window, starts, ends in seen for span in _best_of(window, starts, ends)]
    spans = sorted(spans, key=lambda span: (-span[0], *span[1:]))
    distinct = list({span[1:]: span[0] for span in reversed(spans)}.items())[::-1][:N_BEST]
    if not distinct:
        return "", 0, 0.0
    logits = np.array([logit for _, logit in distinct])
    weights = np.exp(logits - logits.max())
    start, end = distinct[0][0]
    return context[start:end], start, float(weights[0] / weights.sum())


def _best_of(window: Window, starts: np.ndarray, ends: np.ndarray) -> list[tuple[float, int, int]]:
    """The N_BEST spans of a window: logit, start and end in the context."""
    places = np.flatnonzero(window.offsets[:, 1] > window.offsets[:, 0])  # a token without letters is none
    if not len(places):
        return []
    sums = starts[places][:, None] + ends[places][None, :]
    lengths = places[None, :] - places[:, None]
    sums = np.where((lengths >= 0) & (lengths < LONGEST), sums, -np.inf)
    count = min(N_BEST, int(np.isfinite(sums).sum()))
    order = np.argsort(-sums, axis=None, kind="stable")[:count]
    return [
        (float(sums[first, last]), int(window.offsets[places[first], 0]), int(window.offsets[places[last], 1]))
        for first, last in zip(*np.unravel_index(order, sums.shape), strict=True)
    ]
