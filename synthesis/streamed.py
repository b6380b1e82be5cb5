"""The filters for tables that do not fit into memory: the same rows stay, and for the same reasons.

What looks at one row alone is done in batches, side by side in processes, which hand over hashes of what rows are
compared by. From these follow the duplicates, and which rows may be nearly the same: rows that share a band key within
a scope, directly or through other rows, form a group. Groups do not touch each other, so that processes compare them
apart, some at a time. No process holds the texts of more than a batch, or of such a part.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from synthesis import cores, files
from synthesis.filters import held_out
from synthesis.filters.grams import BANDS, bands
from synthesis.filters.near_duplicates import twins
from synthesis.filters.rows import Rows
from synthesis.filters.rules import RULES, SHARE, SHARED, opening
from synthesis.run import Run
from synthesis.tasks.words import normalised

MANY = 1_000_000  # rows of old and new tables from which on they are streamed
PART = 200_000  # rows that may be nearly the same and are compared by one process, if no group is larger
TOGETHER = ("lead_in", "duplicate", "near_duplicate")  # rules that compare rows with each other
UNASKED = np.uint64(0)  # in the place of the opening of a row that a rule before `lead_in` leaves out


def needed(run: Run, tables: list[Path]) -> bool:
    """Whether tables are to be streamed: they have many rows, and nothing that looks at them needs all at once."""
    method, verify = run.params.method, run.params.verify
    if verify.student or method.label != "teacher" or method.weight:
        return False
    return sum(pq.read_metadata(table).num_rows for table in tables if table.exists()) >= MANY


def sift(run: Run, new: Path, old: list[Path]) -> Iterator[pd.DataFrame]:
    """Batches of the rows of `new` with `rejected`, `twin` and `quoted` as filters.sift has them, and `was`: the reason
    for which a row was rejected before, or nothing.

    old: the table of earlier rounds' rows, if there is one.
    """
    filters, tables, gold = run.params.filters, [*old, new], run.gold()
    counts = [pq.read_metadata(table).num_rows for table in tables]
    first, total = sum(counts[:-1]), sum(counts)
    found = _Found(total)
    context = get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as folder,
        (Path(folder) / "keys").open("wb+") as keys,
        ProcessPoolExecutor(cores(), context, _begin, (run, gold)) as pool,
    ):
        at = 0
        for paths, look in ((old, _hash), ([new], _look)):
            for rows in _ahead(pool, look, files.batches(paths)):
                found.take(at, rows)
                for band in range(BANDS):
                    keys.seek(8 * (band * total + at))
                    keys.write(rows.keys[band].tobytes())
                at += len(rows.prints)
        keys.flush()
        if filters.lead_in:
            found.lead_in(set(map(opening, gold["validation"][run.task.written])))
        if filters.duplicate:
            found.duplicate(first)
        if filters.near_duplicate:
            left = np.flatnonzero(found.reasons == 0)
            left, groups = _groups(lambda band: np.fromfile(keys.name, np.uint64, total, offset=8 * band * total), left)
            parts = _write_parts(tables, run.task.written, left, groups, found.scopes, Path(folder))
            for pairs in _ahead(pool, partial(_compare, first=first, threshold=filters.near_duplicate), parts):
                for row, twin in pairs:
                    found.leave_out(row, "near duplicate", twin)
    yield from found.batches(tables, first)


# In the processes: one row at a time

given = SimpleNamespace()  # the run and the gold rows, once for each process


def _begin(run: Run, gold: dict[str, pd.DataFrame]) -> None:
    given.run, given.gold = run, {split: Rows(table, run.task) for split, table in gold.items()}


def _look(table: pd.DataFrame) -> SimpleNamespace:
    """What the rules that look at one row say of a batch, and what those that compare rows need of it."""
    run, gold, rows = given.run, given.gold, Rows(table, given.run.task)
    none = Rows(rows.table.head(0), run.task)
    rows.leave_out(held_out.find(rows, gold))
    if run.params.teacher.tune:
        rows.leave_out(held_out.copies(rows, gold["validation"]))
    openings = np.full(len(rows), UNASKED)
    for name, rule in RULES.items():
        setting = getattr(run.params.filters, name)
        if setting and name == "lead_in":
            places = list(rows.left)
            openings[places] = _hashes([opening(text) for text in rows.table[run.task.written].iloc[places]])
        elif setting and name not in TOGETHER:
            rows.leave_out(rule(rows, none, gold, setting))
    twins = {place: twin for place, twin in enumerate(rows.twins) if twin}
    quoted = dict(held_out.leaks(rows, gold["validation"]))
    return _hashed(rows, reasons=rows.reasons, openings=openings, twins=twins, quoted=quoted)


def _hash(table: pd.DataFrame) -> SimpleNamespace:
    """The same of rows of earlier rounds, which have passed."""
    rows = Rows(table, given.run.task)
    return _hashed(rows, reasons=[""] * len(rows), openings=np.full(len(rows), UNASKED), twins={}, quoted={})


def _hashed(rows: Rows, **found) -> SimpleNamespace:
    scopes = rows.scope(rows.task.others)
    return SimpleNamespace(prints=_hashes(rows.prints), scopes=scopes, keys=(rows.bands ^ scopes[:, None]).T, **found)


def _compare(part: Path, first: int, threshold: float) -> list[tuple[int, int]]:
    """The near duplicates among the rows of a part, and their twins; by their places among all rows."""
    table = files.read(part)
    is_new = table.place >= first
    known, new = (_Views(rows) for rows in (table[~is_new], table[is_new]))
    return [(new.ids[place], twin) for place, twin in twins(new, known, [], threshold, among=True)]


class _Views:
    """Of some rows what near_duplicates.twins looks at."""

    def __init__(self, rows: pd.DataFrame):
        self.ids, self.texts = rows.place.tolist(), [normalised(text) for text in rows.text]
        self.reasons, self.bands, self.scopes = [""] * len(rows), bands(self.texts), rows.scope.to_numpy()

    def __len__(self) -> int:
        return len(self.ids)

    def scope(self, _) -> np.ndarray:
        return self.scopes


# In the driver: arrays with a number for each row


class _Found:
    """What is known of each row, old ones first. reasons: 0 for a row that stays, else a place in `names`."""

    def __init__(self, total: int):
        self.names, self.reasons, self.twins = {"": 0}, np.zeros(total, np.int32), np.full(total, -1, np.int64)
        self.prints, self.scopes, self.openings = (np.zeros(total, np.uint64) for _ in range(3))
        self.gold, self.quoted = {}, {}  # by place: twins that are gold rows, and validation rows that are leaked

    def take(self, at: int, rows: SimpleNamespace) -> None:
        places = slice(at, at + len(rows.prints))
        self.prints[places], self.scopes[places], self.openings[places] = rows.prints, rows.scopes, rows.openings
        self.reasons[places] = [self.names.setdefault(reason, len(self.names)) for reason in rows.reasons]
        self.gold |= {at + place: twin for place, twin in rows.twins.items()}
        self.quoted |= {at + place: twin for place, twin in rows.quoted.items()}

    def leave_out(self, places, reason: str, twins=-1) -> None:
        self.reasons[places], self.twins[places] = self.names.setdefault(reason, len(self.names)), twins

    def lead_in(self, known: set[str]) -> None:
        """As rules.lead_in has it. It comes before the rules of length and parent, and so wins."""
        asked = self.openings != UNASKED
        hashes, counts = np.unique(self.openings[asked], return_counts=True)
        shared = hashes[counts >= max(SHARED, SHARE * asked.sum())]
        shared = np.setdiff1d(shared, _hashes(["", *known]))
        places = np.flatnonzero(asked & np.isin(self.openings, shared))
        self.leave_out(places, "lead-in")
        for place in places.tolist():
            self.gold.pop(place, None)

    def duplicate(self, first: int) -> None:
        """As rules.duplicate has it: of rows that are the same, the first one stays."""
        left = np.flatnonzero(self.reasons == 0)
        _, firsts, groups = np.unique(self.prints[left], return_index=True, return_inverse=True)
        twins = left[firsts[groups]]
        again = (twins != left) & (left >= first)
        self.leave_out(left[again], "duplicate", twins[again])

    def batches(self, tables: list[Path], first: int) -> Iterator[pd.DataFrame]:
        """The new rows with what was found about them."""
        names, at = list(self.names), first
        ids = pa.chunked_array([pq.read_table(table, columns=["id"])["id"].cast(pa.string()) for table in tables])
        for rows in files.batches(tables[-1:]):
            places = range(at, at + len(rows))
            reasons = [names[reason] for reason in self.reasons[at : places.stop].tolist()]
            twins = [
                self.gold.get(place, "") if twin < 0 else ids[twin].as_py()
                for place, twin in zip(places, self.twins[at : places.stop].tolist(), strict=True)
            ]
            quoted = [
                "" if reason else self.quoted.get(place, "") for place, reason in zip(places, reasons, strict=True)
            ]
            yield rows.assign(was=rows.rejected, rejected=reasons, twin=twins, quoted=quoted)
            at = places.stop


def _groups(keys: Callable[[int], np.ndarray], left: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Those of the rows that share a key with another one, and the group of each: the place of a row in it.

    keys: of a band, for all rows.
    """
    met = np.zeros(len(left), bool)
    for band in range(BANDS):
        own = keys(band)[left]
        shared = np.sort(own)
        shared = np.unique(shared[1:][shared[1:] == shared[:-1]])
        if len(shared):
            met |= shared[np.minimum(np.searchsorted(shared, own), len(shared) - 1)] == own
    left = left[met]
    groups, changed = np.arange(len(left)), True
    while changed:  # the least place goes from row to row until all rows of a group have it
        before = groups.copy()
        for band in range(BANDS):
            own = keys(band)[left]
            order = np.argsort(own, kind="stable")
            starts = np.flatnonzero(np.concatenate([[True], own[order][1:] != own[order][:-1]])[: len(own)])
            least = np.minimum.reduceat(groups[order], starts) if len(own) else groups
            groups[order] = np.repeat(least, np.diff(np.append(starts, len(own))))
        changed = (groups != before).any()
    return left, groups


def _write_parts(tables: list[Path], written: str, left, groups, scopes, folder: Path) -> list[Path]:
    """Files with the texts of rows that may be nearly the same: whole groups, PART rows in each or somewhat more."""
    sizes = np.bincount(groups, minlength=1)
    part = ((np.cumsum(sizes) - sizes) // PART)[groups]  # of each row, by where its group starts
    names = [folder / f"{number}.parquet" for number in range(part.max(initial=-1) + 1)]
    schema = pa.schema({"place": pa.int64(), "scope": pa.uint64(), "text": pa.string()})
    writers, at = [pq.ParquetWriter(name, schema) for name in names], 0
    for batch in files.batches(tables, [written]):
        low, high = np.searchsorted(left, [at, at + len(batch)])
        places, numbers = left[low:high], part[low:high]
        texts = pa.array(batch[written].iloc[places - at], pa.string())
        rows = pa.table({"place": places, "scope": scopes[places], "text": texts}, schema)
        for number in np.unique(numbers).tolist():
            writers[number].write_table(rows.filter(pa.array(numbers == number)))
        at += len(batch)
    for writer in writers:
        writer.close()
    return names


def _hashes(texts: list[str]) -> np.ndarray:
    """A number for each text, uint64; never UNASKED."""
    return pd.util.hash_array(np.array(texts, object), categorize=False) | np.uint64(1)


def _ahead(pool: ProcessPoolExecutor, function: Callable, items: Iterator) -> Iterator:
    """The results for the items, in their order, with little more than each process has at hand under way."""
    items = iter(items)
    waiting = deque(pool.submit(function, item) for item in islice(items, 2 * cores()))
    while waiting:
        yield waiting.popleft().result()
        waiting.extend(pool.submit(function, item) for item in islice(items, 1))
