"""Gold rows: read from their files and split into validation (mined), selection (picks the checkpoint) and test.

What rows have in common, the premise of pairs or the context of questions, is never on both sides of a split.
"""

from __future__ import annotations

import random
from collections import Counter
from functools import partial

import pandas as pd

from synthesis import UserError, source
from synthesis.params import Params
from synthesis.tasks.base import Task
from synthesis.tasks.cells import check_texts, spelled

POOL = 20_000  # unlabelled rows at most: more than anybody annotates, and not a second copy of a large source


def read(task: Task, file: str, split: str, labels: list[str] | None = None) -> tuple[pd.DataFrame, dict[str, int]]:
    """The rows of one gold file under the task's own names (id, columns, targets), and how many went for which reason.

    split: the hub's split where the id names none; also the start of ids where the file has none. labels: those of the
    file that was read before. Raises UserError that names the file and the row.
    """
    return checked(task, source.read(file, split), file, split, labels)


def checked(
    task: Task, raw: pd.DataFrame, file: str, split: str, labels: list[str] | None = None
) -> tuple[pd.DataFrame, dict[str, int]]:
    """The same of rows that have been read already; the index numbers those of the file."""
    names = task.settings.gold.columns
    for column in names:
        if column not in ("id", *task.fields):
            there = ", ".join(("id", *task.fields))
            raise UserError(f"params.yaml: task.{task.name}.gold.columns has `{column}`, which is not one of {there}")
    wanted = {column: names.get(column, column) for column in task.fields}
    for column in set(task.optional) - set(names) - set(raw.columns):
        del wanted[column]
    for column, theirs in wanted.items():
        if theirs not in raw.columns:
            raise UserError(
                f"{file} has no column `{theirs}` for `{column}` (there: {', '.join(map(str, raw.columns))}): "
                f"map it under task.{task.name}.gold.columns"
            )
    check_texts(raw, [wanted[column] for column in task.columns], file)
    rows = pd.DataFrame({column: raw[theirs] for column, theirs in wanted.items()})
    rows = rows.astype(dict.fromkeys(task.columns, str))
    rows = task.check_gold(rows, file, labels, partial(source.class_names, file))
    left_out = len(raw) - len(rows)
    if rows.empty:
        raise UserError(f"{file} has only {task.left_out} rows, which task.{task.name}.gold leaves out")
    rows, dropped = task.settle(rows, file)
    rows.insert(0, "id", _ids(raw.loc[rows.index], names.get("id"), file, split))
    return rows, {**dropped, task.left_out: left_out}


def _ids(raw: pd.DataFrame, column: str | None, file: str, split: str) -> pd.Series:
    """The ids of these rows of a file. The same one twice is an error."""
    if column is None:
        return pd.Series([f"{split}-{number}" for number in raw.index], index=raw.index)
    if column not in raw.columns:
        raise UserError(f"{file} has no column `{column}` for `id`")
    ids = spelled(raw[column], file, column, "id")
    if ids.duplicated().any():
        row = ids.duplicated().idxmax()
        raise UserError(f"{file} row {row}: id `{ids[row]}` occurs twice")
    return ids


def _check_apart(ids: pd.Series, of_test: pd.Series, task: Task) -> None:
    """Raise UserError when a row of the source has the id of one of test, as where each file counts from 0: a student
    that learned the one would not be asked about the other."""
    gold, same = task.settings.gold, ids.isin(of_test)
    if same.any():
        row = same.idxmax()
        raise UserError(
            f"{gold.source} row {row}: id `{ids[row]}` also stands in {gold.test} ({same.sum()} ids do), for another "
            f"row: mend the ids, or take `id` out of task.{task.name}.gold.columns, and rows are called by their "
            "numbers"
        )


def apart_from_test(pool: pd.DataFrame, test: pd.DataFrame, task: Task) -> pd.DataFrame:
    """The pool without rows that test has too, or whose group has other rows in test.

    Raises UserError when there are such rows, unless the task's `gold.overlap` is `drop`.
    """
    gold = task.settings.gold
    same = task.fingerprints(pool).isin(task.fingerprints(test))
    related = ~same & task.groups(pool).isin(task.groups(test))
    way_out = f"remove them, or set task.{task.name}.gold.overlap to drop"
    if gold.overlap == "error" and same.any():
        raise UserError(
            f"{gold.source} row {pool.index[same][0]} also stands in {gold.test} ({same.sum()} rows do): {way_out}"
        )
    if gold.overlap == "error" and related.any():
        raise UserError(
            f"{gold.source} row {pool.index[related][0]}: its {task.group} also stands in {gold.test} "
            f"({related.sum()} rows are like that): {way_out}"
        )
    return pool[~(same | related)]


def test_and_pool(task: Task, pool: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int]]:
    """The rows of test, out of the task's test file or split from the pool, and the pool without them.

    Also how many rows of the test file went for which reason.
    """
    gold, key = task.settings.gold, f"task.{task.name}.gold.test_rows"
    if not gold.test:
        if not gold.test_rows or gold.test_rows >= len(pool):
            raise UserError(
                f"{key} must be a number below {len(pool)}, the rows of {gold.source}, as long as gold.test is empty"
            )
        return *split(pool, gold.test_rows, task, seed), {}
    test, dropped = read(task, gold.test, "test", task.labels(pool))
    pool = apart_from_test(pool, test, task)
    _check_apart(pool.id, test.id, task)
    if (gold.test_rows or 0) > len(test):
        raise UserError(f"{key} is {gold.test_rows}, but {gold.test} has only {len(test)} rows")
    return in_shares(test, task.strata(test), seed)[: gold.test_rows], pool, dropped


def unlabelled(task: Task, pool: pd.DataFrame, gold: pd.DataFrame, test: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Rows that may be annotated, without targets, at most POOL: those of task.<name>.pool, else of the pool.

    None of them has to do with a gold row of the budget. Their order and ids tell nothing of what was left out. Raises
    UserError for a file whose rows are no texts or, unless the task's `gold.overlap` is `drop`, stand in test, too.
    """
    file, columns = task.settings.pool, list(task.pooled)
    if file:
        raw, names = source.read(file, "train", f"task.{task.name}.pool in params.yaml"), task.settings.gold.columns
        wanted = {column: names.get(column, column) for column in columns}
        if missing := [theirs for theirs in wanted.values() if theirs not in raw.columns]:
            raise UserError(f"{file} has no column `{missing[0]}` (there: {', '.join(map(str, raw.columns))})")
        check_texts(raw, wanted.values(), file)
        pool = pd.DataFrame({column: raw[theirs].astype(str) for column, theirs in wanted.items()})
        same = task.groups(pool).isin(task.groups(test))
        if task.settings.gold.overlap == "error" and same.any():
            raise UserError(
                f"{file} row {pool.index[same][0]}: its {task.group} also stands in test ({same.sum()} rows are like "
                f"that): remove them, or set task.{task.name}.gold.overlap to drop"
            )
        pool = pool[~same]
    rows = pool.loc[~task.groups(pool).isin(task.groups(gold)), columns].drop_duplicates()
    rows = rows.sort_values(columns).sample(frac=1, random_state=seed).head(POOL).reset_index(drop=True)
    rows.insert(0, "id", [f"pool-{number}" for number in range(len(rows))])
    return rows


def budgeted(task: Task, pool: pd.DataFrame, params: Params) -> pd.DataFrame:
    """The gold rows that the method may see: as many of the pool as the budget says. Raises UserError."""
    own = task.settings.gold.budget
    budget = params.gold.budget or own or len(pool)
    if budget > len(pool):
        raise UserError(
            f"{_budget_key(task, params)} is {budget}, but {task.settings.gold.source} has only {len(pool)} rows for it"
        )
    return in_shares(pool, task.strata(pool), params.seed)[:budget]


def _budget_key(task: Task, params: Params) -> str:
    """The parameter that says how large the budget is."""
    return "gold.budget" if params.gold.budget else f"task.{task.name}.gold.budget"


def check_splits(task: Task, splits: dict[str, pd.DataFrame], labels: list[str], params: Params) -> None:
    """Raise UserError when a split has no rows, or validation none of a label."""
    key = _budget_key(task, params)
    for name, rows in splits.items():
        if rows.empty:
            raise UserError(
                f"no rows are left for {name}: raise {key} or task.{task.name}.gold.test_rows, or give it rows (those "
                f"with the same {task.group} stay together)"
            )
    for label in labels:
        if label not in set(splits["validation"].label):
            raise UserError(f"label `{label}` has no validation rows: raise {key} or give it rows")


def split(rows: pd.DataFrame, count: int, task: Task, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`count` rows and the rest: both stratified, and no group of rows on both sides.

    Groups of several rows come first, the largest ahead: each is taken if there is room and the strata come nearer to
    their shares by it. Single rows make up for what is then lacking of each stratum. So `count` is exact, unless there
    are too few single rows: then groups are taken as long as one fits, and the last ones go to the rest.
    """
    strata, groups = task.strata(rows), task.groups(rows)
    several = [list(members) for members in rows.index.groupby(groups).values() if len(members) > 1]
    random.Random(f"{seed}/groups").shuffle(several)
    several.sort(key=len, reverse=True)
    stratum_of = strata.to_dict()
    taken, lacking = set(), Counter()  # of each stratum, its share in the groups so far less what is taken, * len(rows)
    for members in several:
        counts = Counter(stratum_of[row] for row in members)
        lacking.update({stratum: count * size for stratum, size in counts.items()})
        nearer = sum(size * (2 * lacking[stratum] - len(rows) * size) for stratum, size in counts.items()) > 0
        if nearer and len(taken) + len(members) <= count:
            taken.update(members)
            lacking.subtract({stratum: len(rows) * size for stratum, size in counts.items()})
    single = ~groups.duplicated(keep=False)
    wanted = {stratum: lacking[stratum] + count * size for stratum, size in Counter(strata[single]).items()}
    taken.update(in_shares(rows[single], strata[single], seed, wanted).index[: count - len(taken)])
    for members in several:
        if taken.isdisjoint(members) and len(taken) + len(members) <= count:
            taken.update(members)
    ordered = in_shares(rows, strata, seed)
    head = ordered.index.isin(taken)
    return ordered[head], ordered[~head]


def in_shares(rows: pd.DataFrame, strata: pd.Series, seed: int, shares: dict | None = None) -> pd.DataFrame:
    """Rows in random order, so that every head of the table has each stratum at its share: of the whole, or as given.

    A smaller budget is thus part of a larger one, and both are stratified.
    """
    place, shares = {}, shares or Counter(strata)
    for label, members in sorted(rows.groupby(strata).groups.items()):
        members = list(members)
        random.Random(f"{seed}/{label}").shuffle(members)
        share = max(shares[label], 1)  # a stratum that needs no more comes last
        place.update({row: ((2 * rank + 1) / share, label) for rank, row in enumerate(members)})
    return rows.loc[sorted(rows.index, key=place.__getitem__)]
