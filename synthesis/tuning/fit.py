"""A local teacher is fine-tuned: all of its weights, or adapters where it is large."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import torch
from scipy.special import softmax
from torch.nn.functional import cross_entropy

from synthesis import UserError
from synthesis.method.leaning import righted, weights
from synthesis.models.load import load_tokenizer, load_writer, room
from synthesis.params import Student as Settings
from synthesis.providers.transformers.likelihood import ended, log_likelihoods
from synthesis.providers.transformers.writer import OPTIONS, check, encode
from synthesis.run import Run
from synthesis.students.base import Examples, Lesson
from synthesis.students.generator import Generator, teach, with_adapters
from synthesis.teacher import plans
from synthesis.teacher.request import Request
from synthesis.training.loop import accelerator, repeatable
from synthesis.training.turns import IGNORED, Conversation
from synthesis.tuning.lessons import Exchange, counts, exchanges

LARGE = 500_000_000  # parameters from which on adapters learn, as all weights would need 16 bytes for each
RANK = 16  # of such adapters


class Chat(Conversation):
    """Those of a teacher: what it reads is exactly what it will be asked."""

    key = "teacher.model"

    def __init__(self, model, settings: Settings, system: str | None, options: dict):
        super().__init__(model, settings.model, settings.max_new_tokens)
        self.room = min(self.room, settings.max_tokens)
        self.system, self.options = system, options

    def asked(self, sources: list[str]) -> list[list[int]]:
        """The tokens of each prompt; none is cut."""
        chats = (Request("", prompt).messages(self.system) for prompt in sources)
        return [encode(self.tokenizer, chat, self.options, self.name) for chat in chats]


class Tuning:
    """A teacher that is being tuned.

    learned, selection: what it learns, and what picks its checkpoint. left_out: how many exchanges have no room.
    """

    def __init__(self, run: Run, gold: dict[str, pd.DataFrame], labels: list[str]):
        """Raises UserError when the model cannot be loaded, is no causal one, or nothing that it shall learn fits."""
        self.run, self.gold, self.labels, self.left_out = run, gold, labels, 0
        teacher = run.params.teacher
        model = load_writer(teacher.model, Chat.key)
        if model.config.is_encoder_decoder:
            raise UserError(
                f"{Chat.key}: `{teacher.model}` is an encoder-decoder, and a teacher must be a causal model"
            )
        check(teacher.model, model)
        self.settings = _settings(teacher, model)
        chat = Chat(model, self.settings, teacher.system, teacher.extra.get(OPTIONS, {}))
        repeatable(0)  # before the adapters, which start at random
        if self.settings.lora:
            model = with_adapters(model, self.settings, "teacher.tuning.lora")
        self.pupil = Generator(model.to(accelerator()), chat, lora=bool(self.settings.lora))
        self.learned, self.selection = (self._fitting(split) for split in ("validation", "selection"))

    def fit(self) -> dict:
        """Tune the teacher. Returns what it learned, what that cost, and how good it was before and after."""
        before = self.measure()
        lesson = Lesson(_examples(self.learned), self.settings, selection=_examples(self.selection))
        teach([self.pupil], lesson, _objective, _likelihood)
        self.pupil.model.to(torch.bfloat16).float()  # as it is kept
        after = self.measure()
        if after["likelihood"] <= before["likelihood"]:
            print(
                "warning: the tuned teacher finds selection rows no likelier than before: lower "
                "teacher.tuning.learning_rate, or give it more gold rows",
                file=sys.stderr,
            )
        return {
            "learned": counts(self.learned),
            "selection": counts(self.selection),
            "left_out": self.left_out,
            **{name: getattr(self.pupil, name) for name in ("step", "records", "tokens", "flops")},
            **{name: {"before": before[name], "after": after[name]} for name in before},
        }

    def measure(self) -> dict[str, float]:
        """On selection rows, the likelihood of answers as `_likelihood` has it; and of a kind with labels the share of
        rows that it labels as they are, by the likeliest answer to a verification prompt once its leaning is away; rows
        for whose prompt the model has no room do not count."""
        turns = self.pupil.turns
        asked = turns.asked([each.request.prompt for each in self.selection])
        scores = {"likelihood": _likelihood(self.pupil, asked, turns.told([each.answer for each in self.selection]))}
        if self.labels:
            rows = self.gold["selection"].to_dict("records")
            asked = turns.asked([request.prompt for request in plans.verification(self.run, rows, self.labels)])
            told = ended(turns.spoken(self.run.task.words(self.labels)), turns.end)
            shares = softmax(log_likelihoods(self.pupil.model.eval(), asked, told), axis=1)
            leaning = weights(shares, self.gold["validation"].label.tolist(), self.labels)
            found = np.array(self.labels)[righted(shares, leaning).argmax(1)]
            known = np.isfinite(shares).all(axis=1)
            right = (found == self.gold["selection"].label)[known]
            scores["accuracy"] = float(right.mean()) if known.any() else 0.0
        return {name: round(score, 4) for name, score in scores.items()}

    def save(self, folder) -> None:
        """Write a folder that the provider `transformers` loads, in bfloat16."""
        self.pupil.model.to(torch.bfloat16).save_pretrained(folder)
        load_tokenizer(self.settings.model, padded=False).save_pretrained(folder)

    def _fitting(self, split: str) -> list[Exchange]:
        """What a split teaches, but for what has no room: it would be cut when the teacher is asked, or cost too much.

        A warning says so. Raises UserError when nothing is left.
        """
        found, turns = exchanges(self.run, self.gold[split], self.labels), self.pupil.turns
        asked = turns.asked([each.request.prompt for each in found])
        told = turns.spoken([each.answer for each in found])
        fits = [len(one) <= turns.room and len(other) < turns.longest for one, other in zip(asked, told, strict=True)]
        kept = [each for each, fit in zip(found, fits, strict=True) if fit]
        if len(kept) < len(found):
            self.left_out += len(found) - len(kept)
            told = f"{len(found) - len(kept)} of {len(found)} exchanges of {split} rows"
            ways = (
                f"are left out, as their prompts have more than {turns.room} tokens (teacher.tuning.max_tokens), or "
                f"their answers {turns.longest} or more (teacher.max_tokens)"
            )
            if not kept:
                raise UserError(f"{told} {ways}: raise these")
            print(f"warning: {told} {ways}", file=sys.stderr)
        return kept


def _settings(teacher, model) -> Settings:
    """The teacher's settings as those of a student that writes."""
    tuning, large = teacher.tuning, model.num_parameters() > LARGE
    limit = room(model)
    longest = min(teacher.max_tokens or limit // 2, limit // 2)
    return Settings(
        kind="generator",
        model=teacher.model,
        max_tokens=min(tuning.max_tokens, limit - longest),
        seeds=1,
        steps=tuning.steps,
        min_epochs=0,
        batch=tuning.batch,
        learning_rate=tuning.learning_rate,
        warmup=0.1,
        weight_decay=0.01,
        max_new_tokens=longest,
        lora=(RANK if large else None) if tuning.lora is None else tuning.lora or None,
    )


def _examples(exchanges: list[Exchange]) -> Examples:
    return Examples([each.request.prompt for each in exchanges], [[each.answer] for each in exchanges])


def _objective(logits, targets):
    """The mean loss over answers, of each the mean over its tokens: a label counts as much as a text."""
    logits, labels = logits.float(), targets["labels"]
    counted = labels != IGNORED
    losses = cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="none")
    right = (logits.argmax(-1) == labels) & counted
    return (losses.reshape(labels.shape).sum(1) / counted.sum(1)).mean(), right.sum(1) / counted.sum(1)


def _likelihood(pupil: Generator, asked: list, told: list) -> float:
    """How likely answers are, in the geometric mean over them; of each the geometric mean over its tokens."""
    return float(np.exp((pupil.log_likelihoods(asked, told) / [len(answer) for answer in told]).mean()))
