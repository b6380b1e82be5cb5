"""Evaluation: a student learns the final data, is kept, and takes the test.

    python -m stages.evaluate TASK

What the final data are is method.learn: in S3 the synthetic rows of all rounds.
"""

import pandas as pd

from synthesis import files, transfer
from synthesis.mixing import mix
from synthesis.run import Run, stage
from synthesis.students.lesson import learn
from synthesis.students.tuning import best_for_gold, best_settings, whole_budget


def main(run: Run) -> None:
    task, paths, method, gold = run.task, run.paths, run.params.method, run.gold()
    written, learned = files.read(paths.train(run.last)), ["id", *task.fields]
    if method.transfer.file and method.transfer.into == "final":
        seed = transfer.read(task, method.transfer.file, files.read_json(paths.labels))
        written = pd.concat([seed, written[written["round"] > 0]])
    synthetic, human = mix(run, written[learned], gold["validation"][learned])
    rows, selection = pd.concat([synthetic, human]), gold["selection"]
    if method.learn == "gold":  # all of the budget, as the gold baseline does
        rows, selection = whole_budget(gold)[learned], selection.head(0)
        settings = best_for_gold(task, gold, run.student, method.tune or [])
    else:
        settings = best_settings(task, rows, gold, run.student, method.tune or [])
    outcome = learn(task, rows, gold, settings, run.last, selection, watch=True)
    outcome.student.save(paths.student)
    files.write(outcome.predictions, paths.final_predictions)
    files.write_csv(outcome.curve, paths.final_curve)
    counts = {"rows": len(rows), "synthetic_rows": len(synthetic), "gold_rows": len(rows) - len(synthetic)}
    files.write_json({**counts, **outcome.metrics(task)}, paths.metrics / "final.json")


if __name__ == "__main__":
    stage(main)
