"""What the teacher is asked, what it answers, and how a call can fail."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

PROVENANCE = ("request", "sample", "attempt", "prompt", "model", "rejected")  # of a synthetic row: see Answer


@dataclass(frozen=True)
class Request:
    """One question to the teacher.

    slots: the variables that the prompt shows, and only those, so that a teacher that follows rules instead of reading
    prose (the provider `template`) knows no more than an LLM would. sample: equal requests of one `Teacher.ask` are
    samples of one another, counted from here; a later round that asks the same again starts higher, to get another
    answer than the stored one. texts: how many texts the answer should have, as a list where they are several.
    """

    step: str  # the prompt file's name: rationale, seed, extrapolate, contrast or verify
    prompt: str
    slots: dict = field(default_factory=dict)
    sample: int = 0
    texts: int = 1

    @property
    def listed(self) -> bool:
        """Whether a list is asked for."""
        return self.texts > 1 or self.step == "rationale"

    @property
    def contrasted(self) -> bool:
        """Whether each text has a label of its own: the first the gold row's, the second the one it was taken for."""
        return self.step == "contrast"

    def messages(self, system: str | None) -> list[dict]:
        """The chat that asks it, after a system prompt if there is one."""
        opening = [{"role": "system", "content": system}] if system else []
        return [*opening, {"role": "user", "content": self.prompt}]

    def stop(self, strings: list[str]) -> dict:
        """The field `stop` of the body. A stop string would cut off the lines of a list."""
        return {"stop": strings} if strings and not self.listed else {}


@dataclass(frozen=True)
class Reply:
    """One answer as the provider gave it, before any cleaning."""

    text: str
    finish: str = "stop"  # the API's finish_reason
    tokens_in: int | None = 0  # None, like the two below, where the endpoint does not say
    tokens_out: int | None = 0
    model: str = ""
    tokens_reasoning: int | None = 0  # of tokens_out, those of thoughts that the endpoint keeps to itself
    headers: Mapping = field(default_factory=dict, repr=False, compare=False)  # rate limits stand here; never stored

    def tokens(self, size: int) -> tuple[int, int]:
        """Tokens in and out, at most: where the endpoint does not say, a token a byte. size: bytes of the request."""
        tokens_out = len(self.text.encode("utf-8", "replace")) if self.tokens_out is None else self.tokens_out
        return size if self.tokens_in is None else self.tokens_in, tokens_out


@dataclass(frozen=True)
class Answer:
    """A cleaned answer with its provenance. `rejected` holds the reason when it cannot be used."""

    text: str
    request: str  # key of the exact request; with sample and attempt that of the one answer in the response store
    sample: int
    attempt: int
    prompt: str  # hash of the rendered prompt
    model: str
    rejected: str | None = None
    item: int = 0  # the place in the answer's list, where it is one

    def provenance(self) -> dict:
        """What a row keeps of it: its key in the store, the prompt's hash, the model, and why it cannot be used."""
        return {name: getattr(self, name) for name in PROVENANCE} | {"rejected": self.rejected or ""}


# Takes an answer's text and its request; returns the text as the task wants it, and None or why it cannot be used.
Check = Callable[[str, Request], tuple[str, str | None]]


class Provider(Protocol):
    """Who answers. The folder of synthesis/providers that teacher.provider names makes one by its `provider(run)`.

    One that sees the probabilities of its model has also `log_likelihoods(requests, answers, title)`, a table of
    (requests, answers). One that other machines can ask as well as this one has also `anywhere`, which is true.
    """

    concurrency: int  # answers that are in the making at once
    stored: bool  # whether answers are worth keeping in the response store
    price: tuple[float, float] | None  # dollars for a token of the prompt and of the answer, None when unknown
    news: str  # of the work on answers that have not ended, for the line of progress; may be empty

    def body(self, request: Request) -> dict:
        """The exact request: all that the answer depends on, and nothing else."""

    async def answer(self, body: dict, sample: int, attempt: int) -> Reply:
        """One call. Raises Failed, Rejected, or UserError to stop the run; waiting and trying again is not its part."""

    async def close(self) -> None:
        """Free what it holds."""


class Rejected(Exception):
    """This request cannot be answered, but others can. The message becomes the answer's `rejected`."""


class Failed(Exception):
    """This call failed; the next one may succeed.

    limited: the endpoint asks to slow down. sent: the call may have been answered, and billed, all the same. fatal:
    nothing was answered yet, so that the settings are to blame if it fails again. headers: of the refusal.
    """

    def __init__(self, reason: str, *, limited=False, sent=False, fatal=False, headers: Mapping | None = None):
        super().__init__(reason)
        self.limited, self.sent, self.fatal, self.headers = limited, sent, fatal, headers or {}


def canonical(value) -> str:
    """JSON, the same for every order of its keys."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def sha256(text: str) -> str:
    """SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def digest(value) -> str:
    """SHA-256 of a JSON value, the same for every order of its keys."""
    return sha256(canonical(value))


def storable(text: str) -> str:
    """Without what neither SQLite nor Parquet can hold: NUL and halves of surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
