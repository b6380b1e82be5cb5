"""The gold baseline: what the same gold rows are worth without a teacher, learned as well as a user would.

    python -m stages.baseline TASK

The settings of baseline.tune are tried by cross-validation; then the student learns all of the budget, validation and
selection rows, as there is no checkpoint left to pick. Others learn shares of it: they show what more gold rows bring.
"""

from synthesis import files
from synthesis.budgets import learn_shares
from synthesis.run import Run, stage, whole_budget
from synthesis.students import saved
from synthesis.students.lesson import learn
from synthesis.students.tuning import best_for_gold


def main(run: Run) -> None:
    task, paths, baseline, gold = run.task, run.paths, run.params.baseline, run.gold()
    rows = whole_budget(gold)
    settings, scores = best_for_gold(task, gold, run.student, baseline.tune or [], run.params.method.folds)
    outcome = learn(task, rows, gold, settings, -1, gold["selection"].head(0), watch=True)
    saved.save(outcome.student, task, paths.baseline_student)
    files.write(outcome.predictions, paths.baseline_predictions)
    files.write_csv(outcome.curve, paths.baseline_curve)
    files.write(scores.rename("score").reset_index(), paths.baseline_folds)
    files.write(learn_shares(run, gold, settings), paths.baseline_budgets)
    picked = {key: value for key, value in settings.model_dump().items() if value != getattr(run.student, key)}
    metrics = {"rows": len(rows), "picked": picked, "folds": round(float(scores.mean()), 4), **outcome.metrics(task)}
    files.write_json(metrics, run.paths.metrics / "baseline.json")


if __name__ == "__main__":
    stage(main)
