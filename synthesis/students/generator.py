"""A student that answers with a text: it fine-tunes an encoder-decoder, or a causal model.

Its loss is that of the answers' tokens. While it is trained it is examined by how likely it finds the answers of the
selection rows, which costs a pass over them and writes nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import cross_entropy
from transformers import GenerationConfig, PreTrainedModel

from synthesis import UserError
from synthesis.decoding.batch import Batch, Row
from synthesis.decoding.decoder import Decoder
from synthesis.decoding.sampling import Likeliest
from synthesis.encoding.forward import pad
from synthesis.models.load import load_writer
from synthesis.students.base import Examples, Lesson
from synthesis.training.loop import Course, Trained, accelerator, repeatable, train
from synthesis.training.turns import IGNORED, Conversation, Translation, Turns

ANSWERS = ("text",)
BATCH = 32  # rows that are written, or examined, at once
GPU_BATCH = 128


@dataclass
class Generator(Trained):
    """A fine-tuned model that writes. See students.base.Student for the fields they share.

    lora: whether it learned by adapters, which are part of its weights by now.
    """

    model: PreTrainedModel
    turns: Turns
    beams: int = 1
    lora: bool = False
    names: list[str] = field(default_factory=list)
    records: int = 0
    tokens: int = 0
    step: int = 0
    curve: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def tokenizer(self):
        return self.turns.tokenizer

    @property
    def pipeline(self) -> str | None:
        """What of transformers loads the folder that `save` writes: for an encoder-decoder there is no pipeline."""
        return None if self.model.config.is_encoder_decoder else "text-generation"

    def call(self, source: str) -> str | list[dict]:
        """What that is called with."""
        return [{"role": "user", "content": source}] if self.tokenizer.chat_template else f"{source}\n"

    @property
    def parameters(self) -> int:
        """Half of an encoder-decoder's: a token passes through one of its sides (Brown et al., 2020, appendix D)."""
        count = self.model.num_parameters()
        return count // 2 if self.model.config.is_encoder_decoder else count

    @property
    def flops(self) -> int:
        """6 a parameter and token, as `Trained`; 4 where adapters learn, as other weights have no gradients."""
        return (4 if self.lora else 6) * self.parameters * self.tokens

    def predict(self, inputs: list[str]) -> list[tuple[str, float]]:
        """Return for each source the text that is written, and the geometric mean of its tokens' probabilities.

        The likeliest token comes next, or `beams` texts are searched side by side. What else is written beside a text
        changes no more than the rounding of sums.
        """
        asked = self.turns.asked(inputs)
        self._settle()
        told, chances = self._write(asked) if self._side_by_side else self._search(asked)
        means = [chance / len(tokens) for tokens, chance in zip(told, chances, strict=True)]
        return [(self.turns.text(tokens), float(np.exp(mean))) for tokens, mean in zip(told, means, strict=True)]

    @property
    def _side_by_side(self) -> bool:
        return self.beams == 1 and not self.model.config.is_encoder_decoder and Decoder.knows(self.model)

    def _write(self, asked: list[list[int]]) -> tuple[list[list[int]], list[float]]:
        """The tokens of the answers, and the logarithms of their probabilities."""
        likeliest = Likeliest()
        batch = Batch(Decoder(self.model, min(self._size, len(asked)), likeliest))
        rows = [Row(tokens, self.turns.longest) for tokens in asked]
        chances = dict.fromkeys(rows, 0.0)
        batch.add(rows)
        while batch.busy:
            for place, row in batch.step():
                chances[row] += likeliest.log_probabilities[place]
                if row.tokens[-1] in self.turns.ends or len(row.tokens) == row.limit:
                    batch.end(place)
        return [row.tokens for row in rows], list(chances.values())

    @torch.inference_mode()
    def _search(self, asked: list[list[int]]) -> tuple[list[list[int]], np.ndarray]:
        """The same by `generate`, a batch after the other."""
        told = [[]] * len(asked)
        for rows in self._batches([len(tokens) for tokens in asked], max(1, self._size // self.beams)):
            sources = {"input_ids": [asked[row] for row in rows]}
            padded = self.tokenizer.pad(sources, padding_side=self.turns.side, return_tensors="pt")
            sequences = self.model.generate(**padded.to(self.model.device))
            before = 1 if self.model.config.is_encoder_decoder else padded["input_ids"].shape[1]
            for row, tokens in zip(rows, sequences[:, before:].tolist(), strict=True):
                told[row] = self.turns.written(tokens)
        return told, self.log_likelihoods(asked, told)

    @torch.inference_mode()
    def log_likelihoods(self, asked: list[list[int]], told: list[list[int]]) -> np.ndarray:
        """The logarithm of the probability of each answer, (rows,), both given as tokens."""
        self._settle()
        result = np.zeros(len(asked))
        lengths = [len(source) + len(answer) for source, answer in zip(asked, told, strict=True)]
        for places in self._batches(lengths, self._size):
            rows, targets = self.turns.exchanges([asked[place] for place in places], [told[place] for place in places])
            targets = {name: torch.from_numpy(column).to(self.model.device) for name, column in targets.items()}
            logits = self.turns.ask(self.model, pad(self.tokenizer, rows, self.model.device), targets)
            labels = targets["labels"]
            losses = cross_entropy(
                logits.float().flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="none"
            )
            result[places] = -losses.double().reshape(labels.shape).sum(1).cpu().numpy()
        return result

    def _settle(self) -> None:
        """No dropout; products in float32, which a GPU rounds to TF32, as in encoding/forward.py."""
        self.model.eval()
        torch.backends.cuda.matmul.fp32_precision = "tf32"

    @property
    def _size(self) -> int:
        return GPU_BATCH if self.model.device.type == "cuda" else BATCH

    @staticmethod
    def _batches(lengths: list[int], size: int) -> list[list[int]]:
        """Rows of like length, the longest first: what comes first needs the most memory."""
        order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
        return [order[start : start + size] for start in range(0, len(order), size)]

    def save(self, folder) -> None:
        """Write a folder that `AutoModelForSeq2SeqLM` or `AutoModelForCausalLM` and its tokenizer load."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


def load(folder) -> Generator:
    """Return the student that `Generator.save` wrote to `folder`, to predict again."""
    model = load_writer(str(folder))
    settings = model.generation_config
    turns = _turns(model)(model, str(folder), settings.max_new_tokens)
    return Generator(model.to(accelerator()), turns, settings.num_beams or 1)


def _turns(model) -> type[Turns]:
    return Translation if model.config.is_encoder_decoder else Conversation


def fit(lesson: Lesson) -> list[Generator]:
    """Fine-tune the published weights of the model, and keep those that find the answers of selection rows likeliest.

    Inputs are sources, goals all right answers of each, which are learned in turn, so that a source with many counts no
    more than one with a single answer. The score is the likelihood of a token, in the geometric mean over all tokens of
    the first answers. What is longer than `max_tokens`, or than the model can read, is cut off the source, and off the
    answer what is longer than `max_new_tokens`. Of texts that are replayed each token is learned.

    The same seeds give the same students on the same machine. Raises UserError when the model cannot be loaded or is
    none that writes.
    """
    return teach([_fresh(lesson.settings, seed) for seed in lesson.seeds], lesson)


def teach(
    students: list[Generator], lesson: Lesson, objective: Callable | None = None, score: Callable | None = None
) -> list[Generator]:
    """Fine-tune these students, one for each of the lesson's seeds, as `fit` does. Adapters become part of the weights.

    All of them are the same model with the same turns. objective, score: as those of a Course, in the place of their
    own, by which each token counts alike.
    """
    turns = students[0].turns

    def answered(examples: Examples) -> tuple[list, list]:
        return turns.asked(examples.inputs), turns.told([answers[0] for answers in examples.goals])

    versions = [len(answers) for answers in lesson.learned.goals]
    pairs = zip(turns.asked(lesson.learned.inputs), versions, strict=True)
    asked = [tokens for tokens, count in pairs for _ in range(count)]
    told = turns.told([answer for answers in lesson.learned.goals for answer in answers])
    if texts := turns.recited(list(lesson.replay)):
        asked, told = ([*rows, *more] for rows, more in zip((asked, told), zip(*texts, strict=True), strict=True))
        versions += [1] * len(texts)
    rows, targets = turns.exchanges(asked, told)
    exams = {"selection_score": answered(lesson.selection), "test_score": answered(lesson.watched)}
    said = [len(tokens) for tokens in told]
    course = Course(
        rows, targets, objective or _objective, exams, score or _likelihood, turns.ask, said=said, versions=versions
    )
    train(students, course, lesson)
    for student in students:
        if student.lora:
            student.model = student.model.merge_and_unload()
    return students


def _fresh(settings, seed: int) -> Generator:
    model = load_writer(settings.model)
    turns = _turns(model)(model, settings.model, settings.max_new_tokens, settings.max_tokens)
    known = model.generation_config
    # Of what the published model writes by, only its marks: it may ask for long summaries, or draw.
    model.generation_config = GenerationConfig(
        max_new_tokens=settings.max_new_tokens,
        num_beams=settings.beams,
        do_sample=False,
        pad_token_id=turns.tokenizer.pad_token_id,
        bos_token_id=known.bos_token_id,
        eos_token_id=sorted(turns.ends),
        decoder_start_token_id=turns.start,
        forced_bos_token_id=known.forced_bos_token_id,
    )
    repeatable(seed)  # before the adapters, which start at random
    if settings.lora:
        model = with_adapters(model, settings)
    return Generator(model, turns, settings.beams, bool(settings.lora))


def with_adapters(model, settings, key: str = "student.lora"):
    """The model with adapters in all its linear layers (Hu et al., 2022; Dettmers et al., 2023), which alone learn.

    key: the parameter that asks for them. Raises UserError when the model has no such layers.
    """
    from peft import LoraConfig, get_peft_model

    adapters = LoraConfig(r=settings.lora, lora_alpha=2 * settings.lora, target_modules="all-linear")
    try:
        with warnings.catch_warnings(action="ignore"):  # of GPT-2, whose layers are stored the other way round
            return get_peft_model(model, adapters)
    except ValueError as error:
        reason = next(iter(str(error).splitlines()), "").rstrip(".")
        raise UserError(
            f"{key}: `{settings.model}` has no layers that adapters can be put into; leave it empty ({reason})"
        ) from error


def _objective(logits, targets):
    logits, labels = logits.float(), targets["labels"]
    counted = labels != IGNORED
    right = (logits.argmax(-1) == labels) & counted
    return cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED), right.sum(1) / counted.sum(1)


def _likelihood(student: Generator, asked: list, told: list) -> float:
    return float(np.exp(student.log_likelihoods(asked, told).sum() / sum(map(len, told))))
