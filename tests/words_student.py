"""A student for tests of the pipeline: naive Bayes over words, milliseconds a fit, no torch.

Tests copy it to synthesis/students/words.py, where `student.kind: words` finds it like any other kind. Questions go to
the reader beside it, and texts to the writer.
"""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

ANSWERS = ("label", "span", "text")


@dataclass
class Student:
    names: list
    weights: dict
    curve: pd.DataFrame
    step: int = 1
    records: int = 0
    tokens: int = 0

    @property
    def parameters(self):
        return len(self.weights) * len(self.names)

    @property
    def flops(self):
        return 2 * self.parameters * self.tokens

    def predict(self, inputs):
        logits = np.zeros((len(inputs), len(self.names)))
        for i, text in enumerate(inputs):
            for word in words(text):
                logits[i] += self.weights.get(word, 0)
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return (raised / raised.sum(axis=1, keepdims=True)).astype("float32")

    def represent(self, inputs):
        known = {word: place for place, word in enumerate(sorted(self.weights))}
        counts = np.zeros((len(inputs), len(known)), "float32")
        for i, text in enumerate(inputs):
            for word in words(text):
                if word in known:
                    counts[i, known[word]] += 1
        return counts

    def save(self, folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / "words.json").write_text(json.dumps({w: list(v) for w, v in self.weights.items()}))


def words(text):
    """Of a text, or of a pair of texts."""
    return (text if isinstance(text, str) else " ".join(text)).lower().split()


def fit(lesson):
    if not lesson.names:
        from synthesis.students import words_reader, words_writer

        writes = all(isinstance(goal, list) for goal in lesson.learned.goals)
        return (words_writer if writes else words_reader).fit(lesson)
    names, settings, inputs = lesson.names, lesson.settings, lesson.learned.inputs
    counts = {name: Counter() for name in names}
    for text, label in zip(inputs, lesson.learned.goals, strict=True):
        counts[label].update(words(text))
    known = set().union(*counts.values())
    rows = np.array([[counts[name][word] + settings.weight_decay + 0.5 for name in names] for word in known])
    rows = np.log(rows / rows.sum(axis=0))
    student = Student(names, dict(zip(known, rows - rows.mean(axis=1, keepdims=True), strict=True)), None)
    student.records = len(inputs)
    student.tokens = sum(len(words(text)) for text in inputs)

    def score(rows):
        if not rows:
            return float("nan")
        return float((np.array(names)[student.predict(rows.inputs).argmax(axis=1)] == np.array(rows.goals)).mean())

    scores = {"selection_score": score(lesson.selection), "test_score": score(lesson.watched)}
    student.curve = pd.DataFrame([{"step": 1, "loss": 0.0, "train_accuracy": 1.0, **scores}])
    return [student] * len(lesson.seeds)
