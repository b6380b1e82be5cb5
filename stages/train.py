"""Training: a fresh student learns data q and is asked about all gold rows (Alg. 2, lines 3 to 5).

    python -m stages.train TASK Q

A round that brought no new row has converged: its student would be the last one, so that one's answers stand.
"""

import pandas as pd

from stages import task as tasks
from stages.pipeline import params as parameters
from stages.pipeline import table
from stages.pipeline.paths import SPLITS, Paths
from stages.pipeline.stage import number, run
from stages.statistics.marks import marks
from stages.student.influence import influence
from stages.student.lesson import CURVE, learn, spent


def main(name: str, q: str) -> None:
    params, paths, q = parameters.load(), Paths(name), number(q)
    task = tasks.load(name, params)
    rows, history = table.read(paths.train(q)), table.read(paths.history(q))
    student, converged = None, q > 0 and not (rows["round"] == q).any()
    helped = pd.DataFrame(columns=["id", "influence"])
    if converged:
        predictions, curve = history[history["round"] == history["round"].max()], pd.DataFrame(columns=CURVE)
    else:
        gold = {split: table.read(paths.gold(split)) for split in SPLITS}
        student, predictions, curve = learn(task, rows, gold["selection"], gold, params.student, q)
        if params.method.influence:
            helped = rows[["id"]].assign(influence=influence(student, task, rows, gold["validation"]))
    table.write(predictions, paths.predictions(q))
    table.write(helped, paths.influence(q))
    table.write_csv(curve, paths.curve(q))
    told = {"rows": len(rows), "converged": int(converged), **spent(student), **marks(task, predictions)}
    table.write_json(told, paths.metrics / f"round{q}" / "train.json")


if __name__ == "__main__":
    run(main)
