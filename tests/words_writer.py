"""A student that writes texts, for tests of the pipeline: the first reference of the learned source that is nearest.

Tests copy it to synthesis/students/words_writer.py, beside the student that hands sources on to it.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from synthesis.tasks import squad


@dataclass
class Writer:
    learned: dict  # by source its text
    curve: pd.DataFrame | None = None
    step: int = 1
    records: int = 0
    tokens: int = 0
    parameters: int = 1

    @property
    def flops(self):
        return 2 * self.parameters * self.tokens

    def predict(self, inputs):
        return [self.answer(source) for source in inputs]

    def answer(self, source):
        nearness, text = max((squad.f1(source, [other]), text) for other, text in self.learned.items())
        return text, nearness

    def save(self, folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / "writer.json").write_text(json.dumps(self.learned))


def fit(lesson):
    texts = [references[0] for references in lesson.learned.goals]
    writer = Writer(dict(zip(lesson.learned.inputs, texts, strict=True)), records=len(texts))
    writer.tokens = sum(len(text.split()) for text in lesson.learned.inputs)

    def score(rows):
        if not rows:
            return float("nan")
        pairs = zip(writer.predict(rows.inputs), rows.goals, strict=True)
        return sum(squad.f1(text, references) for (text, _), references in pairs) / len(rows)

    scores = {"selection_score": score(lesson.selection), "test_score": score(lesson.watched)}
    writer.curve = pd.DataFrame([{"step": 1, "loss": 0.0, "train_accuracy": 1.0, **scores}])
    return [writer] * len(lesson.seeds)
