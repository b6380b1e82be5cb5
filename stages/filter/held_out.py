"""Decontamination: no row that selection or test would recognise enters the training data. It cannot be switched off.

Selection rows that are mined as well (protocol `paper`) are no secret to the teacher, so they are validation rows here.
"""

from collections.abc import Iterator

import numpy as np

from stages.filter.grams import runs
from stages.filter.rows import Rows
from stages.filter.similar import twins

WORDS = 13  # in a row, that two texts do not share by chance
SHORTEST = 8  # a text of fewer words must be the same, or nearly so; of a longer one all words count as a run
SIMILAR = 0.8
BATCH = 50_000


def find(new: Rows, old: Rows, gold: dict[str, Rows], setting) -> Iterator[tuple[int, str, str]]:
    mined, found = set(gold["validation"].ids), set()
    for split in ("test", "selection"):
        for place, twin in leaks(new, gold[split]):
            if place not in found and (split == "test" or twin not in mined):
                found.add(place)
                yield place, f"also in {split}", twin


def leaks(new: Rows, held: Rows) -> Iterator[tuple[int, str]]:
    """(place, id) of new rows, and the held-out row that each one equals, quotes or nearly equals.

    Equal: in all columns. Quotes: what the teacher wrote shares 13 words in a row with the same column of the other, or
    as many as the shorter of the two texts has, if these are 8 or more. Nearly: in what the teacher wrote, where the
    context is the same.
    """
    same, done = dict(zip(held.prints, held.ids, strict=True)), set()

    def fresh(found):
        for place, twin in found:
            if place not in done and not new.reasons[place]:
                done.add(place)
                yield place, twin

    yield from fresh((place, same[text]) for place, text in enumerate(new.prints) if text in same)
    yield from fresh((place, held.ids[twin]) for place, twin in quotes(new, held))
    yield from fresh(twins(new, held, new.context, SIMILAR, among=False))


def quotes(new: Rows, held: Rows) -> Iterator[tuple[int, int]]:
    """(place, place) of new and held-out rows that share a run of words."""
    (codes, lengths), (theirs, their_lengths) = new.words, held.words
    ends = np.concatenate([[0], np.cumsum(lengths)])
    for size in range(SHORTEST, WORDS + 1):
        hashes, owners = runs(theirs, their_lengths, size)
        order = np.argsort(hashes, kind="stable")
        hashes, owners = hashes[order], owners[order]
        whole = their_lengths[owners] == size
        for start in range(0, len(new) if len(hashes) else 0, BATCH):
            part = slice(start, start + BATCH)
            mine, places = runs(codes[ends[start] : ends[min(start + BATCH, len(new))]], lengths[part], size)
            if size == WORDS:
                matches = [_places(mine, hashes)]
            else:  # one of the two texts is no longer than the run
                own = lengths[part][places] == size
                matches = [np.where(own, _places(mine, hashes), -1), _places(mine, hashes[whole])]
            for found, whose in zip(matches, (owners, owners[whole]), strict=False):
                for at in np.flatnonzero(found >= 0):
                    yield start + int(places[at]), int(whose[found[at]])


def _places(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Where each value stands first in a sorted array, -1 where it does not."""
    if not len(among):
        return np.full(len(values), -1)
    at = np.minimum(np.searchsorted(among, values), len(among) - 1)
    return np.where(among[at] == values, at, -1)
