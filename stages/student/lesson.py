"""One lesson: a fresh student for each training seed learns the rows and is asked about all gold."""

import sys

import pandas as pd

from stages import student

CURVE = ["epoch", "loss", "train_accuracy", "selection_accuracy", "seed"]


def learn(task, rows: pd.DataFrame, gold: dict[str, pd.DataFrame], settings, q: int) -> tuple:
    """Returns the first seed's student, all students' predictions, and their learning curves.

    `gold` maps a split to its rows; *selection* picks the checkpoint. Predictions have a row for each seed and gold
    row: round, seed, split, id, label, predicted, and one probability a label.
    """
    names = sorted(set(gold["validation"].label))
    first, predictions, curves = None, [], []
    for seed in range(settings.seeds):
        print(f"student {seed + 1} of {settings.seeds}: {len(rows)} rows, {settings.kind}", file=sys.stderr)
        chosen = gold["selection"]
        learner = student.fit(
            task.inputs(rows), rows.label.tolist(), task.inputs(chosen), chosen.label.tolist(), names, settings, seed
        )
        first = first or learner
        curves.append(learner.curve.assign(seed=seed))
        for split, asked in gold.items():
            probabilities = pd.DataFrame(learner.predict(task.inputs(asked)), columns=names)
            answers = pd.DataFrame({"id": asked.id.tolist(), "label": asked.label.tolist()})
            answers["predicted"] = probabilities.idxmax(axis=1)
            answers = answers.join(probabilities.add_prefix("p(").add_suffix(")"))
            answers.insert(0, "split", split)
            answers.insert(0, "seed", seed)
            answers.insert(0, "round", q)
            predictions.append(answers)
    return first, pd.concat(predictions), pd.concat(curves)
