"""Combination: data q = data q - 1 and the new rows of round q, less what the filters reject (Alg. 2, line 4).

    python -m stages.combine TASK Q

Nothing vanishes: a rejected row is kept in rejected.parquet with its reason. The predictions of the rounds so far
travel along in history.parquet, so that whatever follows needs the last round's files only.
"""

import pandas as pd

from stages import task as tasks
from stages.filter import sift
from stages.pipeline import params as parameters
from stages.pipeline import table
from stages.pipeline.paths import SPLITS, Paths
from stages.pipeline.stage import number, run


def main(name: str, q: str) -> None:
    params, paths, q = parameters.load(), Paths(name), number(q)
    task = tasks.load(name, params)
    new = table.read(paths.additional(q))
    old = table.read(paths.train(q - 1)) if q else new.head(0)
    gold = {split: table.read(paths.gold(split)) for split in SPLITS}
    new = sift(new, old, gold, task, params)
    kept, dropped = new[new.rejected == ""], new[new.rejected != ""]
    table.write(pd.concat([old, kept.drop(columns=["twin", "quoted"])]), paths.train(q))
    table.write(dropped.drop(columns="quoted"), paths.rejected(q))
    table.write(history(q, paths), paths.history(q))
    table.write_json(
        {
            "rows": len(old) + len(kept),
            "new": len(kept),
            "also_in_validation": int((kept.quoted != "").sum()),
            "rejected": dropped.rejected.value_counts().sort_index().to_dict(),
        },
        paths.metrics / f"round{q}" / "combine.json",
    )


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
