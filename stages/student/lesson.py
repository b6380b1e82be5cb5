"""One lesson: a fresh student for each training seed learns the rows and is asked about all gold."""

import sys

import pandas as pd

from stages import student

CURVE = ["epoch", "loss", "train_accuracy", "selection_score", "seed"]


def spent(learner) -> dict:
    """What fitting one student cost: its epochs, tokens and floating-point operations. None stands for no fit."""
    if learner is None:
        return {"epochs": 0, "tokens": 0, "flops": 0}
    return {"epochs": len(learner.curve), "tokens": learner.tokens, "flops": learner.flops}


def learn(task, rows: pd.DataFrame, gold: dict[str, pd.DataFrame], settings, q: int) -> tuple:
    """Returns the first seed's student, all students' predictions, and their learning curves.

    `gold` maps a split to its rows; *selection* picks the checkpoint. Predictions have a row for each seed and gold
    row: round, seed, split, and what the task's `predictions` tell.
    """
    labels = task.labels(gold["validation"])
    first, predictions, curves = None, [], []
    for seed in range(settings.seeds):
        print(f"student {seed + 1} of {settings.seeds}: {len(rows)} rows, {settings.kind}", file=sys.stderr)
        lessons = [part for chosen in (rows, gold["selection"]) for part in (task.inputs(chosen), task.goals(chosen))]
        learner = student.fit(*lessons, labels, settings, seed, task.learner)
        first = first or learner
        curves.append(learner.curve.assign(seed=seed))
        for split, asked in gold.items():
            answers = task.predictions(asked, learner.predict(task.inputs(asked)), labels)
            for place, (column, value) in enumerate({"round": q, "seed": seed, "split": split}.items()):
                answers.insert(place, column, value)
            predictions.append(answers)
    return first, pd.concat(predictions), pd.concat(curves)
