"""Combination: data q = data q - 1 and the new rows of round q, less what the filters reject (Alg. 2, line 4).

    python -m stages.combine TASK Q

Nothing vanishes: a rejected row is kept in rejected.parquet with its reason. Like the data, the rejected rows and the
predictions of the rounds so far (history.parquet) travel along, so that what follows needs the last round's files only.
"""

from collections import Counter

import pandas as pd

from synthesis import UserError, files, streamed
from synthesis.filters import sift
from synthesis.method.weighing import weigh
from synthesis.run import Run, stage


def main(run: Run, q: int) -> None:
    paths = run.paths
    old = [paths.train(q - 1), paths.rejected(q - 1)] if q else []
    combine = in_batches if streamed.needed(run, [paths.additional(q), *old[:1]]) else at_once
    before, counts, quoted = combine(run, q, old)
    files.write(history(run, q), paths.history(q))
    metrics = {
        "rows": before + counts[""],
        "new": counts[""],
        "also_in_validation": quoted,
        "rejected": {reason: counts[reason] for reason in sorted(counts) if reason},
    }
    files.write_json(metrics, paths.metrics / f"round{q}" / "combine.json")


def at_once(run: Run, q: int, old: list) -> tuple[int, Counter, int]:
    """Write the rows that are kept and those that are rejected, after those of `old`, if there are any.

    Returns how many were kept before, how many new ones are rejected for which reason, `` for none, and how many of
    those that are kept quote validation rows.
    """
    paths, gold, new = run.paths, run.gold(), files.read(run.paths.additional(q))
    trained, rejected = map(files.read, old) if old else (new.head(0), new.head(0))
    new["stage"] = (new.rejected != "").map(rejecting(q))
    new = sift(new, trained, gold, run)
    counts = Counter(new.rejected)
    check(counts, q)
    kept, dropped = new[new.rejected == ""], new[new.rejected != ""].drop(columns="quoted")
    rows = pd.concat([trained, kept.drop(columns=["twin", "quoted", "stage"])])
    files.write(weigh(run, rows, gold["validation"]), paths.train(q))
    files.write(pd.concat([rejected, dropped]) if q else dropped, paths.rejected(q))
    return len(trained), counts, int((kept.quoted != "").sum())


def in_batches(run: Run, q: int, old: list) -> tuple[int, Counter, int]:
    """The same for tables that may not fit into memory."""
    paths, counts, quoted, before = run.paths, Counter(), 0, 0
    new = paths.additional(q)
    with (
        files.append(paths.train(q), [*old[:1], new]) as keep,
        files.append(paths.rejected(q), [*old[1:], new], "stage", "twin") as drop,
    ):
        for rows in files.batches(old[:1]):
            before += len(rows)
            keep(rows)
        for rows in files.batches(old[1:]):
            drop(rows)
        for rows in streamed.sift(run, new, old[:1]):
            rows["stage"] = (rows.pop("was") != "").map(rejecting(q))
            left = rows.rejected == ""
            keep(rows[left])
            drop(rows[~left])
            counts.update(rows.rejected)
            quoted += int((rows.quoted != "").sum())
        check(counts, q)
    return before, counts, quoted


def rejecting(q: int) -> dict[bool, str]:
    """The stage that rejects a row, if any does: the teacher's, where it is rejected already, or this one."""
    return {True: f"extrapolate{q - 1}", False: f"combine{q - 1}"} if q else {True: "seed", False: "start"}


def check(counts: Counter, q: int) -> None:
    """Raises UserError when no row of seed data is left, or it may be that a setting of `filters` is to blame.

    counts: of the new rows, by why they are rejected.
    """
    if q == 0 and counts and not counts[""]:
        [(reason, count)] = counts.most_common(1)
        raise UserError(
            f"all {counts.total():,} rows of seed data are rejected, {count:,} of them as `{reason}`: change the "
            "prompt (seed.md), the teacher, or filters in params.yaml (docs/data.md says what each reason means)"
        )


def history(run: Run, q: int) -> pd.DataFrame:
    """The predictions of rounds 0 to q - 1, each student's once: a converged round repeats the one before."""
    if q == 0:
        return pd.DataFrame({"round": pd.Series(dtype="int64")})
    before, last = files.read(run.paths.history(q - 1)), files.read(run.paths.predictions(q - 1))
    if before.empty:
        return last
    return before if last["round"].isin(before["round"]).all() else pd.concat([before, last])


if __name__ == "__main__":
    stage(main)
