"""Any OpenAI-compatible endpoint, through the official client: POST {base_url}/chat/completions.

The client brings authentication, proxies and its aiohttp transport. Requests go straight to that transport: building
them anew and parsing the answers into models takes the client twice as long as all the rest of a call, and it would
retry each call by itself, where pauses and limits must be shared by all (limits.py).
The environment's names are the client's: OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_ORG_ID, OPENAI_PROJECT_ID.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from urllib.parse import urlsplit

import aiohttp
import httpx2
from openai import AsyncOpenAI, DefaultAioHttpClient

from stages.pipeline.stage import UserError
from stages.teacher import prices
from stages.teacher.request import Failed, Rejected, Reply, Request, canonical

DEFAULT_URL = "https://api.openai.com/v1"
CONNECT = 10  # seconds
# Refusals of one prompt, which say nothing about the next: moderation, and prompts that are too long.
ONE_ROW = re.compile(
    r"content.?(filter|management|policy)|moderation|flagged|safety|context.?(length|window)|string_above_max_length"
    r"|too (long|large|many tokens)|maximum (length|number of tokens)",
    re.IGNORECASE,
)


def provider(params, task: str) -> Provider:
    """The endpoint that params.yaml names. Raises UserError when its URL is none."""
    return Provider(params.teacher)


class Provider:
    stored = True

    def __init__(self, teacher):
        self.teacher = teacher
        self.concurrency = teacher.concurrency
        self.base_url = (teacher.base_url or os.environ.get("OPENAI_BASE_URL") or DEFAULT_URL).rstrip("/")
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise UserError(
                "teacher.base_url (or OPENAI_BASE_URL) must be like https://host/v1, without a name or password"
            )
        self.price = prices.of(teacher.model, self.base_url)
        self.http = None  # made by the first call: a run out of the store needs no key
        self.key = ""
        self.answered = False  # whether the endpoint ever gave an answer

    def body(self, request: Request) -> dict:
        """The JSON that is sent."""
        teacher = self.teacher
        system = [{"role": "system", "content": teacher.system}] if teacher.system else []
        sampling = {name: getattr(teacher, name) for name in ("temperature", "top_p", "max_tokens")}
        return {
            "model": teacher.model,
            "messages": [*system, {"role": "user", "content": request.prompt}],
            **{name: value for name, value in sampling.items() if value is not None},
            **teacher.extra,
        }

    async def answer(self, body: dict, sample: int, attempt: int) -> Reply:
        """One call. Raises Failed or Rejected, and UserError when no call can succeed."""
        http = self.http or self._open()
        request = httpx2.Request("POST", self.url, headers=self.headers, content=canonical(body).encode())
        try:
            async with asyncio.timeout(self.teacher.timeout):
                response = await http.send(request)
        except (httpx2.TransportError, aiohttp.ClientError, OSError) as error:
            raise self._lost(_root(error)) from None
        if response.status_code != 200:
            raise self.refused(response.status_code, response.headers, response.content)
        return self._reply(response.content, body, response.headers)

    async def close(self) -> None:
        """Close the connections."""
        if self.http:
            await self.http.aclose()

    def _open(self) -> httpx2.AsyncClient:
        self.key = key()
        limits = httpx2.Limits(max_connections=0)  # no limit: the workers are the limit
        timeout = httpx2.Timeout(self.teacher.timeout, connect=CONNECT, pool=None)
        self.http = DefaultAioHttpClient(timeout=timeout, limits=limits, follow_redirects=False)
        client = AsyncOpenAI(api_key=self.key, base_url=self.base_url, http_client=self.http)
        told = {name: value for name, value in client.default_headers.items() if isinstance(value, str)}
        self.headers = httpx2.Headers(told | client.auth_headers).raw  # encoded once, like the URL
        self.url = httpx2.URL(f"{client.base_url}chat/completions")
        return self.http

    def _lost(self, error: BaseException) -> Exception:
        """What a broken connection means."""
        told = self.safe(error)
        if isinstance(error, aiohttp.ClientSSLError):
            if isinstance(error, aiohttp.ClientConnectorCertificateError) or not self.answered:
                return UserError(f"{self.base_url}: no safe connection (TLS): {told}")
            return Failed(f"no safe connection (TLS): {told}")
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            return Failed(f"{self.base_url} cannot be reached: {told}", fatal=not self.answered)
        if isinstance(error, TimeoutError):
            return Failed(f"no answer within {self.teacher.timeout:g} s", sent=True)
        return Failed(f"connection cut: {told}", sent=True)

    def _reply(self, content: bytes, body: dict, headers) -> Reply:
        try:
            answer = json.loads(content)
            choice = answer["choices"][0]
            message = choice["message"]
            refusal = message.get("refusal")
            text = refusal or _text(message.get("content"))
            finish = "refusal" if refusal else choice.get("finish_reason") or "stop"
            used = answer.get("usage") or {}
            # An endpoint that does not count is taken to use a token a byte, the most there can be: budgets must hold.
            tokens_in = used.get("prompt_tokens", sum(len(part["content"].encode()) for part in body["messages"]))
            tokens_out = used.get("completion_tokens", len(text.encode("utf-8", "replace")))
            model = answer.get("model") or body["model"]
            reply = Reply(_storable(text), finish, int(tokens_in), int(tokens_out), _storable(model), headers)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            raise Failed(
                f"{self.base_url} answered, but not with a chat completion", sent=True, headers=headers
            ) from None
        self.answered = True
        return reply

    def refused(self, status: int, headers, content: bytes) -> Exception:
        """What an error status means: for this call, for this row, or for the whole run."""
        error = _error(content)
        code, told = f"{error.get('code')} {error.get('type')}", self.safe(error.get("message"))
        if status == 401:
            return UserError(f"{self.base_url} refuses the key (401): check OPENAI_API_KEY")
        if status == 429 and "insufficient_quota" in code:
            return UserError(f"{self.base_url}: the account's quota is used up (429): {told}")
        if status in (408, 409, 425, 429) or status >= 500:
            return Failed(f"{status}: {told}", limited=status == 429, headers=headers)
        if status in (400, 403, 413, 422) and ONE_ROW.search(f"{code} {told}"):
            return Rejected(f"refused by the endpoint ({status}): {told}")
        reason = f"{self.base_url} refuses the request ({status}): {told}"
        if status in (400, 413, 422):  # the settings, unless they were good enough for another row
            return Rejected(reason) if self.answered else Failed(reason, fatal=True)
        return UserError(f"{reason}; look at teacher.model and teacher.base_url" if status == 404 else reason)

    def safe(self, error) -> str:
        """One short line, without the key."""
        line = " ".join(str(error or "no reason given").split())
        return (line.replace(self.key, "***") if self.key else line)[:300]


def key() -> str:
    """The endpoint's key. Raises UserError when there is none."""
    if found := os.environ.get("OPENAI_API_KEY", "").strip():
        return found
    raise UserError("OPENAI_API_KEY is not set: it holds the endpoint's key (any word for a server without keys)")


def _root(error: BaseException) -> BaseException:
    """The transport's own error, which httpx wraps in its own."""
    while error.__cause__ is not None and not isinstance(error, aiohttp.ClientError | TimeoutError):
        error = error.__cause__
    return error


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
