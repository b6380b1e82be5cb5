"""A student for few rows, SetFit (Tunstall et al., 2022): an encoder is fine-tuned on pairs of rows, so that those of
one label are alike and others are not; a logistic regression reads what it makes of each row.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import datasets
import numpy as np
import pandas as pd
import setfit
import torch
from safetensors.numpy import load_file, save_file
from sentence_transformers import SentenceTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from tqdm import tqdm
from transformers import PrinterCallback, ProgressCallback, TrainerCallback

from synthesis import UserError
from synthesis.encoding.forward import tokenize
from synthesis.models.load import load_tokenizer, loading, locate
from synthesis.students.base import Examples, Graph, Lesson
from synthesis.students.graphs import Regression
from synthesis.students.probe import by_label
from synthesis.training.loop import EXAMS, repeatable

ANSWERS = ("label",)


@dataclass
class SetFit:
    """A SetFit model. See students.base.Student for the fields they share."""

    names: list[str]
    model: setfit.SetFitModel
    curve: pd.DataFrame = field(default_factory=pd.DataFrame)
    step: int = 0
    records: int = 0
    tokens: int = 0

    @property
    def parameters(self) -> int:
        return sum(weight.numel() for weight in self.model.model_body.parameters())

    @property
    def flops(self) -> int:
        """6 a parameter and token, as for every encoder that is fine-tuned; the regression is left out."""
        return 6 * self.parameters * self.tokens

    def predict(self, inputs) -> np.ndarray:
        """Return probabilities of shape (rows, names). A label that had no training rows gets 0."""
        probabilities = np.zeros((len(inputs), len(self.names)), np.float32)
        if inputs:
            head = self.model.model_head
            probabilities[:, head.classes_] = head.predict_proba(self.represent(inputs))
        return probabilities

    def represent(self, inputs) -> np.ndarray:
        """Return what the regression reads, of shape (rows, width)."""
        return self.model.encode(_joined(inputs, self.model.model_body.tokenizer), show_progress_bar=False)

    def graph(self) -> Graph:
        body = self.model.model_body
        weight, bias = by_label(self.model.model_head, self.names)
        body.tokenizer.model_max_length = body.max_seq_length
        return Graph(Regression(body, weight, bias), body.tokenizer, encode="joined")

    def save(self, folder) -> None:
        """Write a folder that `SentenceTransformer` loads, and beside it the regression, which `load` reads, too."""
        head = self.model.model_head
        self.model.model_body.save_pretrained(str(folder))
        weights = {"weight": head.coef_, "bias": head.intercept_}
        # safetensors writes the memory as it lies, and scikit-learn leaves it column by column.
        contiguous = {name: np.ascontiguousarray(array) for name, array in weights.items()}
        save_file(contiguous, Path(folder) / "head.safetensors")
        known = {"names": self.names, "classes": head.classes_.tolist()}
        (Path(folder) / "head.json").write_text(json.dumps(known, ensure_ascii=False), encoding="utf-8")


def load(folder) -> SetFit:
    """Return the student that `SetFit.save` wrote to `folder`, to predict again."""
    known = json.loads((Path(folder) / "head.json").read_text(encoding="utf-8"))
    weights, head = load_file(Path(folder) / "head.safetensors"), LogisticRegression()
    head.coef_, head.intercept_, head.classes_ = weights["weight"], weights["bias"], np.array(known["classes"])
    return SetFit(known["names"], setfit.SetFitModel(SentenceTransformer(str(folder)), head))


def fit(lesson: Lesson) -> list[SetFit]:
    """Fine-tune the encoder for `steps` of `batch` pairs, or `min_epochs` if that is more, and keep the weights that
    are best on the selection rows: the earliest of equals, the last when there are none.

    The texts of a pair task are joined. The same seed gives the same student on the same machine. Raises UserError when
    the rows have one label only, or the model cannot be loaded.
    """
    labels = set(lesson.learned.goals)
    if len(labels) == 1:
        raise UserError(f"student.kind: setfit needs rows of two labels, all {len(lesson.learned)} are `{min(labels)}`")
    return [_fit(lesson, seed) for seed in lesson.seeds]


def _fit(lesson: Lesson, seed: int) -> SetFit:
    settings = lesson.settings
    repeatable(seed)
    setfit.logging.set_verbosity_error()
    datasets.disable_progress_bars()  # one of its own is enough
    tokenizer = load_tokenizer(settings.model, settings.max_tokens)
    with loading(settings.model) as options:
        body = SentenceTransformer(locate(settings.model), **options)
    body.max_seq_length = settings.max_tokens
    student = SetFit(lesson.names, setfit.SetFitModel(body, LogisticRegression(max_iter=1000), labels=lesson.names))
    texts = _joined(lesson.learned.inputs, tokenizer)
    targets = [lesson.names.index(label) for label in lesson.learned.goals]
    steps = max(settings.steps, settings.min_epochs * -(-len(texts) // settings.batch))
    student.records = 2 * steps * settings.batch
    student.tokens = round(student.records * np.mean([len(row["input_ids"]) for row in tokenize(tokenizer, texts)]))
    # All pairs of rows are listed before some are drawn: no more rows than those can hold.
    few = np.random.default_rng(seed).permutation(len(texts))[: student.records]
    rows = datasets.Dataset.from_dict({"text": [texts[i] for i in few], "label": [targets[i] for i in few]})
    with TemporaryDirectory() as folder:
        arguments = setfit.TrainingArguments(
            output_dir=folder,
            max_steps=steps,
            batch_size=settings.batch,
            body_learning_rate=settings.learning_rate,
            warmup_proportion=settings.warmup,
            l2_weight=settings.weight_decay,
            seed=seed,
            report_to="none",
            logging_strategy="no",
            save_strategy="no",
        )
        bar = tqdm(total=steps, desc=f"SetFit, seed {seed}", unit="step", disable=None)
        exams = _Exams(student, texts, targets, lesson, bar)
        trainer = setfit.Trainer(student.model, arguments, train_dataset=rows, callbacks=[exams])
        trainer.st_trainer.args.dataloader_pin_memory = torch.cuda.is_available()  # it warns where there is no GPU
        trainer.remove_callback(PrinterCallback)
        trainer.remove_callback(ProgressCallback)
        trainer.train_embeddings(*trainer.dataset_to_parameters(rows), args=arguments)
    exams.finish()
    return student


class _Exams(TrainerCallback):
    """Fits the regression and asks for the scores now and then, and leaves the student with its best weights."""

    def __init__(self, student: SetFit, texts: list[str], targets: list[int], lesson: Lesson, bar: tqdm):
        self.student, self.texts, self.targets, self.lesson, self.bar = student, texts, targets, lesson, bar
        self.steps = {bar.total * exam // EXAMS for exam in range(1, EXAMS + 1)}
        self.curve, self.best, self.weights = [], -1.0, {}

    def on_step_end(self, args, state, control, **_):
        self.bar.update()
        if state.global_step not in self.steps:
            return
        body, head = self.student.model.model_body, LogisticRegression(max_iter=1000)
        features = body.encode(self.texts, show_progress_bar=False)
        self.student.model.model_head = head.fit(features, self.targets)
        score = self._score(self.lesson.selection)
        self.curve.append(
            {
                "step": state.global_step,
                "loss": log_loss(self.targets, head.predict_proba(features)),
                "train_accuracy": head.score(features, self.targets),
                "selection_score": score,
                "test_score": self._score(self.lesson.watched),
            }
        )
        if not score <= self.best:  # NaN, too: the last weights are kept
            self.best, self.student.step = score, state.global_step
            self.weights = {"body": copy.deepcopy(body.state_dict()), "head": head}

    def finish(self) -> None:
        self.bar.close()
        self.student.model.model_body.load_state_dict(self.weights["body"])
        self.student.model.model_head = self.weights["head"]
        self.student.curve = pd.DataFrame(self.curve)

    def _score(self, asked: Examples) -> float:
        truth = [self.student.names.index(label) for label in asked.goals]
        return float((self.student.predict(asked.inputs).argmax(1) == truth).mean()) if truth else float("nan")


def _joined(inputs, tokenizer) -> list[str]:
    return [text if isinstance(text, str) else f" {tokenizer.sep_token} ".join(text) for text in inputs]
