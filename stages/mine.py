"""Mining: what the teacher is shown after round q; in S3 the gold rows that the student gets wrong (Alg. 2, line 6).

    python -m stages.mine TASK Q

Nothing is mined in a round that has converged: one that brought no new row, or gained less than method.min_gain on
selection.
"""

import pandas as pd

from synthesis import files
from synthesis.measures.scores import mean_score, mined_predictions
from synthesis.method.mining import Findings, mine
from synthesis.run import Run, stage


def main(run: Run, q: int) -> None:
    paths, task = run.paths, run.task
    predictions, history = files.read(paths.predictions(q)), files.read(paths.history(q))
    gold, labels = files.read(paths.gold("validation")), files.read_json(paths.labels)
    train, influence = files.read(paths.train(q)), files.read(paths.influence(q))
    asked, past = mined_predictions(predictions), mined_predictions(history) if q else history
    mined = mine(run, Findings(q, asked, gold, train, influence, labels, past))
    if converged(run, q, predictions, history):
        mined = mined.head(0)
    files.write(mined, paths.errors(q))
    wrong = int(task.wrong(asked, run.params.method).sum())
    strata = task.strata(mined).value_counts().sort_index().to_dict()
    metrics = {"wrong": wrong, "rate": round(wrong / len(asked), 4), "mined": len(mined), f"by_{task.stratum}": strata}
    files.write_json(metrics, paths.metrics / f"round{q}" / "mine.json")


def converged(run: Run, q: int, predictions: pd.DataFrame, history: pd.DataFrame) -> bool:
    """Whether round q is the last one that a student learned, or even that one has been passed through."""
    if (predictions["round"] < q).any():  # an earlier student's predictions, passed through
        return True
    least = run.params.method.min_gain
    if least is None or history.empty:
        return False
    best = max(mean_score(run.task, rows, "selection") for _, rows in history.groupby("round"))
    return mean_score(run.task, predictions, "selection") - best < least


if __name__ == "__main__":
    stage(main)
