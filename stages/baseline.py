"""The gold baseline: what the same gold rows are worth without a teacher. It learns the validation rows themselves.

python -m stages.baseline TASK
"""

from stages import task as tasks
from stages.pipeline import params as parameters
from stages.pipeline import table
from stages.pipeline.paths import SPLITS, Paths
from stages.pipeline.stage import run
from stages.statistics.marks import marks
from stages.student.lesson import learn, spent


def main(name: str) -> None:
    params, paths = parameters.load(), Paths(name)
    task = tasks.load(name, params)
    gold = {split: table.read(paths.gold(split)) for split in SPLITS}
    student, predictions, curve = learn(
        task, gold["validation"], gold["selection"], gold, params.student, -1, watch=True
    )
    table.write(predictions, paths.baseline_predictions)
    table.write_csv(curve, paths.baseline_curve)
    told = {"rows": len(gold["validation"]), **spent(student), **marks(task, predictions)}
    table.write_json(told, paths.metrics / "baseline.json")


if __name__ == "__main__":
    run(main)
