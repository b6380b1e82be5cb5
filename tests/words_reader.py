"""A reader for tests of the pipeline: it answers with the number or the name nearest to the question's words.

Tests copy it to synthesis/students/words_reader.py, beside the student that hands questions on to it.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from synthesis.tasks import squad

SPANS = {"number": r"\d+", "name": r"(?<!^)(?<!\. )[A-Z]\w+"}


@dataclass
class Reader:
    usual: str  # the kind of span that most training answers are
    curve: pd.DataFrame | None = None
    step: int = 1
    records: int = 0
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


def load(folder):
    return Reader(json.loads((Path(folder) / "reader.json").read_text()))


def fit(lesson):
    answers = lesson.learned.goals
    numbers = sum(texts[0].isdigit() for _, texts in answers)
    reader = Reader("number" if 2 * numbers > len(answers) * lesson.settings.weight_decay else "name")
    reader.records = len(answers)
    reader.tokens = sum(len(context.split()) for _, context in lesson.learned.inputs)

    def score(rows):
        if not rows:
            return float("nan")
        pairs = zip(reader.predict(rows.inputs), rows.goals, strict=True)
        return sum(squad.f1(text, texts) for (text, _, _), (_, texts) in pairs) / len(rows)

    scores = {"selection_score": score(lesson.selection), "test_score": score(lesson.watched)}
    reader.curve = pd.DataFrame([{"step": 1, "loss": 0.0, "train_accuracy": 1.0, **scores}])
    return [reader] * len(lesson.seeds)
