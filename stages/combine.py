"""Combination: data q = data q - 1 and the new rows of round q, less what the filters reject (Alg. 2, line 4).

    python -m stages.combine TASK Q

Nothing vanishes: a rejected row is kept in rejected.parquet with its reason. Like the data, the rejected rows and the
predictions of the rounds so far (history.parquet) travel along, so that what follows needs the last round's files only.
"""

import pandas as pd

from synthesis import UserError, files
from synthesis.filters import sift
from synthesis.run import Run, stage
from synthesis.weighing import weigh


def main(run: Run, q: int) -> None:
    paths, gold, new = run.paths, run.gold(), files.read(run.paths.additional(q))
    old, rejected = (files.read(path(q - 1)) if q else new.head(0) for path in (paths.train, paths.rejected))
    teacher, filters = ("seed", "start") if q == 0 else (f"extrapolate{q - 1}", f"combine{q - 1}")
    new["stage"] = (new.rejected != "").map({True: teacher, False: filters})  # that rejects a row, if any does
    new = sift(new, old, gold, run)
    check(new, q)
    kept, dropped = new[new.rejected == ""], new[new.rejected != ""].drop(columns="quoted")
    rows = pd.concat([old, kept.drop(columns=["twin", "quoted", "stage"])])
    files.write(weigh(run, rows, gold["validation"]), paths.train(q))
    files.write(pd.concat([rejected, dropped]) if q else dropped, paths.rejected(q))
    files.write(history(run, q), paths.history(q))
    metrics = {
        "rows": len(old) + len(kept),
        "new": len(kept),
        "also_in_validation": int((kept.quoted != "").sum()),
        "rejected": dropped.rejected.value_counts().sort_index().to_dict(),
    }
    files.write_json(metrics, paths.metrics / f"round{q}" / "combine.json")


def check(rows: pd.DataFrame, q: int) -> None:
    """Raises UserError when no row of seed data is left, or it may be that a setting of `filters` is to blame."""
    reasons = rows.rejected[rows.rejected != ""]
    if q == 0 and len(rows) and len(reasons) == len(rows):
        reason, count = reasons.value_counts().index[0], reasons.value_counts().iloc[0]
        raise UserError(
            f"all {len(rows):,} rows of seed data are rejected, {count:,} of them as `{reason}`: change the prompt "
            "(seed.md), the teacher, or filters in params.yaml (docs/data.md says what each reason means)"
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
