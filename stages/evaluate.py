"""Evaluation: a student learns the final data, is kept, and takes the test.

    python -m stages.evaluate TASK

What the final data are is method.learn: in S3 the synthetic rows of all rounds.
"""

import pandas as pd

from stages import task as tasks
from stages.pipeline import params as parameters
from stages.pipeline import table
from stages.pipeline.paths import SPLITS, Paths
from stages.pipeline.stage import run
from stages.statistics.marks import marks
from stages.student.lesson import learn, spent, tuned
from stages.teacher.synthetic import borrowed


def main(name: str) -> None:
    params, paths = parameters.load(), Paths(name)
    task, method, last = tasks.load(name, params), params.method, params.rounds[-1].next
    written = table.read(paths.train(last))
    gold = {split: table.read(paths.gold(split)) for split in SPLITS}
    if method.transfer.file and method.transfer.into == "final":
        seed = borrowed(task, method.transfer.file, table.read_json(paths.labels))
        written = pd.concat([seed, written[written["round"] > 0]])
    learned = ["id", *task.columns, *task.targets]
    synthetic, human = LEARN[method.learn](task, written[learned], gold["validation"][learned], params.seed)
    rows, selection = pd.concat([synthetic, human]), gold["selection"]
    settings = tuned(task, rows, gold, params.student, method.tune or [])
    if method.learn == "gold":  # all of the budget, once it has picked the settings
        rows, selection = pd.concat([rows, selection[learned]]).drop_duplicates("id"), selection.head(0)
    student, predictions, curve = learn(task, rows, selection, gold, settings, last, watch=True)
    student.save(paths.student)
    table.write(predictions, paths.final_predictions)
    table.write_csv(curve, paths.final_curve)
    told = {"rows": len(rows), "synthetic_rows": len(synthetic), "gold_rows": len(rows) - len(synthetic)}
    table.write_json({**told, **spent(student), **marks(task, predictions)}, paths.metrics / "final.json")


def only_synthetic(task, written, human, seed):
    """S3, and all arms that a teacher writes for."""
    return written, human.head(0)


def only_gold(task, written, human, seed):
    """No synthetic row."""
    return written.head(0), human


def both(task, written, human, seed):
    """Whether synthetic rows help where the mined gold rows may be learned too."""
    return written, human


def shuffled(task, written, human, seed):
    """What is left of it when labels (or, without them, questions) stand beside any row: nothing that was learned."""
    column = "label" if "label" in task.targets else task.written
    return written.assign(**{column: written[column].sample(frac=1, random_state=seed).to_numpy()}), human.head(0)


LEARN = {"synthetic": only_synthetic, "gold": only_gold, "both": both, "shuffled": shuffled}

if __name__ == "__main__":
    run(main)
