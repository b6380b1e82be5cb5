"""A student that leaves the encoder frozen and fits a logistic regression on its sentence embeddings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.numpy import load_file, save_file
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from synthesis import UserError
from synthesis.encoding.embedding import Encoder, embed, parameters
from synthesis.students.base import Examples, Graph, Lesson

ANSWERS = ("label",)
WEIGHED = True
STRENGTHS = 10.0, 1.0, 100.0  # values of C; the first stands when the selection rows do not prefer another


@dataclass
class Probe:
    """Coefficients over the embeddings of `model`. See students.base.Student for the fields they share."""

    names: list[str]
    model: str
    max_tokens: int
    weight: np.ndarray  # float32 (names, features)
    bias: np.ndarray  # float32 (names,), -inf for a label that had no training rows
    curve: pd.DataFrame
    tokens: int
    parameters: int  # of the encoder
    records: int
    step: int = 1
    encoder: Encoder | None = None  # one that stays loaded; without it embeddings are cached

    @property
    def flops(self) -> int:
        """2 a parameter and token, the forward pass alone (Kaplan et al., 2020), as if no embedding had been cached.

        The regression is left out: it costs a small fraction of that.
        """
        return 2 * self.parameters * self.tokens

    def predict(self, inputs) -> np.ndarray:
        """Return probabilities of shape (rows, names). A label that had no training rows gets 0."""
        if not inputs:
            return np.empty((0, len(self.names)), np.float32)
        features = self.represent(inputs)
        return softmax(features @ self.weight.T + self.bias, axis=1)

    def represent(self, inputs) -> np.ndarray:
        """Return what the regression reads, of shape (rows, features)."""
        return encode(inputs, self.model, self.max_tokens, self.encoder)[0]

    def score(self, examples: Examples) -> float:
        """Return the accuracy on these examples, NaN when there are none."""
        truth = [self.names.index(label) for label in examples.goals]
        return float((self.predict(examples.inputs).argmax(axis=1) == truth).mean()) if truth else float("nan")

    def graph(self) -> Graph:
        from synthesis.students.graphs import Regression

        encoder = self.encoder or Encoder(self.model, self.max_tokens)
        apart = self.weight.shape[1] > encoder.model.config.hidden_size
        return Graph(
            Regression(encoder.model, self.weight, self.bias),
            encoder.tokenizer,
            encode="apart" if apart else "together",
        )

    def save(self, folder) -> None:
        """Write probe.safetensors and probe.json, which `load` reads. The encoder stays where it is."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        save_file({"weight": self.weight, "bias": self.bias}, folder / "probe.safetensors")
        rest = {key: getattr(self, key) for key in ("names", "model", "max_tokens", "tokens", "parameters", "records")}
        rest["curve"] = self.curve.to_dict("records")
        (folder / "probe.json").write_text(json.dumps(rest, indent=2, ensure_ascii=False), encoding="utf-8")


def load(folder) -> Probe:
    """Return the student that `Probe.save` wrote to `folder`, to predict again; it caches nothing."""
    rest = json.loads((Path(folder) / "probe.json").read_text(encoding="utf-8"))
    rest["curve"] = pd.DataFrame(rest["curve"])
    encoder = Encoder(rest["model"], rest["max_tokens"])
    return Probe(**rest, **load_file(Path(folder) / "probe.safetensors"), encoder=encoder)


def fit(lesson: Lesson) -> list[Probe]:
    """Fit one regression per strength and keep the one that is best on the selection rows, or, when there are none,
    in five-fold cross-validation.

    Nothing here is random: every seed gives the same student. Raises UserError when the rows have one label only, or
    the model cannot be loaded.
    """
    names, model, longest = lesson.names, lesson.settings.model, lesson.settings.max_tokens
    labels = lesson.learned.goals
    if len(set(labels)) == 1:
        raise UserError(f"student.kind: a probe needs rows of two labels, all {len(labels)} are `{labels[0]}`")
    features, tokens = encode(lesson.learned.inputs, model, longest)
    targets, weights = np.array([names.index(label) for label in labels]), lesson.learned.weights
    if weights is not None:  # a row for each label that counts
        rows, targets = np.nonzero(weights)
        features, weights = features[rows], weights[rows, targets]
    regressions = [LogisticRegression(C=c, max_iter=1000) for c in STRENGTHS]
    if lesson.selection:
        held_out, _ = encode(lesson.selection.inputs, model, longest)
        truth = np.array([names.index(label) for label in lesson.selection.goals])
        scores = [each.fit(features, targets, weights).score(held_out, truth) for each in regressions]
    else:
        _, groups = np.unique(features, axis=0, return_inverse=True)  # a row that is learned twice stays together
        scores = [_validate(each, features, targets, weights, groups) for each in regressions]
    best = regressions[scores.index(max(scores))].fit(features, targets, weights)
    weight, bias = by_label(best, names)
    logs = log_softmax(features @ weight.T + bias, axis=1)
    probe = Probe(names, model, longest, weight, bias, pd.DataFrame(), tokens, parameters(model), len(labels))
    curve = {
        "step": 1,
        "loss": float(-np.average(logs[np.arange(len(targets)), targets], weights=weights)),
        "train_accuracy": float(np.average(logs.argmax(1) == targets, weights=weights)),
        "selection_score": max(scores) if lesson.selection else float("nan"),
        "test_score": probe.score(lesson.watched),
    }
    probe.curve = pd.DataFrame([curve])
    return [probe] * len(lesson.seeds)


def by_label(regression: LogisticRegression, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return its coefficients, float32 (names, features) and (names,): -inf for a label that had no training rows."""
    weight = np.zeros((len(names), regression.coef_.shape[1]), np.float32)
    bias = np.full(len(names), -np.inf, np.float32)
    # Of two labels scikit-learn keeps the second's coefficients only; the first's are zero.
    known = regression.classes_ if len(regression.classes_) > 2 else regression.classes_[1:]
    bias[regression.classes_] = 0
    weight[known], bias[known] = regression.coef_, regression.intercept_
    return weight, bias


def _validate(regression: LogisticRegression, features, targets, weights, groups) -> float:
    """The accuracy in cross-validation, weighted if the rows are; 0 where no part of the rows can be learned.

    A part that has one label only is left out.
    """
    count, scores = min(5, np.bincount(targets).max(), groups.max() + 1), []
    folds = StratifiedGroupKFold(count, shuffle=True, random_state=0) if count > 1 else None
    for learned, asked in folds.split(features, targets, groups) if folds else ():
        if len(asked) and len(np.unique(targets[learned])) > 1:
            learn, ask = (None if weights is None else weights[places] for places in (learned, asked))
            regression.fit(features[learned], targets[learned], learn)
            scores.append(regression.score(features[asked], targets[asked], ask))
    return float(np.mean(scores)) if scores else 0.0


def encode(inputs, model, max_tokens, encoder: Encoder | None = None) -> tuple[np.ndarray, int]:
    """Return features (rows, width) and the number of tokens read: u for a text; u, v, |u - v|, u * v for a pair.

    encoder: the model where it stays loaded; without it embeddings are cached.
    """

    def vectors(texts):
        return encoder.embed(texts) if encoder else embed(texts, model, max_tokens)

    if not isinstance(inputs[0], tuple):
        return vectors(inputs)
    (u, first), (v, second) = (vectors(side) for side in zip(*inputs, strict=True))
    return np.hstack([u, v, np.abs(u - v), u * v]), first + second
