"""Evaluation: a student learns the final data, is kept, and takes the test.

python -m stages.evaluate TASK
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
    task, last = tasks.load(name, params), params.rounds[-1].next
    rows = table.read(paths.train(last))
    gold = {split: table.read(paths.gold(split)) for split in SPLITS}
    student, predictions, curve = learn(task, rows, gold, params.student, last)
    student.save(paths.student)
    table.write(predictions, paths.final_predictions)
    table.write_csv(curve, paths.final_curve)
    table.write_json({"rows": len(rows), **spent(student), **marks(task, predictions)}, paths.metrics / "final.json")


if __name__ == "__main__":
    run(main)
