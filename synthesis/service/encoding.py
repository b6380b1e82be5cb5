"""How a text, or a pair of texts, becomes tokens of the library `tokenizers`: the ways that students.base.Graph names.

Each way takes a tokenizer, the most tokens that a row may have, the mark that parts texts, and the inputs; it returns
rows of tokens, as many as the model reads, and of each the input that it comes from.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from tokenizers import Encoding, Tokenizer

from synthesis.students.spans import Window, shares

FIELDS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}  # of an Encoding


def together(tokenizer: Tokenizer, length: int, mark: str, inputs: list) -> list[Window]:
    """A text, or both texts of a pair in a row; the longer one loses tokens first."""
    tokenizer.enable_truncation(length, strategy="longest_first")
    return [_row(number, encoding) for number, encoding in enumerate(tokenizer.encode_batch(inputs))]


def joined(tokenizer: Tokenizer, length: int, mark: str, inputs: list) -> list[Window]:
    """A text, or the texts of a pair as one."""
    texts = [text if isinstance(text, str) else f" {mark} ".join(text) for text in inputs]
    return together(tokenizer, length, mark, texts)


def apart(tokenizer: Tokenizer, length: int, mark: str, inputs: list) -> list[Window]:
    """The texts of a pair each for itself."""
    first, second = (together(tokenizer, length, mark, list(side)) for side in zip(*inputs, strict=True))
    return [
        Window(one.row, one.tokens | {f"second_{name}": ids for name, ids in other.tokens.items()}, one.offsets)
        for one, other in zip(first, second, strict=True)
    ]


def windows(tokenizer: Tokenizer, length: int, mark: str, inputs: list) -> list[Window]:
    """A question with each piece of its context, as synthesis.students.reader cuts them."""
    room, overlap = shares(length)
    tokenizer.no_truncation()
    asked = tokenizer.encode_batch([question for question, _ in inputs], add_special_tokens=False)
    questions = [
        question if len(encoding.ids) <= room else question[: encoding.offsets[room - 1][1]]
        for (question, _), encoding in zip(inputs, asked, strict=True)
    ]
    pairs = list(zip(questions, (context for _, context in inputs), strict=True))
    tokenizer.enable_truncation(length, stride=overlap, strategy="only_second")
    encoded = tokenizer.encode_batch(pairs)
    return [_row(number, piece) for number, whole in enumerate(encoded) for piece in (whole, *whole.overflowing)]


def _row(number: int, encoding: Encoding) -> Window:
    offsets = np.array(encoding.offsets).reshape(-1, 2)
    offsets[[part != 1 for part in encoding.sequence_ids]] = -1
    return Window(number, {name: getattr(encoding, field) for name, field in FIELDS.items()}, offsets)


WAYS: dict[str, Callable] = {way.__name__: way for way in (together, joined, apart, windows)}
