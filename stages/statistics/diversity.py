"""How varied texts are."""

import re
from collections.abc import Sequence

WORD = re.compile(r"\w+(?:['’]\w+)*")


def grams(texts: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """The runs of n words of all texts, in their order; none spans two texts."""
    found = (WORD.findall(text.casefold()) for text in texts)
    return [tuple(words[at : at + n]) for words in found for at in range(len(words) - n + 1)]


def distinct(runs: Sequence[tuple], limit: int) -> float:
    """Distinct-n (Li et al., 2016) of the first `limit` runs: the share of different ones. It falls with the amount of
    text, so sets are only to be compared at the same limit. 0 when there are none."""
    counted = runs[:limit]
    return len(set(counted)) / len(counted) if counted else 0.0
