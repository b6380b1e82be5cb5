"""Pairs of texts with a label: natural language inference. The teacher is given the premise and writes the other text.

The second text is a `hypothesis` (RTE), or a `question` (QNLI) where task.<name>.gold.columns names one: a question
must end in a question mark.
"""

from collections.abc import Iterator

import pandas as pd

from synthesis.params import Task as Settings
from synthesis.tasks import classification
from synthesis.tasks.base import Material
from synthesis.tasks.checks import copied, echo, in_turn, overlap, repeats_example, stray_quote, unasked


class Task(classification.Task):
    capabilities = frozenset({"labels"})
    group = "premise"

    def __init__(self, name: str, settings: Settings):
        super().__init__(name, settings)
        self.written = "question" if "question" in settings.gold.columns else "hypothesis"
        self.columns = ("premise", self.written)
        self.variables = {
            "seed": {"label", "premise", "examples", "count"},
            "extrapolate": {"label", "premise", self.written, "predicted", "count"},
            "contrast": {"label", "premise", self.written, "predicted"},
            "verify": {"labels", "premise", self.written},
        }
        self.required = {
            "seed": {"label", "premise"},
            "extrapolate": {"label", "premise", self.written},
            "contrast": {"label", "premise", self.written, "predicted"},
            "verify": {"labels", "premise", self.written},
        }

    def contexts(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Each premise once."""
        return rows[["premise"]].drop_duplicates()

    def seed_rows(self, count: int, material: Material) -> Iterator[dict]:
        """Section 2.4: premises uniformly, labels in turn."""
        contexts = material.contexts.to_dict("records")
        for i, context in enumerate(in_turn(contexts, count, material.seed, self.name)):
            yield {"premise": context["premise"], "label": material.labels[i % len(material.labels)]}

    def seed_slots(self, row: dict) -> dict:
        return {"label": self.word(row["label"]), "premise": row["premise"]}

    def error_slots(self, error: dict) -> dict:
        """What an extrapolation prompt shows: Alg. 3's c_mis, x_mis and y_mis."""
        words = {"label": self.word(error["label"]), "predicted": self.word(error["predicted"])}
        return {**words, "premise": error["premise"], self.written: error[self.written]}

    def check(self, text: str, request) -> tuple[str, str | None]:
        premise, given = request.slots["premise"], request.slots.get(self.written, "")
        reason = (
            copied(text, premise, "equals its premise")
            or copied(text, given, "equals the row that it should extrapolate")
            or repeats_example(text, request)
            or (unasked(text) if self.written == "question" else None)
            or stray_quote(text)
            or echo(text, request)
        )
        return text, reason

    def complete(self, row: dict, text: str) -> dict:
        return {"premise": row["premise"], self.written: text, "label": row["label"]}

    def inputs(self, rows: pd.DataFrame) -> list[tuple[str, str]]:
        return list(zip(rows.premise, rows[self.written], strict=True))

    def examples(self, rows: pd.DataFrame) -> pd.DataFrame:
        pairs = zip(rows[self.written], rows.premise, strict=True)
        return super().examples(rows).assign(words_of_the_premise=[overlap(*pair) for pair in pairs])
