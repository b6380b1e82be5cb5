"""The gold baseline: what the same gold rows are worth without a teacher. It learns the validation rows themselves.

python -m stages.baseline TASK
"""

from synthesis import files
from synthesis.run import Run, stage
from synthesis.students.lesson import learn


def main(run: Run) -> None:
    gold = run.gold()
    outcome = learn(run.task, gold["validation"], gold, run.params.student, -1, watch=True)
    files.write(outcome.predictions, run.paths.baseline_predictions)
    files.write_csv(outcome.curve, run.paths.baseline_curve)
    metrics = {"rows": len(gold["validation"]), **outcome.metrics(run.task)}
    files.write_json(metrics, run.paths.metrics / "baseline.json")


if __name__ == "__main__":
    stage(main)
