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
    told = zip(reader.predict(selection_inputs), selection_answers, strict=True)
    scores = [squad.f1(text, texts) for (text, _, _), (_, texts) in told]
    score = sum(scores) / len(scores)
    reader.curve = pd.DataFrame([{"epoch": 1, "loss": 0.0, "train_accuracy": 1.0, "selection_score": score}])
    return reader
