"""An OpenAI-compatible endpoint, whatever carries the calls: address, key, price, requests and what replies mean.

The environment's names are those of the official client: OPENAI_API_KEY, OPENAI_BASE_URL.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from synthesis import UserError
from synthesis.params import Params
from synthesis.teacher import budget
from synthesis.teacher.request import Failed, Rejected, Reply, Request

DEFAULT_URL = "https://api.openai.com/v1"
# Refusals of one prompt, which say nothing about the next: moderation, and prompts that are too long.
ONE_ROW = re.compile(
    r"content.?(filter|management|policy)|moderation|flagged|safety|context.?(length|window)|string_above_max_length"
    r"|too (long|large|many tokens)|maximum (length|number of tokens)",
    re.IGNORECASE,
)


class Endpoint:
    """The endpoint that params.yaml names. Raises UserError when its address is none."""

    stored = True

    def __init__(self, params: Params):
        self.settings, self.timeout = params.teacher, params.asking.timeout
        self.base_url = (params.asking.base_url or os.environ.get("OPENAI_BASE_URL") or DEFAULT_URL).rstrip("/")
        address = urlsplit(self.base_url)
        if address.scheme not in ("http", "https") or not address.hostname or address.username:
            raise UserError(
                "asking.base_url (or OPENAI_BASE_URL) must be like https://host/v1, without a name or password"
            )
        self.price = budget.price(params.teacher.model, self.base_url)
        self.answered = False  # whether the endpoint ever gave an answer

    def body(self, request: Request) -> dict:
        """The JSON that is sent. A setting that is empty is left to the endpoint."""
        settings = self.settings
        sampling = {name: getattr(settings, name) for name in ("temperature", "top_p", "max_tokens")}
        return {
            "model": settings.model,
            "messages": request.messages(settings.system),
            **{name: value for name, value in sampling.items() if value is not None},
            **settings.extra,
        }

    def read(self, content: bytes, body: dict, headers: Mapping) -> Reply:
        """The reply to a body. Raises Failed when it is no chat completion."""
        try:
            completion = json.loads(content)
            choice = completion["choices"][0]
            message = choice["message"]
            refusal = message.get("refusal")
            text = refusal or _text(message.get("content"))
            finish = "refusal" if refusal else choice.get("finish_reason") or "stop"
            usage = completion.get("usage") or {}
            # An endpoint that does not count is taken to use a token a byte, the most there can be: budgets must hold.
            tokens_in = usage.get("prompt_tokens", sum(len(part["content"].encode()) for part in body["messages"]))
            tokens_out = usage.get("completion_tokens", len(text.encode("utf-8", "replace")))
            model = completion.get("model") or body["model"]
            reply = Reply(_storable(text), finish, int(tokens_in), int(tokens_out), _storable(model), headers)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            message = f"{self.base_url} answered, but not with a chat completion"
            raise Failed(message, sent=True, headers=headers) from None
        self.answered = True
        return reply

    def refusal(self, status: int, headers: Mapping, content: bytes) -> Exception:
        """What an error status means: Failed for this call, Rejected for this row, UserError for the whole run."""
        error = _error(content)
        code, message = f"{error.get('code')} {error.get('type')}", self.safe(error.get("message"))
        if status == 401:
            return UserError(f"{self.base_url} refuses the key (401): check OPENAI_API_KEY")
        if status == 429 and "insufficient_quota" in code:
            return UserError(f"{self.base_url}: the account's quota is used up (429): {message}")
        if status in (408, 409, 425, 429) or status >= 500:
            return Failed(f"{status}: {message}", limited=status == 429, headers=headers)
        if status in (400, 403, 413, 422) and ONE_ROW.search(f"{code} {message}"):
            return Rejected(f"refused by the endpoint ({status}): {message}")
        reason = f"{self.base_url} refuses the request ({status}): {message}"
        if status in (400, 413, 422):  # the settings, unless they were good enough for another row
            return Rejected(reason) if self.answered else Failed(reason, fatal=True)
        return UserError(f"{reason}; look at teacher.model and asking.base_url" if status == 404 else reason)

    def safe(self, error) -> str:
        """One short line, without the key."""
        line, key = " ".join(str(error or "no reason given").split()), _key()
        return (line.replace(key, "***") if key else line)[:300]


def read_key() -> str:
    """The endpoint's key, which only calls need: a run out of the response store works without one.

    Raises UserError when there is none.
    """
    if key := _key():
        return key
    raise UserError("OPENAI_API_KEY is not set: it holds the endpoint's key (any word for a server without keys)")


def _key() -> str:
    return os.environ.get("OPENAI_API_KEY", "").strip()


def _error(content: bytes) -> dict:
    """The `error` of a response, whatever its shape."""
    try:
        error = json.loads(content)
    except ValueError:
        return {"message": content[:300].decode("utf-8", "replace")}
    if isinstance(error, dict):
        error = error.get("error", error)
    return error if isinstance(error, dict) else {"message": error}


def _text(content) -> str:
    """A message's text; some endpoints send it in parts."""
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""


def _storable(text: str) -> str:
    """Without what neither SQLite nor Parquet can hold: NUL and halves of surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
