"""Draws: the next token of each row, by a random number that depends on nothing but the row.

One number a row and token, by which the distribution function is inverted, costs a pass over the vocabulary; noise for
each of its tokens would cost several, and sorting it for top_p more than all the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

GAMMA, MIX1, MIX2 = (number - 2**64 for number in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def uniform(seeds: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """For each row number `counts` of the random stream of `seeds`, float32 within (0, 1).

    SplitMix64 (Steele, Lea and Flood, 2014, "Fast splittable pseudorandom number generators"), the state of which is a
    counter. Integers (int64, which wrap around) are exact: every device draws the same.
    """
    state = seeds + (counts + 1) * GAMMA
    state = (state ^ _shift(state, 30)) * MIX1
    state = (state ^ _shift(state, 27)) * MIX2
    return (_shift(state ^ _shift(state, 31), 41) + 0.5) * 2.0**-23


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn. temperature 0: the likeliest one. top_p: see `draw`."""

    temperature: float
    top_p: float

    def draw(self, logits: torch.Tensor, seeds: torch.Tensor, counts: torch.Tensor, again: int = 0):
        """A token for each row of `logits` (rows, vocabulary), and whether it counts; see `uniform` for the others.

        It counts if all likelier ones together have a smaller share than top_p (Holtzman et al., 2020). The others are
        drawn `again`: 1 - top_p of the draws are in vain, but no vocabulary is sorted.
        """
        if not self.temperature:
            return logits.argmax(-1), torch.ones_like(seeds, dtype=torch.bool)
        shares = (logits.float() / self.temperature).softmax(-1)
        sums = shares.cumsum(-1)
        wanted = uniform(seeds, counts + (again << 32))[:, None] * sums[:, -1:]
        tokens = torch.searchsorted(sums, wanted).clamp(max=logits.shape[-1] - 1)
        likelier = shares.masked_fill(shares <= shares.gather(-1, tokens), 0).sum(-1)
        return tokens[:, 0], ~(likelier >= self.top_p)  # what is no number must end too

    def redraw(self, logits, seeds, counts, tokens, counted) -> torch.Tensor:
        """The `tokens` of a draw, drawn again until all of them count."""
        left, again = (~counted).nonzero()[:, 0], 1
        while len(left):
            tokens[left], counted = self.draw(logits[left], seeds[left], counts[left], again)
            left, again = left[~counted], again + 1
        return tokens


class Likeliest:
    """In the place of draws: the likeliest token comes next, and how likely it was is kept.

    log_probabilities: of the tokens of the last step, by places.
    """

    def __init__(self):
        self.log_probabilities: list[float] = []

    def draw(self, logits: torch.Tensor, *_) -> tuple[torch.Tensor, torch.Tensor]:
        """The likeliest token of each row of `logits` (rows, vocabulary), and its log-probability."""
        logits = logits.float()
        best, tokens = logits.max(-1)
        return tokens, best - logits.logsumexp(-1)

    def redraw(self, logits, seeds, counts, tokens: torch.Tensor, log_probabilities: torch.Tensor) -> torch.Tensor:
        """The tokens as they are: nothing is drawn again."""
        self.log_probabilities = log_probabilities.tolist()
        return tokens


def _shift(state: torch.Tensor, bits: int) -> torch.Tensor:
    """Shift right as an unsigned integer."""
    return (state >> bits) & ((1 << (64 - bits)) - 1)
