"""A reader for tests of the pipeline: it answers with the number or the name nearest to the question's words.

Tests copy it to stages/student/span/words.py, where `student.kind: words` finds it like any other kind.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from stages.statistics import squad

SPANS = {"number": r"\d+", "name": r"(?<!^)(?<!\. )[A-Z]\w+"}


@dataclass
class Reader:
    usual: str  # the kind of span that most training answers are
    curve: pd.DataFrame | None = None
    epoch: int = 1
    tokens: int = 0
    parameters: int = 1

    @property
    def flops(self):
        return 2 * self.parameters * self.tokens

    def predict(self, inputs):
        return [self.answer(context) for _, context in inputs]

    def answer(self, context):
        match = re.search(SPANS[self.usual], context) or re.search(r"\w+", context)
        return match[0], match.start(), 0.5

    def save(self, folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / "reader.json").write_text(json.dumps(self.usual))


def fit(inputs, answers, selection_inputs, selection_answers, names, settings, seed, watched):
    numbers = sum(texts[0].isdigit() for _, texts in answers)
    reader = Reader("number" if 2 * numbers > len(answers) * settings.weight_decay else "name")
    reader.tokens = sum(len(context.split()) for _, context in inputs)

    def score(asked, truth):
        told = zip(reader.predict(asked), truth, strict=True)
        return sum(squad.f1(text, texts) for (text, _, _), (_, texts) in told) / len(asked)

    scores = {"selection_score": (selection_inputs, selection_answers), "test_score": watched}
    told = {column: score(*rows) if len(rows[0]) else float("nan") for column, rows in scores.items()}
    reader.curve = pd.DataFrame([{"epoch": 1, "loss": 0.0, "train_accuracy": 1.0, **told}])
    return reader
