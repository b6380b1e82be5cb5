"""What the teacher is asked, what it answers, and how a call can fail."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Request:
    """One question to the teacher.

    `slots` are the variables that the prompt shows, and only those: a teacher that follows rules
    instead of reading prose (`template`) thus knows no more than an LLM would.
    Equal requests of one `ask` are samples of one another, counted from `sample`: a later round that
    asks the same again starts higher to get another answer than the stored one.
    """

    step: str  # rationale, seed or extrapolate
    prompt: str
    slots: dict = field(default_factory=dict)
    sample: int = 0


@dataclass(frozen=True)
class Reply:
    """One answer as the provider gave it, before any cleaning."""

    text: str
    finish: str = "stop"  # the API's finish_reason
    tokens_in: int = 0
    tokens_out: int = 0
    model: str = ""
    headers: Mapping = field(default_factory=dict, repr=False, compare=False)  # rate limits stand here; never stored


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


class Provider(Protocol):
    """Who answers: the module of this folder that `teacher.provider` names, made by its `provider(params, task)`."""

    concurrency: int  # answers that are in the making at once
    stored: bool  # whether answers are worth keeping in the response store
    price: tuple[float, float] | None  # dollars for a token of the prompt and of the answer, None when unknown

    def body(self, request: Request) -> dict:
        """The exact request: all that the answer depends on, and nothing else."""

    async def answer(self, body: dict, sample: int, attempt: int) -> Reply:
        """One call. Raises Failed, Rejected, or UserError to stop the run; waiting and trying again is not its part."""

    async def close(self) -> None:
        """Free what it holds."""


class Rejected(Exception):
    """This request cannot be answered; others can. The message becomes the answer's `rejected`."""


class Failed(Exception):
    """This call failed; another may not.

    `limited`: the endpoint asks to slow down. `sent`: it may have been answered, and billed, all the same.
    `fatal`: nothing was answered yet, so that the settings are to blame if it fails again.
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
