"""A student that fine-tunes an encoder with a fresh classification head."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from torch.nn import Linear
from torch.nn.functional import cross_entropy
from transformers import (
    AutoModelForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    enable_full_determinism,
)

from synthesis.models.load import load_model, load_tokenizer, run, tokenize
from synthesis.students.base import Examples, Lesson
from synthesis.students.training import Trained, train

ANSWERS = ("label",)


@dataclass
class FineTuned(Trained):
    """A fine-tuned encoder. See students.base.Student for the fields they share."""

    names: list[str]
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    tokens: int
    epoch: int = 0
    curve: pd.DataFrame = field(default_factory=pd.DataFrame)

    def predict(self, inputs) -> np.ndarray:
        """Return probabilities of shape (rows, names), computed in float32 so that batching does not change them."""
        rows = tokenize(self.tokenizer, inputs) if inputs else []
        return run(self.model, self.tokenizer, rows, len(self.names), lambda output, _: output.logits.softmax(-1))

    def represent(self, inputs) -> np.ndarray:
        """Return what the last layer reads, of shape (rows, width)."""
        last = [part for part in self.model.modules() if isinstance(part, Linear)][-1]
        seen = []
        hook = last.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        try:
            rows = tokenize(self.tokenizer, inputs)
            return run(self.model, self.tokenizer, rows, last.in_features, lambda *_: seen.pop())
        finally:
            hook.remove()

    def save(self, folder) -> None:
        """Write a folder that `transformers.pipeline("text-classification", folder)` loads."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


def fit(lesson: Lesson) -> FineTuned:
    """Fine-tune the published weights of the model for `epochs` and keep the epoch that is best on the selection rows:
    the earliest of equals, the last when there are none.

    The same seed gives the same student on the same machine. Raises UserError when the model cannot be loaded.
    """
    enable_full_determinism(lesson.seed, warn_only=True)  # before the model: its classification head starts at random
    names, settings = lesson.names, lesson.settings
    numbers = {name: number for number, name in enumerate(names)}
    tokenizer = load_tokenizer(settings.model, settings.max_tokens)
    model = load_model(
        AutoModelForSequenceClassification,
        settings.model,
        id2label=dict(enumerate(names)),
        label2id=numbers,
        ignore_mismatched_sizes=True,  # a model that was fine-tuned before brings a head for its own labels
    )
    rows = tokenize(tokenizer, lesson.learned.inputs)
    student = FineTuned(names, model, tokenizer, tokens=settings.epochs * sum(len(row["input_ids"]) for row in rows))
    rows = [row | {"labels": numbers[label]} for row, label in zip(rows, lesson.learned.goals, strict=True)]

    def accuracy(asked: Examples) -> float:
        wanted = [numbers[label] for label in asked.goals]
        return float((student.predict(asked.inputs).argmax(1) == wanted).mean())

    train(student, rows, ["labels"], _objective, accuracy, lesson)
    return student


def _objective(output, targets):
    logits, labels = output.logits.float(), targets["labels"]
    return cross_entropy(logits, labels), logits.argmax(-1) == labels
