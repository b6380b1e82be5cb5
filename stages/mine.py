"""Mining: the gold validation rows that the student of round q gets wrong (Alg. 2, line 6).

    python -m stages.mine TASK Q

Every one of them is an error, with the student's answer, its probability and its margin over the truth. There are
none in a round that has converged: one that brought no new row, or gained less than method.min_gain on selection.
"""

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
    errors = task.errors(asked, params.method).merge(table.read(paths.gold("validation")), validate="1:1")
    wrong = len(errors)
    if converged(q, task, predictions, history, params.method.min_gain):
        errors = errors.head(0)
    table.write(errors, paths.errors(q))
    told = {"wrong": wrong, "rate": round(wrong / len(asked), 4), "mined": len(errors)}
    counted = task.strata(errors).value_counts().sort_index().to_dict()
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
