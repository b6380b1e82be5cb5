"""Decontamination: no row that selection or test would recognise enters the training data. It cannot be switched off.

Selection rows that are mined as well (protocol `paper`) are no secret to the teacher, so they are validation rows here.
"""

from collections.abc import Iterator

import numpy as np

from synthesis.filters.grams import runs
from synthesis.filters.near_duplicates import twins
from synthesis.filters.rows import Rows

WORDS = 13  # in a row, that two texts do not share by chance
SHORTEST = 8  # a text of fewer words must be the same, or nearly so; of a longer one all words count as a run
SIMILAR = 0.8
BATCH = 50_000


def find(new: Rows, gold: dict[str, Rows]) -> Iterator[tuple[int, str, str]]:
    """(place, reason, id) of the rows that selection or test would recognise, and the row there."""
    mined, seen = set(gold["validation"].ids), set()
    for split in ("test", "selection"):
        for place, twin in (*asked_again(new, gold[split]), *leaks(new, gold[split])):
            if place not in seen and (split == "test" or twin not in mined):
                seen.add(place)
                yield place, f"also in {split}", twin


def asked_again(new: Rows, gold: Rows) -> Iterator[tuple[int, str]]:
    """(place, id) of new rows, and the held-out row that is the same in all that the student reads, whatever the answer
    to it is."""
    same = dict(zip(gold.inputs, gold.ids, strict=True))
    return ((place, same[text]) for place in new.left if (text := new.inputs[place]) in same)


def copies(new: Rows, validation: Rows) -> Iterator[tuple[int, str, str]]:
    """(place, reason, id) of the rows that repeat a validation row, as `leaks` has it: a teacher that has learned these
    may know them by heart. Rows that no prompt made are gold rows that are meant to be there."""
    asked = new.table["prompt"] != ""
    for place, twin in leaks(new, validation):
        if asked.iat[place]:
            yield place, "copies a gold row", twin


def leaks(new: Rows, gold: Rows) -> Iterator[tuple[int, str]]:
    """(place, id) of new rows, and the held-out row that each one equals, quotes or nearly equals.

    Equal: in all columns, and in what the teacher wrote. Quotes: what the teacher wrote shares 13 words in a row with
    the same column of the other, or as many as the shorter of the two texts has, if these are 8 or more. This is not
    asked of targets, as many sources may well be answered with the same words. Nearly: in what the teacher wrote, where
    what it was given is the same. Of targets each right one counts.
    """
    gold = gold.versions
    same, done = dict(zip(gold.prints, gold.ids, strict=True)), set()

    def fresh(pairs):
        for place, twin in pairs:
            if place not in done and not new.reasons[place]:
                done.add(place)
                yield place, twin

    yield from fresh((place, same[text]) for place, text in enumerate(new.prints) if text in same)
    if new.task.written in new.task.columns:
        yield from fresh((place, gold.ids[twin]) for place, twin in quotes(new, gold))
    yield from fresh(twins(new, gold, new.task.given, SIMILAR, among=False))


def quotes(new: Rows, gold: Rows) -> Iterator[tuple[int, int]]:
    """(place, place) of new and held-out rows that share a run of words."""
    (codes, lengths), (their_codes, their_lengths) = new.words, gold.words
    ends = np.concatenate([[0], np.cumsum(lengths)])
    for size in range(SHORTEST, WORDS + 1):
        theirs, owners = runs(their_codes, their_lengths, size)
        order = np.argsort(theirs, kind="stable")
        theirs, owners = theirs[order], owners[order]
        whole = their_lengths[owners] == size
        for start in range(0, len(new), BATCH):
            stop = min(start + BATCH, len(new))
            mine, places = runs(codes[ends[start] : ends[stop]], lengths[start:stop], size)
            places += start
            if size == WORDS:
                yield from _matches(mine, places, theirs, owners)
            else:  # a run of fewer words must be all of one of the two texts
                own = lengths[places] == size
                yield from _matches(mine[own], places[own], theirs, owners)
                yield from _matches(mine, places, theirs[whole], owners[whole])


def _matches(mine, places, theirs, owners) -> Iterator[tuple[int, int]]:
    """The place and the owner of equal hashes; `theirs` are sorted."""
    if len(theirs):
        at = np.minimum(np.searchsorted(theirs, mine), len(theirs) - 1)
        equal = theirs[at] == mine
        yield from zip(places[equal].tolist(), owners[at[equal]].tolist(), strict=True)
