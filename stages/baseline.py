"""The gold baseline: what the same gold rows are worth without a teacher, learned as well as a user would.

    python -m stages.baseline TASK

The settings of baseline.tune are tried on gold rows that the student has not learned; then it learns all of the budget,
validation and selection rows, as there is no checkpoint left to pick.
"""

from synthesis import files
from synthesis.run import Run, stage
from synthesis.students.lesson import learn
from synthesis.students.tuning import best_for_gold, whole_budget


def main(run: Run) -> None:
    task, gold = run.task, run.gold()
    rows = whole_budget(gold)
    settings = best_for_gold(task, gold, run.student, run.params.baseline.tune or [])
    outcome = learn(task, rows, gold, settings, -1, gold["selection"].head(0), watch=True)
    files.write(outcome.predictions, run.paths.baseline_predictions)
    files.write_csv(outcome.curve, run.paths.baseline_curve)
    picked = {key: value for key, value in settings.model_dump().items() if value != getattr(run.student, key)}
    metrics = {"rows": len(rows), "picked": picked, **outcome.metrics(task)}
    files.write_json(metrics, run.paths.metrics / "baseline.json")


if __name__ == "__main__":
    stage(main)
