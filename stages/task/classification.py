"""Text classification: one text, one label, any number of labels."""

import random
from collections.abc import Iterator

import pandas as pd

from stages.pipeline.params import Task as Settings


class Task:
    columns = ("text",)
    metric = "accuracy"
    # what each prompt may show; the first one's words are those that it must
    variables = {
        "rationale": {"label", "count"},
        "seed": {"label", "rationales"},
        "extrapolate": {"label", "text", "predicted"},
    }
    required = {"rationale": {"label"}, "seed": {"label"}, "extrapolate": {"label", "text"}}

    def __init__(self, name: str, settings: Settings):
        self.name = name
        self.words = settings.words

    def word(self, label: str) -> str:
        """What the prompts call the label: Table 1's <Y>."""
        return self.words.get(label, label)

    def seeds(self, count: int, labels: list[str], rationales: dict[str, list[str]], each: int, seed: int) -> Iterator:
        """Alg. 1: labels in turn, and U_i, a uniform sample of `each` distinct rationales of the label.

        Row i is the same whatever `count` is, so that a larger seed set asks only for what is new.
        """
        for i in range(count):
            label = labels[i % len(labels)]
            reasons = rationales.get(label, [])
            drawn = random.Random(f"{seed}/seed/{i}").sample(reasons, min(each, len(reasons)))
            yield {"label": label, "rationales": drawn}

    def seed_slots(self, row: dict) -> dict:
        return {"label": self.word(row["label"]), "rationales": row["rationales"]}

    def error_slots(self, error: dict) -> dict:
        """What an extrapolation prompt shows of a misclassified gold row (Alg. 2, line 9)."""
        return {"label": self.word(error["label"]), "text": error["text"], "predicted": self.word(error["predicted"])}

    def answered(self, text: str, row: dict) -> dict:
        """The columns of a synthetic row: what the teacher was asked for and what it wrote."""
        return {"text": text, "label": row["label"]}

    def scores(self, predictions: pd.DataFrame) -> pd.Series:
        """One number a row, whose mean is the task's metric: 1 where the prediction is right."""
        return (predictions.predicted == predictions.label).astype(float)

    def errors(self, predictions: pd.DataFrame) -> pd.DataFrame:
        """The wrong ones: id, label, predicted, the probability of what was predicted and its margin over the label."""
        wrong = predictions[predictions.predicted != predictions.label]
        chosen = [wrong.at[i, f"p({label})"] for i, label in wrong.predicted.items()]
        truth = [wrong.at[i, f"p({label})"] for i, label in wrong.label.items()]
        found = wrong[["id", "label", "predicted"]].assign(probability=chosen)
        return found.assign(margin=found.probability - truth)

    def inputs(self, rows: pd.DataFrame) -> list[str]:
        """What the student reads."""
        return rows.text.tolist()
