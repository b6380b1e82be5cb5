"""An OpenAI-compatible endpoint, whatever carries the calls: address, key, price, requests and what replies mean.

The environment's names are those of the official client: OPENAI_API_KEY, OPENAI_BASE_URL.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from math import inf
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

from synthesis import UserError
from synthesis.params import Params
from synthesis.teacher import budget, refusals
from synthesis.teacher.limits import PATIENCE, retry_after
from synthesis.teacher.request import Failed, Rejected, Reply, Request, digest, storable
from synthesis.teacher.store import default_path

DEFAULT_URL = "https://api.openai.com/v1"
KEPT = "What was answered is kept: `dvc repro` then asks for the rest only"
SHOWN = 200  # characters of what came instead of an answer


class Endpoint:
    """The endpoint that params.yaml names. Raises UserError when its address is none."""

    stored, news = True, ""
    way_out = "check asking.base_url, most end in /v1"

    def __init__(self, params: Params):
        self.settings, self.timeout = params.teacher, params.asking.timeout
        address = urlsplit(params.asking.base_url or os.environ.get("OPENAI_BASE_URL") or DEFAULT_URL)
        self.base_url = address._replace(query="", fragment="").geturl().rstrip("/")
        self.query = dict(parse_qsl(address.query))  # of every call: Azure's api-version
        if address.scheme not in ("http", "https") or not address.hostname or address.username:
            raise UserError(
                "asking.base_url (or OPENAI_BASE_URL) must be like https://host/v1, without a name or password"
            )
        self.price = budget.price(params.teacher.model, self.base_url)
        self.folder = Path(f"{default_path()}.batches") / quote(self.base_url, safe="")  # of open batches
        self.answered = False  # whether the endpoint ever gave an answer

    def body(self, request: Request) -> dict:
        """The JSON that is sent. A setting that is empty is left to the endpoint."""
        settings = self.settings
        sampling = {name: getattr(settings, name) for name in ("temperature", "top_p", "max_tokens")}
        return {
            "model": settings.model,
            "messages": request.messages(settings.system),
            **{name: value for name, value in sampling.items() if value is not None},
            **request.stop(settings.stop),
            **settings.extra,
        }

    def read(self, content: bytes, body: dict, headers: Mapping) -> Reply:
        """The reply to a body. Raises as `refusal` does when it holds an error, and Failed when it is no completion.

        What stands beside the text may be missing or odd: an answer that was paid for counts.
        """
        completion = _completion(content)
        choice = _first(completion.get("choices"))
        message = _dict(choice.get("message"))
        refusal = _text(message.get("refusal"))
        text = refusal or _text(message.get("content")) or _text(choice.get("text"))
        if error := choice.get("error") or (not text and completion.get("error")):
            error = refusals.error(json.dumps({"error": error}).encode())
            raise self.failure(refusals.status(error), error, headers, body, fatal=not self.answered)
        if not message and "text" not in choice:
            raise self._unreadable(content, headers)
        usage = _dict(completion.get("usage"))
        reasoning = _count(_dict(usage.get("completion_tokens_details")).get("reasoning_tokens"))
        counts = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
        self.answered = True
        finish = "refusal" if refusal else str(choice.get("finish_reason") or "stop")
        model = str(completion.get("model") or body["model"])
        return Reply(storable(text), finish, *counts, storable(model), reasoning, headers)

    def refusal(self, status: int, headers: Mapping, content: bytes, body: dict | None = None) -> Exception:
        """What an error status means: Failed for this call, Rejected for this row, UserError for the whole run."""
        return self.failure(status, refusals.error(content), headers, body or {})

    def failure(self, status: int | None, error: dict, headers: Mapping, body: dict, fatal: bool = False) -> Exception:
        """The same of an error that is read already. status: None where the endpoint gave none. fatal: see Failed."""
        text = f"{error.get('code')} {error.get('type')} {error.get('message')}"
        message = self.safe(error.get("message"))
        words = f"({status}): {message}" if status else f"with an error: {message}"
        if status == 401:
            return UserError(f"{self.base_url} refuses the key (401): check OPENAI_API_KEY. It says: {message}")
        if status == 429 and refusals.EMPTY.search(text):
            return UserError(f"{self.base_url}: the account's quota is used up {words}. {KEPT}")
        if status == 429 and refusals.DAILY.search(text) and not (retry_after(headers) or inf) < PATIENCE:
            return UserError(f"{self.base_url}: the daily quota is used up {words}. {KEPT}, on another day")
        if status and refusals.is_later(status):
            reason = f"{self.base_url} answered nothing but an error {words}" if fatal else f"{status}: {message}"
            return Failed(reason, limited=status == 429, headers=headers, fatal=fatal)
        if refusals.is_about_row(text, body.get("max_completion_tokens") or body.get("max_tokens")):
            return Rejected(f"refused by the endpoint {words}")
        if status is None and not refusals.ACCOUNT.search(text):
            reason = f"{self.base_url} answers {words} ({self.way_out})"
            return Failed(reason, headers=headers, fatal=fatal)
        return UserError(f"{self.base_url} refuses the request {words}; {refusals.advice(status, text)}. {KEPT}")

    def _unreadable(self, content: bytes, headers: Mapping) -> Failed:
        start = self.safe(content[:SHOWN].decode("utf-8", "replace") or "nothing")
        reason = f"{self.base_url} answered, but not with a chat completion. What came begins: {start}"
        if not self.answered:
            reason += f" ({self.way_out}, and that teacher.extra asks for no `stream`)"
        return Failed(reason, sent=self.answered, headers=headers, fatal=not self.answered)

    def safe(self, error) -> str:
        """One short line, without the key."""
        line, key = " ".join(str(error or "no reason given").split()), _key()
        if len(key) >= 20 or (len(key) >= 8 and not key.isalpha()):  # not the `none` of a server without keys
            line = line.replace(key, "***")
        return line[:300]


def name_of(body: dict, sample: int, attempt: int) -> str:
    """What a request is called in a batch: its key in the response store."""
    return f"{digest(body)}/{sample}/{attempt}"


def read_batch(file: Path) -> dict[str, dict]:
    """The requests of a batch; none when another process has put its answers into the store meanwhile."""
    try:
        with file.open(encoding="utf-8") as lines:
            return {entry["custom_id"]: entry["body"] for entry in map(json.loads, lines)}
    except FileNotFoundError:
        return {}


def read_key() -> str:
    """The endpoint's key, which only calls need: a run out of the response store works without one.

    Raises UserError when there is none.
    """
    if key := _key():
        return key
    raise UserError("OPENAI_API_KEY is not set: it holds the endpoint's key (any word for a server without keys)")


def _key() -> str:
    return os.environ.get("OPENAI_API_KEY", "").strip()


def _completion(content: bytes) -> dict:
    """The JSON object of a response; an empty one when it is something else."""
    try:
        return _dict(json.loads(content))
    except (ValueError, RecursionError):
        return {}


def _dict(value) -> dict:
    return value if isinstance(value, dict) else {}


def _first(values) -> dict:
    return _dict(values[0]) if isinstance(values, list) and values else {}


def _text(content) -> str:
    """A message's text; some endpoints send it in parts, of which those that hold something else are left out."""
    if isinstance(content, list):
        parts = (part if isinstance(part, str) else _dict(part).get("text") for part in content)
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _count(value) -> int | None:
    """A number of tokens; None when it is none."""
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return int(value) if type(value) in (int, float) and 0 <= value < inf else None
