"""A student that fine-tunes an encoder with a fresh classification head."""

import sys
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import pandas as pd
from torch.nn import Linear
from torch.nn.functional import cross_entropy
from transformers import AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase

from synthesis import UserError
from synthesis.encoding.forward import forward, tokenize
from synthesis.models.load import load_model, load_tokenizer
from synthesis.students.base import Examples, Graph, Lesson
from synthesis.students.calibration import Calibration
from synthesis.training.loop import Course, Trained, accelerator, repeatable, train

ANSWERS = ("label",)
NOTHING = 0.98  # of the loss of guessing
WEIGHED = True


@dataclass
class FineTuned(Trained):
    """A fine-tuned encoder. See students.base.Student for the fields they share."""

    pipeline: ClassVar[str] = "text-classification"  # of transformers, which loads what `save` writes
    names: list[str]
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    records: int = 0
    tokens: int = 0
    step: int = 0
    curve: pd.DataFrame = field(default_factory=pd.DataFrame)

    def predict(self, inputs) -> np.ndarray:
        """Return probabilities of shape (rows, names)."""
        return self.answer(tokenize(self.tokenizer, inputs))

    def answer(self, rows) -> np.ndarray:
        """Return the probabilities of tokenized rows."""
        return forward(self.model, self.tokenizer, rows, len(self.names), lambda output, _: output.logits.softmax(-1))

    def represent(self, inputs) -> np.ndarray:
        """Return what the last layer reads, of shape (rows, width)."""
        last = [part for part in self.model.modules() if isinstance(part, Linear)][-1]
        seen = []
        hook = last.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        try:
            rows = tokenize(self.tokenizer, inputs)
            return forward(self.model, self.tokenizer, rows, last.in_features, lambda *_: seen.pop())
        finally:
            hook.remove()

    def graph(self) -> Graph:
        return Graph(self.model, self.tokenizer)

    def call(self, asked: str | tuple[str, str]) -> str | dict[str, str]:
        """What the pipeline is called with."""
        return asked if isinstance(asked, str) else dict(zip(("text", "text_pair"), asked, strict=True))

    def calibrate(self, calibration: Calibration) -> None:
        """Put temperature and threshold into the last layer, for those who load the model without knowing of them.

        Raises UserError for a threshold where that layer has no bias, as after a decoder.
        """
        last = [part for part in self.model.modules() if isinstance(part, Linear)][-1]
        moved = calibration != Calibration(calibration.temperature)
        if moved and last.bias is None:
            raise UserError(
                f"the last layer of {type(self.model).__name__} has no bias that could hold the threshold of its "
                "calibration: publish a student whose student.model is an encoder"
            )
        last.weight.data /= calibration.temperature
        if last.bias is not None:
            last.bias.data /= calibration.temperature
        if moved:
            last.bias.data[1] += calibration.shift

    def save(self, folder) -> None:
        """Write a folder that `transformers.pipeline("text-classification", folder)` loads."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


def load(folder) -> FineTuned:
    """Return the student that `FineTuned.save` wrote to `folder`, to predict again."""
    model = load_model(AutoModelForSequenceClassification, str(folder)).to(accelerator())
    names = [name for _, name in sorted(model.config.id2label.items())]
    return FineTuned(names, model, load_tokenizer(str(folder)))


def fit(lesson: Lesson) -> list[FineTuned]:
    """Fine-tune the published weights of the model for `steps`, or `min_epochs` if that is more, and keep the weights
    that are best on the selection rows: the earliest of equals, the last when there are none.

    Fine-tuning fails now and then, by its seed alone, and more often at a high learning rate: the student guesses to
    the end (Mosbach et al., 2021). Such a fit is begun anew at half the rate, once; what it has cost is counted.

    The same seeds give the same students on the same machine. Raises UserError when the model cannot be loaded.
    """
    students = _fit(lesson)
    failed = [place for place, student in enumerate(students) if _guesses(student, lesson.learned.goals)]
    if failed:
        print(f"students that have learned nothing, begun anew at half the rate: {len(failed)}", file=sys.stderr)
        slower = lesson.settings.changed({"learning_rate": lesson.settings.learning_rate / 2})
        again = _fit(replace(lesson, settings=slower, seeds=[lesson.seeds[place] for place in failed]))
        for place, student in zip(failed, again, strict=True):
            student.records += students[place].records
            student.tokens += students[place].tokens
            students[place] = student
    return students


def _guesses(student: FineTuned, labels: list[str]) -> bool:
    """Whether the last training loss is about that of one who knows how frequent the labels are, and nothing else."""
    shares = pd.Series(labels).value_counts(normalize=True)
    return len(shares) > 1 and student.curve.loss.iloc[-1] > NOTHING * -(shares * np.log(shares)).sum()


def _fit(lesson: Lesson) -> list[FineTuned]:
    names, settings = lesson.names, lesson.settings
    numbers = {name: number for number, name in enumerate(names)}
    tokenizer = load_tokenizer(settings.model, settings.max_tokens)

    def fresh(seed: int) -> FineTuned:
        repeatable(seed)  # before the model: its classification head starts at random
        model = load_model(
            AutoModelForSequenceClassification,
            settings.model,
            id2label=dict(enumerate(names)),
            label2id=numbers,
            ignore_mismatched_sizes=True,  # a model that was fine-tuned before brings a head for its own labels
        )
        return FineTuned(names, model, tokenizer)

    def answered(examples: Examples) -> tuple[list, np.ndarray]:
        return list(tokenize(tokenizer, examples.inputs)), np.array([numbers[label] for label in examples.goals])

    rows, labels = answered(lesson.learned)
    asked = {"selection_score": answered(lesson.selection), "test_score": answered(lesson.watched)}
    students = [fresh(seed) for seed in lesson.seeds]
    weights = {} if lesson.learned.weights is None else {"weights": lesson.learned.weights}
    train(students, Course(rows, {"labels": labels} | weights, _objective, asked, _accuracy), lesson)
    return students


def _accuracy(student: FineTuned, rows: list, labels: np.ndarray) -> float:
    return float((student.answer(rows).argmax(1) == labels).mean())


def _objective(output, targets):
    logits, labels = output.logits.float(), targets["labels"]
    if "weights" in targets:  # (batch, names)
        return -(targets["weights"] * logits.log_softmax(-1)).sum(-1).mean(), logits.argmax(-1) == labels
    return cross_entropy(logits, labels), logits.argmax(-1) == labels
