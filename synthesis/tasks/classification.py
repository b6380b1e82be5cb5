"""Text classification: one text, one label, any number of labels."""

import random
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pandas as pd

from synthesis import UserError
from synthesis.params import Method
from synthesis.tasks import base, cells
from synthesis.tasks.base import ClassNames, Material, unnamed
from synthesis.tasks.checks import copied, echo, parse_label, repeats_example


class Task(base.Task):
    capabilities = frozenset({"labels", "rationales"})
    columns = ("text",)
    targets = ("label",)
    written = "text"
    group = "text"
    stratum = "label"
    truth = "label"
    metric = "accuracy"
    paired_test = "sign_flip"
    answer = "label"
    students: ClassVar = {"finetune": "classifier", "probe": "probe"}
    left_out = "unlabelled"
    category = "text-classification"
    variables: ClassVar = {
        "rationale": {"label", "count"},
        "seed": {"label", "rationales", "examples", "count"},
        "extrapolate": {"label", "text", "predicted", "count"},
        "contrast": {"label", "text", "predicted"},
        "verify": {"labels", "text"},
    }
    required: ClassVar = {
        "rationale": {"label"},
        "seed": {"label"},
        "extrapolate": {"label", "text"},
        "contrast": {"label", "text", "predicted"},
        "verify": {"labels", "text"},
    }

    # Gold rows

    def check_gold(
        self, rows: pd.DataFrame, file: str, known: list[str] | None, class_names: ClassNames = unnamed
    ) -> pd.DataFrame:
        """The file's rows with labels under their names, without those whose label params.yaml maps to nothing.

        The names are those of params.yaml, or of the file itself. `known` are the labels of the rows read before, None
        for the first file. Raises UserError for a label without a name, for one in params.yaml that the first file
        lacks, and where params.yaml has none, for numbers and for labels that look alike.
        """
        names, key = self.settings.gold.labels, f"task.{self.name}.gold.labels"
        labels = cells.spelled(rows.label, file, self._label_column)
        if not names:
            cells.check_distinct(labels, file, key)
            names = self._names(labels, file, key, class_names)
        allowed = set(names) or (set(known) if known else set(labels))
        cells.check_labels(labels, allowed, file, f"mend the row, or add the label to {key} (with no name: left out)")
        there = set(labels)
        for value, name in self.settings.gold.labels.items() if known is None else ():
            if name is not None and value not in there:
                raise UserError(f"{file} has no rows of label `{value}`, which {key} names")
        named = pd.Series([names.get(label) if names else label for label in labels], index=rows.index, dtype=str)
        if known is None and named.nunique() < 2:
            only = ", ".join(f"`{name}`" for name in named.dropna().unique()) or "no label"
            raise UserError(f"{file}: a task needs rows of two labels or more, and these have {only} only; see {key}")
        return rows.assign(label=named)[named.notna()]

    @property
    def _label_column(self) -> str:
        return self.settings.gold.columns.get("label", "label")

    def _names(self, labels: pd.Series, file: str, key: str, class_names: ClassNames) -> dict[str, str]:
        """The names that a file has for its numbers. Raises UserError when it has none."""
        if not cells.all_numbers(labels):
            return {}
        names = class_names(self._label_column)
        if not names:
            mapping = ", ".join(f"'{label}': NAME" for label in sorted(labels.unique())[:8])
            raise UserError(f"{file}: its labels are numbers, which need names for the teacher: {key}: {{{mapping}}}")
        return {str(number): name for number, name in enumerate(names)}

    def new_labels(self, rows: pd.DataFrame, file: str, class_names: ClassNames = unnamed) -> dict[str, str | None]:
        """A name for each number: the file's own, nothing for a negative one beside these, or the number itself."""
        labels = cells.spelled(rows.label, file, self._label_column)
        if not cells.all_numbers(labels) or cells.look_alikes(labels):
            return {}
        names = class_names(self._label_column)
        own = {str(number): name for number, name in enumerate(names)}
        return {
            label: own.get(label, None if own and label.startswith("-") else label) for label in sorted(labels.unique())
        }

    def settle(self, rows: pd.DataFrame, file: str) -> tuple[pd.DataFrame, dict[str, int]]:
        """Each text once. Texts with several labels are conflicts, and none of their rows stays."""
        gold, same = self.settings.gold, self.fingerprints(rows)
        several = same.duplicated(keep=False)
        labels = rows.label[several].groupby(same[several]).transform("nunique")
        conflicts = labels.gt(1).reindex(rows.index, fill_value=False)
        if gold.conflicts == "error" and conflicts.any():
            [first, *others] = rows.index[same == same[conflicts.idxmax()]]
            second = next(row for row in others if rows.label[row] != rows.label[first])
            raise UserError(
                f"{file} rows {first} and {second} are the same {' and '.join(self.columns)} with the labels "
                f"`{rows.label[first]}` and `{rows.label[second]}` ({same[conflicts].nunique()} are like that): mend "
                f"the rows, or set task.{self.name}.gold.conflicts to drop, which leaves all their rows out"
            )
        twice = same.duplicated() & ~conflicts
        return rows[~(conflicts | twice)], {"duplicates": int(twice.sum()), "conflicts": int(conflicts.sum())}

    def labels(self, rows: pd.DataFrame) -> list[str]:
        return sorted(rows.label.unique())

    def strata(self, rows: pd.DataFrame) -> pd.Series:
        return rows.label

    def contexts(self, rows: pd.DataFrame) -> pd.DataFrame:
        """What seed rows are conditioned on, from gold rows that the method may see: here nothing."""
        return pd.DataFrame()

    # What the teacher is asked and what it answers

    def seed_rows(self, count: int, material: Material) -> Iterator[dict]:
        """Alg. 1: labels in turn, and U_i, a uniform sample of distinct rationales of the label."""
        for i in range(count):
            label = material.labels[i % len(material.labels)]
            reasons = material.rationales.get(label, [])
            drawn = random.Random(f"{material.seed}/seed/{i}").sample(reasons, min(material.each, len(reasons)))
            yield {"label": label, "rationales": drawn}

    def seed_slots(self, row: dict) -> dict:
        return {"label": self.word(row["label"]), "rationales": row["rationales"]}

    def error_slots(self, error: dict) -> dict:
        return {"label": self.word(error["label"]), "text": error["text"], "predicted": self.word(error["predicted"])}

    def blind_slots(self, row: dict, labels: list[str]) -> dict:
        shown = {column: row[column] for column in self.columns}
        return {"labels": [self.word(label) for label in labels], **shown}

    def verdicts(self, row: dict) -> list[str]:
        return [self.word(row["label"])]

    def judge(self, answer: str, row: dict, labels: list[str]) -> dict | None:
        """The targets that a blind answer gives to the row; None where it names no label, or several."""
        label = parse_label(answer, {label: (label, self.word(label)) for label in labels})
        return None if label is None else {"label": label}

    def check(self, text: str, request) -> tuple[str, str | None]:
        """The answer, and why it cannot be used: a copy of a row that the prompt shows, or the prompt's own words."""
        reason = (
            copied(text, request.slots.get("text", ""), "equals the row that it should extrapolate")
            or repeats_example(text, request)
            or echo(text, request)
        )
        return text, reason

    def complete(self, row: dict, text: str) -> dict:
        return {"text": text, "label": row["label"]}

    # What the student is asked and what it answers

    def inputs(self, rows: pd.DataFrame) -> list:
        return rows.text.tolist()

    def goals(self, rows: pd.DataFrame) -> list:
        return rows.label.tolist()

    def predictions(self, rows: pd.DataFrame, probabilities, labels: list[str]) -> pd.DataFrame:
        """The student's answers, (rows, labels), as a table: id, label, predicted, and one probability a label."""
        probabilities = pd.DataFrame(probabilities, columns=labels)
        answers = pd.DataFrame({"id": rows.id.tolist(), "label": rows.label.tolist()})
        answers["predicted"] = probabilities.idxmax(axis=1)
        return answers.join(probabilities.add_prefix("p(").add_suffix(")"))

    def scores(self, predictions: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({self.metric: (predictions.predicted == predictions.label).astype(float)})

    def losses(self, predictions: pd.DataFrame) -> pd.Series:
        """The cross-entropy of each row."""
        truth = [predictions.at[i, f"p({label})"] for i, label in predictions.label.items()]
        return -pd.Series(np.log(np.maximum(truth, 1e-12)), index=predictions.index)

    def wrong(self, predictions: pd.DataFrame, method: Method) -> pd.Series:
        return predictions.predicted != predictions.label

    def details(self, predictions: pd.DataFrame) -> pd.DataFrame:
        """Each answer: id, label, predicted, the probability of what was predicted and its margin over the label."""
        chosen = [predictions.at[i, f"p({label})"] for i, label in predictions.predicted.items()]
        truth = [predictions.at[i, f"p({label})"] for i, label in predictions.label.items()]
        found = predictions[["id", "label", "predicted"]].assign(probability=chosen)
        return found.assign(margin=found.probability - truth)

    def examples(self, rows: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"id": rows.id, "group": rows.id, "label": rows.label, "text": rows[self.written]})

    def confidence(self, predictions: pd.DataFrame) -> pd.Series:
        return predictions.filter(regex=r"^p\(").max(axis=1)

    def mistakes(self, predictions: pd.DataFrame) -> pd.Series:
        """What wrong answers mistook for what."""
        return predictions.label + " as " + predictions.predicted
