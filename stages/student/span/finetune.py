"""A reader that fine-tunes an encoder with a fresh head for where an answer starts and where it ends."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import cross_entropy, pad
from transformers import (
    AutoModelForQuestionAnswering,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    enable_full_determinism,
)

from stages.statistics import squad
from stages.student.encoder import load_model, load_tokenizer, run
from stages.student.span.windows import Window, best_span, windows
from stages.student.training import Trained, train


@dataclass
class Reader(Trained):
    """A fine-tuned encoder. See stages.student.Student for the fields they share."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    tokens: int = 0
    epoch: int = 0
    curve: pd.DataFrame = field(default_factory=pd.DataFrame)

    def predict(self, inputs) -> list[tuple[str, int, float]]:
        """Return for each (question, context) the answer, where it starts in the context, and its probability."""
        cut = windows(self.tokenizer, inputs)
        width = self.tokenizer.model_max_length

        def head(output, _):
            sides = (output.start_logits, output.end_logits)
            return pad(torch.stack(sides, dim=1), (0, width - sides[0].shape[1])).flatten(1)

        logits = run(self.model, self.tokenizer, [window.tokens for window in cut], 2 * width, head)
        found = [[] for _ in inputs]
        for window, (starts, ends) in zip(cut, logits.reshape(-1, 2, width), strict=True):
            found[window.row].append((window, starts, ends))
        return [best_span(context, seen) for (_, context), seen in zip(inputs, found, strict=True)]

    def save(self, folder) -> None:
        """Write a folder that `AutoModelForQuestionAnswering.from_pretrained` and its tokenizer load."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


def fit(inputs, answers, selection_inputs, selection_answers, names, settings, seed, watched) -> Reader:
    """Fine-tune the published weights of `settings.model` and keep the epoch with the best F1 on the selection rows.

    inputs: (question, context) pairs. answers: (start, texts) of each, the first text being the one that starts there.
    A context that is longer than `settings.max_tokens` is read in windows that overlap; in those that do not hold the
    whole answer the target is the first token, as in BERT's reader of SQuAD (Devlin et al., 2019).

    The same seed gives the same student on the same machine. Raises UserError when the model cannot be loaded.
    """
    enable_full_determinism(seed, warn_only=True)  # before the model: its head starts at random
    tokenizer = load_tokenizer(settings.model, settings.max_tokens)
    student = Reader(load_model(AutoModelForQuestionAnswering, settings.model), tokenizer)
    rows = [window.tokens | _targets(window, answers[window.row]) for window in windows(tokenizer, inputs)]
    student.tokens = settings.epochs * sum(len(row["input_ids"]) for row in rows)

    def mean_f1(asked, truth) -> float:
        told = zip(student.predict(asked), truth, strict=True)
        return float(np.mean([squad.f1(text, texts) for (text, _, _), (_, texts) in told]))

    asked = {"selection_score": (selection_inputs, selection_answers), "test_score": watched}
    train(student, rows, ["start_positions", "end_positions"], _objective, mean_f1, asked, settings, seed)
    return student


def _targets(window: Window, answer: tuple[int, list[str]]) -> dict:
    start, texts = answer
    first, last = window.place(start, start + len(texts[0]))
    return {"start_positions": first, "end_positions": last}


def _objective(output, targets):
    sides = (output.start_logits.float(), output.end_logits.float())
    truth = (targets["start_positions"], targets["end_positions"])
    losses = [cross_entropy(logits, places) for logits, places in zip(sides, truth, strict=True)]
    hits = [logits.argmax(-1) == places for logits, places in zip(sides, truth, strict=True)]
    return sum(losses) / 2, hits[0] & hits[1]
