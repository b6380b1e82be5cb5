"""Combination: data q = data q - 1 and the new rows of round q, less what the filters reject (Alg. 2, line 4).

    python -m stages.combine TASK Q

Nothing vanishes: a rejected row is kept in rejected.parquet with its reason. The predictions of the rounds so far
travel along in history.parquet, so that whatever follows needs the last round's files only.
"""

import pandas as pd

from stages import task as tasks
from stages.pipeline import params as parameters
from stages.pipeline import table
from stages.pipeline.paths import Paths
from stages.pipeline.stage import number, run


def main(name: str, q: str) -> None:
    paths, q = Paths(name), number(q)
    task = tasks.load(name, parameters.load())
    new = table.read(paths.additional(q))
    old = table.read(paths.train(q - 1)) if q else new.head(0)
    held_out = pd.concat([table.read(paths.gold(split)) for split in ("selection", "test")])
    new = new.assign(rejected=rejected(new, old, held_out, task))
    kept, dropped = new[new.rejected == ""], new[new.rejected != ""]
    table.write(pd.concat([old, kept]), paths.train(q))
    table.write(dropped, paths.rejected(q))
    table.write(history(q, paths), paths.history(q))
    table.write_json(
        {
            "rows": len(old) + len(kept),
            "new": len(kept),
            "rejected": dropped.rejected.value_counts().sort_index().to_dict(),
        },
        paths.metrics / f"round{q}" / "combine.json",
    )


def rejected(new: pd.DataFrame, old: pd.DataFrame, held_out: pd.DataFrame, task) -> pd.Series:
    """For each new row the reason why it is left out, or nothing."""
    reasons = new.rejected.copy()
    seen = set(fingerprints(old, task))
    hidden = set(fingerprints(held_out, task))
    for place, print_ in zip(new.index, fingerprints(new, task), strict=True):
        if reasons[place]:
            continue
        if print_ in hidden:
            reasons[place] = "also in selection or test"
        elif print_ in seen:
            reasons[place] = "duplicate"
        seen.add(print_)
    return reasons


def fingerprints(rows: pd.DataFrame, task) -> list[tuple]:
    """What two rows have in common that are the same but for case and white space."""
    columns = [rows[column].str.lower().str.split().str.join(" ") for column in task.columns]
    return list(zip(*columns, strict=True))


def history(q: int, paths: Paths) -> pd.DataFrame:
    """The predictions of rounds 0 to q - 1, each student's once: a converged round repeats the one before."""
    if q == 0:
        return pd.DataFrame({"round": pd.Series(dtype="int64")})
    before, last = table.read(paths.history(q - 1)), table.read(paths.predictions(q - 1))
    if before.empty:
        return last
    return before if last["round"].isin(before["round"]).all() else pd.concat([before, last])


if __name__ == "__main__":
    run(main)
