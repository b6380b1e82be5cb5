"""Training: a fresh student learns data q and is asked about all gold rows (Alg. 2, lines 3 to 5).

    python -m stages.train TASK Q

A round that brought no new row has converged: its student would be the last one, whose predictions stand.
"""

import pandas as pd

from synthesis import files
from synthesis.measures.influence import influence
from synthesis.run import Run, stage
from synthesis.students.lesson import CURVE, Outcome, learn


def main(run: Run, q: int) -> None:
    rows, history = files.read(run.paths.train(q)), files.read(run.paths.history(q))
    converged = q > 0 and not (rows["round"] == q).any()
    helped = pd.DataFrame(columns=["id", "influence"])
    if converged:
        outcome = Outcome(None, history[history["round"] == history["round"].max()], pd.DataFrame(columns=CURVE))
    else:
        gold = run.gold()
        outcome = learn(run.task, rows, gold, run.student, q)
        if run.params.method.influence:
            helped = rows[["id"]].assign(influence=influence(outcome.student, run.task, rows, gold["validation"]))
    files.write(outcome.predictions, run.paths.predictions(q))
    files.write(helped, run.paths.influence(q))
    files.write_csv(outcome.curve, run.paths.curve(q))
    metrics = {"rows": len(rows), "converged": int(converged), **outcome.metrics(run.task)}
    files.write_json(metrics, run.paths.metrics / f"round{q}" / "train.json")


if __name__ == "__main__":
    stage(main)
