"""One lesson: a fresh student for each training seed learns the rows and is asked about all gold."""

import sys

import pandas as pd

from stages import student

CURVE = ["epoch", "loss", "train_accuracy", "selection_score", "test_score", "seed"]
WATCHED = 500  # test rows that a curve is drawn of


def spent(learner) -> dict:
    """What fitting one student cost: its epochs, tokens and floating-point operations. None stands for no fit."""
    if learner is None:
        return {"epochs": 0, "tokens": 0, "flops": 0}
    return {"epochs": len(learner.curve), "tokens": learner.tokens, "flops": learner.flops}


def learn(task, rows, selection, gold: dict[str, pd.DataFrame], settings, q: int, watch: bool = False) -> tuple:
    """Returns the first seed's student, all students' predictions, and their learning curves.

    `selection` are the rows that pick the checkpoint. `gold` maps a split to its rows; with `watch` the curve tells the
    score on some of *test*, which decides nothing. Predictions have a row for each seed and gold row: round, seed,
    split, and what the task's `predictions` tell.
    """
    labels = task.labels(gold["validation"])
    watched = lesson(task, gold["test"].head(WATCHED if watch else 0))
    first, predictions, curves = None, [], []
    for seed in range(settings.seeds):
        print(f"student {seed + 1} of {settings.seeds}: {len(rows)} rows, {settings.kind}", file=sys.stderr)
        learner = student.fit(
            *lesson(task, rows), *lesson(task, selection), labels, settings, seed, task.learner, watched
        )
        first = first or learner
        curves.append(learner.curve.assign(seed=seed))
        for split, asked in gold.items():
            answers = task.predictions(asked, learner.predict(task.inputs(asked)), labels)
            for place, (column, value) in enumerate({"round": q, "seed": seed, "split": split}.items()):
                answers.insert(place, column, value)
            predictions.append(answers)
    return first, pd.concat(predictions), pd.concat(curves)


def lesson(task, rows: pd.DataFrame) -> tuple[list, list]:
    """What the student reads of each row, and what it shall answer."""
    return task.inputs(rows), task.goals(rows)


def tuned(task, rows: pd.DataFrame, gold: dict[str, pd.DataFrame], settings, candidates: list[dict]):
    """The settings, of those that the candidates change, whose student is best on selection; the first of equals."""
    lessons = [*lesson(task, rows), *lesson(task, gold["selection"])]
    labels = task.labels(gold["validation"])

    def score(tried) -> float:
        return student.fit(*lessons, labels, tried, 0, task.learner).curve.selection_score.max()

    return max([settings.changed(changes) for changes in candidates], key=score, default=settings)
