"""The local model at work: from chats to tokens, from tokens to texts."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from synthesis import UserError
from synthesis.decoding import batch
from synthesis.models.load import has_bfloat16, loading, locate, room
from synthesis.teacher.request import Rejected, Reply

if TYPE_CHECKING:
    import torch

OPTIONS = "chat_template_kwargs"  # the only field of teacher.extra that means something here


@dataclass(eq=False)
class Row(batch.Row):
    """An answer in the making."""

    body: dict = field(default_factory=dict)
    done: asyncio.Future | None = None


class Writer:
    """The loaded model, with room for `size` rows at once. Raises UserError when it cannot be used."""

    def __init__(self, model: str, size: int, temperature: float, top_p: float):
        from synthesis.decoding.decoder import Decoder
        from synthesis.decoding.sampling import Sampling

        self.name, self.size = model, size
        self.tokenizer, weights, self.room = load(model)
        self.batch = batch.Batch(Decoder(weights, size, Sampling(temperature, top_p)))
        ends = weights.generation_config.eos_token_id
        ends = self.tokenizer.eos_token_id if ends is None else ends
        self.ends = {ends} if isinstance(ends, int) else set(ends or ())
        self.closing: dict[str, set[int]] = {}  # the tokens that a stop string can end with
        self.written, self.began = 0, time.monotonic()

    @property
    def rate(self) -> float:
        """Tokens a second, since the model was loaded."""
        return self.written / (time.monotonic() - self.began)

    @property
    def busy(self) -> bool:
        """Whether there are rows that have not ended."""
        return self.batch.busy

    def tokens(self, body: dict) -> list[int]:
        """The prompt as the model reads it. Raises Rejected when it is too long."""
        tokens = encode(self.tokenizer, body["messages"], body.get(OPTIONS, {}), self.name)
        if len(tokens) >= self.room:
            raise Rejected(f"the prompt has {len(tokens):,} tokens, and {self.name} reads less than {self.room:,}")
        return tokens

    def step(self, new: list[Row]) -> list[tuple[Row, Reply | Rejected]]:
        """Take in new rows, write one token of as many as there is room for, and return those that have ended.

        Raises UserError when the rows do not fit into the memory.
        """
        import torch

        ended, waiting = [], []
        for row in new:
            try:
                row.prompt = self.tokens(row.body)
            except Rejected as rejected:
                ended.append((row, rejected))
            else:
                room = self.room - len(row.prompt)
                row.limit = min(row.body["max_tokens"] or room, room)
                waiting.append(row)
        if waiting:
            self.batch.add(waiting)
        try:
            return ended + self._write()
        except torch.OutOfMemoryError:
            raise UserError(
                f"{self.size} rows at once do not fit into the memory: lower asking.concurrency or teacher.max_tokens"
            ) from None

    def _write(self) -> list[tuple[Row, Reply]]:
        """One token of each row."""
        ended = []
        for place, row in self.batch.step():
            self.written += 1
            if reply := self._reply(row):
                ended.append((row, reply))
                self.batch.end(place)
        return ended

    def _reply(self, row: Row) -> Reply | None:
        """The row's answer if its last token ends it: by the model's mark, a stop string or the limit."""
        last, stops = row.tokens[-1], row.body.get("stop", ())
        ended, full = last in self.ends, len(row.tokens) == row.limit
        if not (ended or full or any(last in self._closing(stop[-1]) for stop in stops)):
            return None
        text = self.tokenizer.decode(row.tokens[:-1] if ended else row.tokens, skip_special_tokens=True)
        cut = min((text.index(stop) for stop in stops if stop in text), default=None)
        if not (ended or full) and cut is None:
            return None
        finish = "stop" if ended or cut is not None else "length"
        return Reply(text[:cut].replace("\0", ""), finish, len(row.prompt), len(row.tokens), row.body["model"])

    def _closing(self, letter: str) -> set[int]:
        """The tokens whose text has the letter, or part of one: a stop string that ends so can end with no others."""
        if letter not in self.closing:
            texts = self.tokenizer.batch_decode([[token] for token in range(len(self.tokenizer))])
            self.closing[letter] = {token for token, text in enumerate(texts) if letter in text or "\ufffd" in text}
        return self.closing[letter]


def load(model: str) -> tuple:
    """The tokenizer, the model on the device where it works, and how many tokens it reads and writes at most.

    Raises UserError when it cannot be used.
    """
    import torch

    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.backends.cuda.enable_cudnn_sdp(False)  # it plans attention anew for every shape
    device, dtype = _hardware()
    with loading(model, "teacher.model") as options:
        place = locate(model)
        tokenizer = AutoTokenizer.from_pretrained(place, **options)
        weights = AutoModelForCausalLM.from_pretrained(place, dtype=dtype, **options)
    check(model, weights)
    return tokenizer, weights.to(device).eval(), room(weights)


def check(model: str, weights) -> None:
    """Raise UserError when rows of the model cannot be written side by side."""
    from synthesis.decoding.decoder import Decoder

    if not Decoder.knows(weights):
        raise UserError(
            f"teacher.model: `{model}` ({type(weights).__name__}) does not keep keys and values alone, so its rows "
            "cannot be written side by side: let a server run it (docs/teacher.md, A local endpoint)"
        )


def encode(tokenizer, messages: list[dict], options: dict, name: str) -> list[int]:
    """A chat as the model reads it, up to where its answer begins. Raises UserError when the chat template fails.

    options: what else the template is told. name: the model's, for the error.
    """
    if not tokenizer.chat_template:
        return tokenizer("\n\n".join(message["content"] for message in messages)).input_ids
    from jinja2 import TemplateError

    try:
        text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False, **options)
    except TemplateError as error:
        raise UserError(f"the chat template of {name}: {' '.join(str(error).split())}") from None
    return tokenizer(text, add_special_tokens=False).input_ids


def _hardware() -> tuple[torch.device, torch.dtype]:
    """The device, and the shortest type of numbers that it computes in."""
    import torch

    for name, there in (("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available())):
        if there:
            device = torch.device(name)
            return device, torch.bfloat16 if has_bfloat16(device) else torch.float16
    device = torch.device("cpu")
    return device, torch.bfloat16 if has_bfloat16(device) else torch.float32
