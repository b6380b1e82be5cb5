"""Gold rows: read, check, and split into validation (mined), selection (picks the checkpoint) and test.

    python -m stages.gold TASK

Protocol `honest`: the three are disjoint, and validation and selection together are the budget. Protocol `paper`:
all of the budget is both mined and used for selection, as Wang et al. (2023) did. What rows have in common, the premise
of pairs or the context of questions, is never on both sides of a split.
"""

import random
from collections import Counter

import pandas as pd

from stages import source
from stages import task as tasks
from stages.pipeline import params as parameters
from stages.pipeline import table
from stages.pipeline.paths import Paths
from stages.pipeline.stage import UserError, run


def main(name: str) -> None:
    params = parameters.load()
    task, settings = tasks.load(name, params), params.one(name).gold
    pool = rows_of(settings.source, "train", task, settings)
    labels = task.labels(pool)
    if settings.test:
        test = rows_of(settings.test, "test", task, settings, labels)
        pool, overlap = without(pool, test, task, settings)
        pool, related = apart(pool, test, task, settings)
        overlap += related
        if (settings.test_rows or 0) > len(test):
            raise UserError(
                f"task.{name}.gold.test_rows is {settings.test_rows}, but {settings.test} has only {len(test)} rows"
            )
        test = spread(test, task.strata(test), params.seed)[: settings.test_rows]
    else:
        if not settings.test_rows or settings.test_rows >= len(pool):
            raise UserError(
                f"task.{name}.gold.test_rows must be a number below {len(pool)}, the rows of {settings.source}, "
                "as long as gold.test is empty"
            )
        (test, pool), overlap = parted(pool, settings.test_rows, task, params.seed), 0
    budget = params.gold.budget or settings.budget or len(pool)
    if budget > len(pool):
        key = "gold.budget" if params.gold.budget else f"task.{name}.gold.budget"
        raise UserError(f"{key} is {budget}, but {settings.source} has only {len(pool)} rows for it")
    gold = spread(pool, task.strata(pool), params.seed)[:budget]
    if params.gold.protocol == "paper":
        validation = selection = gold
    else:
        selection, validation = parted(gold, round(budget * params.gold.selection), task, params.seed + 1)
    splits = {"validation": validation, "selection": selection, "test": test}
    for split, rows in splits.items():
        if rows.empty:
            raise UserError(
                f"no rows are left for {split}: raise task.{name}.gold.budget or gold.test_rows, or give it rows "
                f"(those with the same {task.group} stay together)"
            )
    for label in labels:
        if label not in set(validation.label):
            raise UserError(f"label `{label}` has no validation rows: raise task.{name}.gold.budget or give it rows")
    paths = Paths(name)
    for split, rows in splits.items():
        table.write(rows, paths.gold(split))
    table.write_json(labels, paths.labels)
    table.write(task.contexts(validation), paths.contexts)
    strata = task.strata(gold)
    table.write_json(
        {
            **{split: len(rows) for split, rows in splits.items()},
            f"{task.stratum}s": strata.nunique(),
            f"largest_{task.stratum}": round(strata.value_counts(normalize=True).max(), 4),
            "dropped": {"duplicates": len(pool.attrs["duplicates"]), "also_in_test": overlap},
        },
        paths.metrics / "gold.json",
    )


def rows_of(file: str, split: str, task, settings, known=None) -> pd.DataFrame:
    """The rows of one file under the task's own names: id, its columns and targets. Duplicates are left out."""
    raw = source.read(file, split)
    ours = (*task.columns, *task.targets)
    for column in settings.columns:
        if column not in ("id", *ours):
            there = ", ".join(("id", *ours))
            raise UserError(f"params.yaml: task.{task.name}.gold.columns has `{column}`, which is not one of {there}")
    wanted = {column: settings.columns.get(column, column) for column in ours}
    for column in set(task.optional) - set(settings.columns) - set(raw.columns):
        del wanted[column]
    for column, theirs in wanted.items():
        if theirs not in raw.columns:
            raise UserError(
                f"{file} has no column `{theirs}` for `{column}` (there: {', '.join(map(str, raw.columns))}): "
                f"map it under task.{task.name}.gold.columns"
            )
    rows = pd.DataFrame({column: raw[theirs] for column, theirs in wanted.items()})
    source.filled(raw, wanted.values(), file)
    rows = task.verified(rows.astype(dict.fromkeys(task.columns, str)), file, known)
    rows.insert(0, "id", identified(raw, file, split, settings))
    twice = tasks.fingerprints(rows, task).duplicated()
    kept = rows[~twice]
    kept.attrs["duplicates"] = rows.id[twice].tolist()
    return kept


def identified(raw: pd.DataFrame, file: str, split: str, settings) -> pd.Series:
    column = settings.columns.get("id")
    if column is None:
        return pd.Series([f"{split}-{number}" for number in raw.index], index=raw.index)
    if column not in raw.columns:
        raise UserError(f"{file} has no column `{column}` for `id`")
    ids = raw[column].astype(str)
    if ids.duplicated().any():
        row = ids.duplicated().idxmax()
        raise UserError(f"{file} row {row}: id `{ids[row]}` occurs twice")
    return ids


def without(pool: pd.DataFrame, test: pd.DataFrame, task, settings) -> tuple[pd.DataFrame, int]:
    """The pool without rows that also stand in test. Raises UserError unless `gold.overlap` is `drop`."""
    shared = tasks.fingerprints(pool, task).isin(tasks.fingerprints(test, task))
    if shared.any() and settings.overlap == "error":
        raise UserError(
            f"{settings.source} row {pool.index[shared][0]} also stands in {settings.test} ({shared.sum()} rows do): "
            f"remove them, or set task.{task.name}.gold.overlap to drop"
        )
    kept = pool[~shared]
    kept.attrs.update(pool.attrs)
    return kept, int(shared.sum())


def apart(pool: pd.DataFrame, test: pd.DataFrame, task, settings) -> tuple[pd.DataFrame, int]:
    """The pool without rows whose group has other rows in test. Raises UserError unless `gold.overlap` is `drop`."""
    related = task.groups(pool).isin(task.groups(test))
    if related.any() and settings.overlap == "error":
        raise UserError(
            f"{settings.source} row {pool.index[related][0]}: its {task.group} also stands in {settings.test} "
            f"({related.sum()} rows are like that): remove them, or set task.{task.name}.gold.overlap to drop"
        )
    return pool[~related], int(related.sum())


def parted(rows: pd.DataFrame, count: int, task, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
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
        held = Counter(stratum_of[row] for row in members)
        lacking.update({stratum: count * size for stratum, size in held.items()})
        nearer = sum(size * (2 * lacking[stratum] - len(rows) * size) for stratum, size in held.items()) > 0
        if nearer and len(taken) + len(members) <= count:
            taken.update(members)
            lacking.subtract({stratum: len(rows) * size for stratum, size in held.items()})
    single = ~groups.duplicated(keep=False)
    wanted = {stratum: lacking[stratum] + count * size for stratum, size in Counter(strata[single]).items()}
    taken.update(spread(rows[single], strata[single], seed, wanted).index[: count - len(taken)])
    for members in several:
        if taken.isdisjoint(members) and len(taken) + len(members) <= count:
            taken.update(members)
    ordered = spread(rows, strata, seed)
    head = ordered.index.isin(taken)
    return ordered[head], ordered[~head]


def spread(rows: pd.DataFrame, strata: pd.Series, seed: int, shares: dict | None = None) -> pd.DataFrame:
    """Rows in random order, so that every head of the table has each stratum at its share: of the whole, or as given.

    A smaller budget is thus part of a larger one, and both are stratified.
    """
    place, shares = {}, shares or Counter(strata)
    for label, members in sorted(rows.groupby(strata).groups.items()):
        members = list(members)
        random.Random(f"{seed}/{label}").shuffle(members)
        share = max(shares[label], 1)  # a stratum that needs no more comes last
        place.update({row: ((2 * rank + 1) / share, label) for rank, row in enumerate(members)})
    ordered = rows.loc[sorted(rows.index, key=place.__getitem__)]
    ordered.attrs.update(rows.attrs)
    return ordered


if __name__ == "__main__":
    run(main)
