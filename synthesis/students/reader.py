"""A reader that fine-tunes an encoder with a fresh head for where an answer starts and where it ends.

A context that is too long for the encoder is cut into windows that overlap, and the likeliest span is read back from
the logits of all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import cross_entropy, pad
from transformers import AutoModelForQuestionAnswering, PreTrainedModel, PreTrainedTokenizerBase

from synthesis import UserError
from synthesis.encoding.forward import forward
from synthesis.models.load import load_model, load_tokenizer
from synthesis.students.base import Examples, Graph, Lesson
from synthesis.students.spans import Window, best_span, shares
from synthesis.tasks import squad
from synthesis.training.loop import Course, Trained, accelerator, repeatable, train

ANSWERS = ("span",)
SHORTEST_WINDOW = 32  # tokens, for a question and what is left of the context


@dataclass
class Reader(Trained):
    """A fine-tuned encoder. See students.base.Student for the fields they share."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    records: int = 0
    tokens: int = 0
    step: int = 0
    curve: pd.DataFrame = field(default_factory=pd.DataFrame)

    def predict(self, inputs) -> list[tuple[str, int, float]]:
        """Return for each (question, context) the answer, where it starts in the context, and its probability."""
        return self.answer(windows(self.tokenizer, inputs), [context for _, context in inputs])

    def answer(self, cut: list[Window], contexts: list[str]) -> list[tuple[str, int, float]]:
        """Return the answers in contexts that have been cut into windows."""
        width = self.tokenizer.model_max_length

        def head(output, _):
            sides = (output.start_logits, output.end_logits)
            return pad(torch.stack(sides, dim=1), (0, width - sides[0].shape[1])).flatten(1)

        logits = forward(self.model, self.tokenizer, [window.tokens for window in cut], 2 * width, head)
        found = [[] for _ in contexts]
        for window, (starts, ends) in zip(cut, logits.reshape(-1, 2, width), strict=True):
            found[window.row].append((window, starts, ends))
        return [best_span(context, seen) for context, seen in zip(contexts, found, strict=True)]

    def graph(self) -> Graph:
        return Graph(self.model, self.tokenizer, encode="windows", outputs=("start_logits", "end_logits"))

    def save(self, folder) -> None:
        """Write a folder that `AutoModelForQuestionAnswering.from_pretrained` and its tokenizer load."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


def load(folder) -> Reader:
    """Return the student that `Reader.save` wrote to `folder`, to predict again."""
    model = load_model(AutoModelForQuestionAnswering, str(folder)).to(accelerator())
    return Reader(model, load_tokenizer(str(folder)))


def fit(lesson: Lesson) -> list[Reader]:
    """Fine-tune the published weights of the model and keep those with the best F1 on the selection rows.

    Inputs are (question, context) pairs, goals (start, texts), the first text being the one that starts there. A
    context that is longer than `max_tokens` is read in windows that overlap; in those that do not hold the whole answer
    the target is the first token, as in BERT's reader of SQuAD (Devlin et al., 2019).

    The same seeds give the same students on the same machine. Raises UserError when the model cannot be loaded.
    """
    settings, goals = lesson.settings, lesson.learned.goals
    tokenizer = load_tokenizer(settings.model, settings.max_tokens)

    def fresh(seed: int) -> Reader:
        repeatable(seed)  # before the model: its head starts at random
        return Reader(load_model(AutoModelForQuestionAnswering, settings.model), tokenizer)

    def answered(examples: Examples) -> tuple[list[Window], Examples]:
        return windows(tokenizer, examples.inputs), examples

    cut = windows(tokenizer, lesson.learned.inputs)
    targets = pd.DataFrame([_targets(window, goals[window.row]) for window in cut]).to_dict("list")
    asked = {"selection_score": answered(lesson.selection), "test_score": answered(lesson.watched)}
    students = [fresh(seed) for seed in lesson.seeds]
    train(students, Course([window.tokens for window in cut], targets, _objective, asked, _mean_f1), lesson)
    return students


def _mean_f1(student: Reader, cut: list[Window], asked: Examples) -> float:
    answers = student.answer(cut, [context for _, context in asked.inputs])
    pairs = zip(answers, asked.goals, strict=True)
    return float(np.mean([squad.f1(text, texts) for (text, _, _), (_, texts) in pairs]))


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


# Windows


def windows(tokenizer, inputs: list[tuple[str, str]]) -> list[Window]:
    """Cut (question, context) pairs into windows of the tokenizer's length, a quarter of which the next one repeats.

    A question keeps half of a window at most. Raises UserError when windows would be too short.
    """
    length = tokenizer.model_max_length
    if length < SHORTEST_WINDOW:
        raise UserError(
            f"student.max_tokens: a reader needs {SHORTEST_WINDOW} at least, for the question and its context"
        )
    if not inputs:
        return []
    questions, contexts = zip(*inputs, strict=True)
    room, overlap = shares(length)
    encoded = tokenizer(
        [_shortened(tokenizer, question, room) for question in questions],
        list(contexts),
        truncation="only_second",
        max_length=length,
        stride=overlap,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    rows = encoded.pop("overflow_to_sample_mapping")
    offsets = encoded.pop("offset_mapping")
    cut = []
    for number, row in enumerate(rows):
        places = np.array(offsets[number])
        places[[part != 1 for part in encoded.sequence_ids(number)]] = -1
        cut.append(Window(row, {name: column[number] for name, column in encoded.items()}, places))
    return cut


def _shortened(tokenizer, question: str, tokens: int) -> str:
    encoded = tokenizer(
        question, add_special_tokens=False, return_offsets_mapping=True, truncation=False, verbose=False
    )
    places = encoded["offset_mapping"]
    return question if len(places) <= tokens else question[: places[tokens - 1][1]]
