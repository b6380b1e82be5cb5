"""How a source, and the text that answers it, become tokens, and how a model is asked what it would say.

An encoder-decoder reads the source and writes the answer. A causal model goes on with one text: the turns of a chat by
its own template, or without one the source and, on the next line, the answer.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from synthesis import UserError
from synthesis.models.load import load_tokenizer, room

IGNORED = -100  # what fills up the targets, by which no loss is counted


class Turns:
    """Sources and answers of one model.

    room: tokens of a source at most, with all that stands around it. longest: tokens of an answer, its end among them.
    end: the token that ends an answer that is learned; ends: those that end one that is written. start: what a decoder
    begins with.
    """

    key: ClassVar[str] = "student.model"  # the parameter that names the model
    side: ClassVar[str]  # on which sources are padded when the model writes
    start: int | None = None

    def __init__(self, model, name: str, max_new_tokens: int, max_tokens: int | None = None):
        """name: of the model. max_tokens: of a source; None: as many as its tokenizer says.

        Raises UserError when the model has no token that ends a text, or not the room that is asked for.
        """
        self.name, self.longest = name, max_new_tokens
        self.tokenizer = load_tokenizer(name, max_tokens, padded=False)
        known = model.generation_config.eos_token_id
        known = known if isinstance(known, list) else [known]
        self.ends = {token for token in (self.tokenizer.eos_token_id, *known) if token is not None}
        if not self.ends:
            raise UserError(
                f"{self.key}: `{self.name}` has no end-of-text token, so its texts would never end; name another"
            )
        self.end = next(token for token in (self.tokenizer.eos_token_id, *known) if token is not None)
        if self.tokenizer.pad_token is None:  # any will do: what is padded is masked
            self.tokenizer.pad_token = self.tokenizer.convert_ids_to_tokens(self.end)
        limit = room(model)
        self.room = min(self.tokenizer.model_max_length, self._left(limit))
        if self.room < 1 or self.longest > limit:
            raise UserError(f"student.max_new_tokens: `{self.name}` reads and writes {limit} tokens at most; lower it")

    def asked(self, sources: list[str]) -> list[list[int]]:
        """The tokens that each source is read as, cut where they are too many."""
        raise NotImplementedError

    def told(self, answers: list[str]) -> list[list[int]]:
        """The tokens of each answer, with the one that ends it, cut where they are too many."""
        ended = [
            tokens if tokens and tokens[-1] in self.ends else [*tokens, self.end] for tokens in self.spoken(answers)
        ]
        return [tokens[: self.longest] for tokens in ended]

    def recited(self, texts: list[str]) -> list[tuple[list[int], list[int]]]:
        """Of each text the first token, and the others as the answer to it, cut where they are too many.

        So all tokens but the first are learned. A text of one token is left out. Raises UserError for a model that does
        not go on with a text.
        """
        raise NotImplementedError

    def text(self, tokens: list[int]) -> str:
        """The answer that the tokens say."""
        return self.tokenizer.decode(tokens, skip_special_tokens=True).strip()

    def written(self, tokens: list[int]) -> list[int]:
        """The tokens up to the first that ends an answer, with it."""
        return tokens[: next((place for place, token in enumerate(tokens, 1) if token in self.ends), None)]

    def _left(self, limit: int) -> int:
        """Tokens of `limit` that are left for a source."""
        raise NotImplementedError

    def spoken(self, answers: list[str]) -> list[list[int]]:
        raise NotImplementedError


class Translation(Turns):
    """Those of an encoder-decoder."""

    side = "right"

    def __init__(self, model, *settings):
        super().__init__(model, *settings)
        config = model.generation_config
        starts = config.decoder_start_token_id, config.bos_token_id, self.tokenizer.pad_token_id
        self.start = next(token for token in starts if token is not None)

    def asked(self, sources):
        return self.tokenizer(sources, truncation=True, max_length=self.room).input_ids if sources else []

    def exchanges(self, asked: list[list[int]], told: list[list[int]]) -> tuple[list[dict], dict[str, np.ndarray]]:
        """What the model reads of each row, and the targets: (rows, tokens) what its decoder reads, and should say."""
        shifted = [[self.start, *tokens[:-1]] for tokens in told]
        return read(asked), {"labels": filled(told, IGNORED), "shifted": filled(shifted, self.tokenizer.pad_token_id)}

    def recited(self, texts):
        if texts:
            raise UserError(
                f"method.replay: `{self.name}` is an encoder-decoder, which goes on with no text: leave it out"
            )
        return []

    @staticmethod
    def ask(model, inputs: dict, targets: dict) -> torch.Tensor:
        """The logits of each token of the answers, (batch, tokens, vocabulary)."""
        return model(**inputs, decoder_input_ids=targets["shifted"], use_cache=False).logits

    def _left(self, limit):
        return limit

    def spoken(self, answers):
        return self.tokenizer(text_target=answers, truncation=False).input_ids if answers else []


class Conversation(Turns):
    """Those of a causal model."""

    side = "left"

    def asked(self, sources):
        if not sources:
            return []
        read = self._tokens([self._around(source) for source in sources])
        return [
            tokens if len(tokens) <= self.room else self._cut(source, tokens)
            for source, tokens in zip(sources, read, strict=True)
        ]

    def recited(self, texts):
        return [(tokens[:1], tokens[1 : self.room]) for tokens in self.spoken(texts) if len(tokens) > 1]

    def exchanges(self, asked: list[list[int]], told: list[list[int]]) -> tuple[list[dict], dict[str, np.ndarray]]:
        """What the model reads of each row, and the targets: (rows, tokens) what it should say, and where it starts."""
        rows = [[*source, *answer[:-1]] for source, answer in zip(asked, told, strict=True)]
        return read(rows), {"labels": filled(told, IGNORED), "starts": np.array([len(source) - 1 for source in asked])}

    @staticmethod
    def ask(model, inputs: dict, targets: dict) -> torch.Tensor:
        """The logits of each token of the answers, (batch, tokens, vocabulary).

        Those of the sources, for which nobody asks, would cost as much again: the last layer sees the answers alone.
        """
        (batch, width), labels = inputs["input_ids"].shape, targets["labels"]
        steps, rows = (torch.arange(count, device=labels.device) for count in (labels.shape[1], batch))
        places = (targets["starts"][:, None] + steps).clamp(max=width - 1)  # beyond a shorter answer nothing counts
        places = (places + width * rows[:, None]).flatten()

        def chosen(_, given):
            return given[0].flatten(0, 1).index_select(0, places).unflatten(0, labels.shape)

        hook = model.get_output_embeddings().register_forward_pre_hook(chosen)
        try:
            return model(**inputs, use_cache=False).logits
        finally:
            hook.remove()

    def _left(self, limit):
        return limit - self.longest

    def spoken(self, answers):
        return self.tokenizer(answers, add_special_tokens=False, truncation=False).input_ids if answers else []

    def _around(self, source: str) -> str:
        """All that the model reads before it answers."""
        if not self.tokenizer.chat_template:
            return f"{source}\n"
        from jinja2 import TemplateError

        try:
            turn = [{"role": "user", "content": source}]
            return self.tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
        except TemplateError as error:
            raise UserError(
                f"student.model: the chat template of `{self.name}` fails: {' '.join(str(error).split())}"
            ) from None

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        marks = not self.tokenizer.chat_template  # a template writes its own
        rows = self.tokenizer(texts, add_special_tokens=marks, truncation=False).input_ids
        return [tokens or [self.end] for tokens in rows]

    def _cut(self, source: str, tokens: list[int]) -> list[int]:
        """The tokens of as much of the source as there is room for."""
        while (over := len(tokens) - self.room) > 0:
            if not source:
                raise UserError(
                    f"student.max_tokens: what `{self.name}` reads around a source has {len(tokens)} tokens, and there "
                    f"is room for {self.room}"
                )
            encoded = self.tokenizer(source, add_special_tokens=False, return_offsets_mapping=True, truncation=False)
            places = encoded["offset_mapping"]
            left = len(places) - over
            source = source[: min(places[left][0], len(source) - 1)] if left > 0 else ""
            [tokens] = self._tokens([self._around(source)])
        return tokens


def read(rows: list[list[int]]) -> list[dict[str, list[int]]]:
    """Rows of tokens as a model is given them, not padded."""
    return [{"input_ids": tokens, "attention_mask": [1] * len(tokens)} for tokens in rows]


def filled(rows: list[list[int]], filling: int) -> np.ndarray:
    """Rows of tokens as a table, (rows, longest), filled up on the right."""
    table = np.full((len(rows), max(map(len, rows), default=0)), filling)
    for row, tokens in zip(table, rows, strict=True):
        row[: len(tokens)] = tokens
    return table
