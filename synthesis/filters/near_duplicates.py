"""Pairs of rows whose texts are nearly the same, in time and memory linear in the rows (locality-sensitive hashing)."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from synthesis.filters.grams import BANDS, similarity
from synthesis.filters.rows import Rows

# What bounds the work for a row that looks like thousands of others: how many rows of a band are looked at, latest
# first, and how many of those, the ones that share most bands first, are compared in full.
LOOKED_AT, COMPARED = 64, 8


def twins(new: Rows, known: Rows, columns: list[str], threshold: float, among: bool) -> Iterator[tuple[int, str]]:
    """(place, id) of new rows with a similarity of at least `threshold` to a known row, which is named.

    Only rows that agree in `columns` are compared. `among`: new rows are also compared with those before them that have
    no twin themselves; of two that are alike the first thus stays. Rows that are left out count for nothing.
    """
    first, texts, ids = len(known), known.texts + new.texts, known.ids + new.ids
    scopes = np.concatenate([known.scope(columns), new.scope(columns)])

    def keys(band):
        return np.concatenate([known.bands[:, band], new.bands[:, band]]) ^ scopes

    met = np.zeros(len(ids), bool)
    for band in range(BANDS):
        _, buckets, sizes = np.unique(keys(band), return_inverse=True, return_counts=True)
        met |= sizes[buckets] > 1
    rows = np.flatnonzero(met)  # the others share no band with any row
    buckets = np.empty((len(rows), BANDS), np.int32)
    for band in range(BANDS):
        buckets[:, band] = np.unique(keys(band)[rows], return_inverse=True)[1]
    latest = np.full(buckets.shape, -1, np.int32)  # of each bucket and band: the row that entered last
    earlier = np.full(buckets.shape, -1, np.int32)  # of each row and band: the row that entered before it
    for at, row in enumerate(rows.tolist()):
        own = buckets[at].tolist()
        if row >= first:
            if new.reasons[row - first]:
                continue
            shared = Counter()
            for band, bucket in enumerate(own):
                other = int(latest[bucket, band])
                for _ in range(LOOKED_AT):
                    if other < 0:
                        break
                    shared[other] += 1
                    other = int(earlier[other, band])
            close = (int(rows[other]) for other, _ in shared.most_common(COMPARED))
            twin = next((other for other in close if similarity(texts[row], texts[other]) >= threshold), None)
            if twin is not None:
                yield row - first, ids[twin]
                continue
            if not among:
                continue
        for band, bucket in enumerate(own):
            earlier[at, band] = latest[bucket, band]
            latest[bucket, band] = at
