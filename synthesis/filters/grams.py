"""Texts as n-grams, as sets and as hashes, many texts at a time.

Near duplicates are found by MinHash (Broder, 1997) over runs of 5 characters. A package's objects, one a text, and its
index of Python dictionaries do not fit a million rows into 2 GB (docs/benchmarks.md); arrays of integers do.
"""

from collections.abc import Iterator
from zlib import crc32

import numpy as np

CHARACTERS = 5
# Two texts of similarity s share a band with probability 1 - (1 - s^DEPTH)^BANDS: 0.22 at 0.5, 0.87 at 0.7, 0.99 at 0.8
BANDS, DEPTH = 16, 6
BATCH = 2_000

_random = np.random.default_rng(1)
FACTORS = _random.integers(0, 2**31, BANDS * DEPTH, dtype=np.uint32) * np.uint32(2) + np.uint32(1)  # odd: one to one
SHIFTS = _random.integers(0, 2**32, BANDS * DEPTH, dtype=np.uint32)
BASE = np.uint64(0x9E3779B97F4A7C15)


def similarity(one: str, other: str) -> float:
    """Jaccard similarity of two normalised texts as sets of runs of 5 characters: 0 to 1."""
    first, second = _shingles(one), _shingles(other)
    return len(first & second) / len(first | second)


def _shingles(text: str) -> set[str]:
    text = text.ljust(CHARACTERS)
    return {text[at : at + CHARACTERS] for at in range(len(text) - CHARACTERS + 1)}


def words(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """A number for each word of normalised texts, one text after another; how many words each text has."""
    codes, lengths = [np.empty(0, np.uint32)], np.fromiter((len(text.split()) for text in texts), np.int64, len(texts))
    for batch in _batches(texts):
        codes.append(np.fromiter(map(crc32, " ".join(batch).encode("utf-8", "surrogatepass").split()), np.uint32))
    return np.concatenate(codes), lengths


def runs(codes: np.ndarray, lengths: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """A 64-bit hash of each run of `size` codes within a text, in their order, and the place of its text."""
    owners = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    count = max(len(codes) - size + 1, 0)
    hashes = np.zeros(count, np.uint64)
    for at in range(size):
        hashes = hashes * BASE + codes[at : at + count]
    inside = owners[:count] == owners[size - 1 :][:count]
    return _mixed(hashes[inside]), owners[:count][inside]


def bands(texts: list[str]) -> np.ndarray:
    """Band keys of normalised texts, uint64 of shape (texts, BANDS)."""
    found = [np.empty((0, BANDS), np.uint64)]
    for batch in _batches(texts):
        padded = [text.ljust(CHARACTERS) for text in batch]
        codes = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), np.uint32)
        hashes, owners = runs(codes, np.array([len(text) for text in padded]), CHARACTERS)
        hashes, starts = hashes.astype(np.uint32), np.searchsorted(owners, np.arange(len(batch)))
        least = [np.minimum.reduceat(hashes * a + b, starts) for a, b in zip(FACTORS, SHIFTS, strict=True)]
        keys = np.zeros((BANDS, len(batch)), np.uint64)
        for values in np.stack(least).reshape(BANDS, DEPTH, -1).swapaxes(0, 1):
            keys = keys * BASE + values
        found.append(_mixed(keys.T))
    return np.concatenate(found)


def _batches(texts: list[str]) -> Iterator[list[str]]:
    return (texts[start : start + BATCH] for start in range(0, len(texts), BATCH))


def _mixed(hashes: np.ndarray) -> np.ndarray:
    """Spread over all 64 bits (MurmurHash3's finalizer)."""
    hashes = (hashes ^ (hashes >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    hashes = (hashes ^ (hashes >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return hashes ^ (hashes >> np.uint64(33))
