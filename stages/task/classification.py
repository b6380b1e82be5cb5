"""Text classification: one text, one label, any number of labels."""

import random
from collections.abc import Iterator
from typing import ClassVar

import pandas as pd

from stages.pipeline.params import Task as Settings
from stages.pipeline.stage import UserError
from stages.task._contexts import folded
from stages.task._faults import copied
from stages.teacher.answers import parse_label


class Task:
    columns = ("text",)  # what the student reads; rows that agree in it are the same row
    written = "text"  # which of them the teacher writes; the others are given
    targets = ("label",)  # what it learns
    optional = ()  # those of the columns and targets that a gold file may lack
    group = "text"  # the column that no two splits share a value of: see `groups`
    stratum = "label"  # what gold is stratified by and errors are counted by: see `strata`
    learner = "label"  # which students learn it: see stages.student.fit
    metric = "accuracy"
    category = "text-classification"  # as the Hugging Face hub calls such tasks
    # what each prompt may show; the first one's words are those that it must
    variables: ClassVar = {
        "rationale": {"label", "count"},
        "seed": {"label", "rationales", "examples"},
        "extrapolate": {"label", "text", "predicted"},
        "verify": {"labels", "text"},
    }
    required: ClassVar = {
        "rationale": {"label"},
        "seed": {"label"},
        "extrapolate": {"label", "text"},
        "verify": {"labels", "text"},
    }

    def __init__(self, name: str, settings: Settings):
        self.name, self.settings = name, settings

    def word(self, label: str) -> str:
        """What the prompts call the label: Table 1's <Y>."""
        return self.settings.words.get(label, label)

    # Gold rows

    def verified(self, rows: pd.DataFrame, file: str, known: list[str] | None) -> pd.DataFrame:
        """The file's rows with labels under the names that params.yaml gives them, or as they are when it gives none.

        `known` are the labels of the rows read before, None for the first file. Raises UserError for a label that is
        neither there nor in params.yaml, and for one in params.yaml that the first file lacks.
        """
        names, values = self.settings.gold.labels, rows.label.astype(str)
        allowed = set(names) or (set(known) if known else set(values))
        unknown = ~values.isin(allowed)
        if unknown.any():
            row = unknown.idxmax()
            raise UserError(
                f"{file} row {row}: unknown label `{values[row]}` (known: {', '.join(sorted(allowed)[:8])}): "
                f"mend the row or add it to task.{self.name}.gold.labels"
            )
        for value in names if known is None else ():
            if not (values == value).any():
                raise UserError(f"{file} has no rows of label `{value}`, which task.{self.name}.gold.labels names")
        return rows.assign(label=values.map(names) if names else values)

    def labels(self, rows: pd.DataFrame) -> list[str]:
        return sorted(rows.label.unique())

    def strata(self, rows: pd.DataFrame) -> pd.Series:
        return rows.label

    def groups(self, rows: pd.DataFrame) -> pd.Series:
        """Rows of one group stay on one side of every split: here only texts that differ in case or white space."""
        return folded(rows[self.group])

    def contexts(self, rows: pd.DataFrame) -> pd.DataFrame:
        """What seed rows are conditioned on, from gold rows that the method may see: here nothing."""
        return pd.DataFrame()

    # What the teacher is asked and what it answers

    def seeds(
        self,
        count: int,
        labels: list[str],
        rationales: dict[str, list[str]],
        each: int,
        seed: int,
        contexts: pd.DataFrame,
    ) -> Iterator[dict]:
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

    def blind_slots(self, row: dict, labels: list[str]) -> dict:
        """What a verification prompt shows: the row without its label, and all labels."""
        shown = {column: row[column] for column in self.columns}
        return {"labels": [self.word(label) for label in labels], **shown}

    def judged(self, answer: str, row: dict, labels: list[str]) -> dict | None:
        """The targets that a blind answer gives to the row; None where it names no label, or several."""
        label = parse_label(answer, {label: (label, self.word(label)) for label in labels})
        return None if label is None else {"label": label}

    def check(self, text: str, request) -> tuple[str, str | None]:
        """The answer, and why it cannot be used: here only a copy of the error that it should extrapolate."""
        return text, copied(text, request.slots.get("text", ""), "equals the row that it should extrapolate")

    def answered(self, text: str, row: dict) -> dict:
        """The columns of a synthetic row: what the teacher was asked for and what it wrote."""
        return {"text": text, "label": row["label"]}

    # What the student is asked and what it answers

    def inputs(self, rows: pd.DataFrame) -> list:
        """What the student reads."""
        return rows.text.tolist()

    def goals(self, rows: pd.DataFrame) -> list:
        """What it shall answer."""
        return rows.label.tolist()

    def predictions(self, rows: pd.DataFrame, probabilities, labels: list[str]) -> pd.DataFrame:
        """The student's answers, (rows, labels), as a table: id, label, predicted, and one probability a label."""
        probabilities = pd.DataFrame(probabilities, columns=labels)
        answers = pd.DataFrame({"id": rows.id.tolist(), "label": rows.label.tolist()})
        answers["predicted"] = probabilities.idxmax(axis=1)
        return answers.join(probabilities.add_prefix("p(").add_suffix(")"))

    def scores(self, predictions: pd.DataFrame) -> pd.DataFrame:
        """One number a row and metric, whose mean is the metric; the first one, `metric`, decides."""
        return pd.DataFrame({self.metric: (predictions.predicted == predictions.label).astype(float)})

    def wrong(self, predictions: pd.DataFrame, method) -> pd.Series:
        """Which of them are errors."""
        return predictions.predicted != predictions.label

    def answers(self, predictions: pd.DataFrame) -> pd.DataFrame:
        """Each answer: id, label, predicted, the probability of what was predicted and its margin over the label."""
        chosen = [predictions.at[i, f"p({label})"] for i, label in predictions.predicted.items()]
        truth = [predictions.at[i, f"p({label})"] for i, label in predictions.label.items()]
        found = predictions[["id", "label", "predicted"]].assign(probability=chosen)
        return found.assign(margin=found.probability - truth)

    def examples(self, rows: pd.DataFrame) -> pd.DataFrame:
        """What is audited for leaks: id, label, the text that the teacher wrote, and further cues of this kind; `group`
        is the same for examples that hang together.
        """
        return pd.DataFrame({"id": rows.id, "group": rows.id, "label": rows.label, "text": rows[self.written]})

    def sure(self, predictions: pd.DataFrame) -> pd.Series:
        """How sure the student is of each answer: its probability."""
        return predictions.filter(regex=r"^p\(").max(axis=1)

    def mistakes(self, predictions: pd.DataFrame) -> pd.Series:
        """What wrong answers mistook for what."""
        return predictions.label + " as " + predictions.predicted
