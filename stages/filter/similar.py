"""Pairs of rows whose texts are nearly the same, in time and memory linear in the rows (locality-sensitive hashing)."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from stages.filter.grams import BANDS, similarity
from stages.filter.rows import Rows

# What bounds the work for a row that looks like thousands of others: how many rows of a band are looked at, latest
# first, and how many of those, the ones that share most bands first, are compared in full.
LOOKED_AT, COMPARED = 64, 8


def twins(new: Rows, known: Rows, columns: list[str], threshold: float, among: bool) -> Iterator[tuple[int, str]]:
    """(place, id) of new rows with a similarity of at least `threshold` to a known row, which is named.

    Only rows that agree in `columns` are compared. `among`: new rows are also compared with those before them that have
    no twin themselves; of two that are alike the first thus stays. Rows that are left out count for nothing.
    """
    first, texts = len(known), known.texts + new.texts
    ids = known.ids + new.ids
    keys = np.concatenate([known.bands, new.bands])
    keys ^= np.concatenate([known.scope(columns), new.scope(columns)])[:, None]
    buckets = np.empty((len(keys), BANDS), np.int32)
    met = np.zeros(len(keys), bool)
    latest = []
    for band in range(BANDS):
        _, inverse, counts = np.unique(keys[:, band], return_inverse=True, return_counts=True)
        buckets[:, band], met = inverse, met | (counts[inverse] > 1)
        latest.append(np.full(len(counts), -1, np.int32))  # of each bucket: the row that entered last
    earlier = np.full((len(keys), BANDS), -1, np.int32)  # of each row and band: the row that entered before it
    for row in np.flatnonzero(met).tolist():
        own = buckets[row].tolist()
        if row >= first:
            if new.reasons[row - first]:
                continue
            shared = Counter()
            for band, bucket in enumerate(own):
                other = int(latest[band][bucket])
                for _ in range(LOOKED_AT):
                    if other < 0:
                        break
                    shared[other] += 1
                    other = int(earlier[other, band])
            close = (other for other, _ in shared.most_common(COMPARED))
            twin = next((other for other in close if similarity(texts[row], texts[other]) >= threshold), None)
            if twin is not None:
                yield row - first, ids[twin]
                continue
            if not among:
                continue
        for band, bucket in enumerate(own):
            earlier[row, band] = latest[band][bucket]
            latest[band][bucket] = row
