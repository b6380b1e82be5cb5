"""Mining: what the teacher is shown after round q; in S3 the gold rows that the student gets wrong (Alg. 2, line 6).

    python -m stages.mine TASK Q

Nothing is mined in a round that has converged: one that brought no new row, or gained less than method.min_gain on
selection.
"""

from importlib import import_module

from stages import task as tasks
from stages.pipeline import params as parameters
from stages.pipeline import table
from stages.pipeline.paths import Paths
from stages.pipeline.stage import number, run
from stages.statistics.marks import mean_score


def main(name: str, q: str) -> None:
    params, paths, q = parameters.load(), Paths(name), number(q)
    task = tasks.load(name, params)
    predictions, history = table.read(paths.predictions(q)), table.read(paths.history(q))
    asked = predictions[(predictions.split == "validation") & (predictions.seed == 0)]  # seed 0 is *the* student
    mined = import_module(f"stages.mining.{params.method.mine}").mine(task, params, q, asked)
    if converged(q, task, predictions, history, params.method.min_gain):
        mined = mined.head(0)
    table.write(mined, paths.errors(q))
    wrong = int(task.wrong(asked, params.method).sum())
    told = {"wrong": wrong, "rate": round(wrong / len(asked), 4), "mined": len(mined)}
    counted = task.strata(mined).value_counts().sort_index().to_dict()
    table.write_json({**told, f"by_{task.stratum}": counted}, paths.metrics / f"round{q}" / "mine.json")


def converged(q: int, task, predictions, history, min_gain: float | None) -> bool:
    if (predictions["round"] < q).any():  # an earlier student's answers, passed through
        return True
    if min_gain is None or history.empty:
        return False
    best = max(mean_score(task, rows, "selection") for _, rows in history.groupby("round"))
    return mean_score(task, predictions, "selection") - best < min_gain


if __name__ == "__main__":
    run(main)
