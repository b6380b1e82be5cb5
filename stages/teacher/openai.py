"""Any OpenAI-compatible endpoint: POST {base_url}/chat/completions.

Plain aiohttp: even with its aiohttp transport and raw responses the official client spends four times as long on a
call, and it would retry each call by itself, where pauses and limits must be shared by all (limits.py).
The environment's names are the client's:
OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_ORG_ID, OPENAI_PROJECT_ID, and the usual ones for proxies and certificates.
"""

from __future__ import annotations

import json
import os
import re
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from stages.pipeline.stage import UserError
from stages.teacher import prices
from stages.teacher.request import Failed, Rejected, Reply, Request, canonical

DEFAULT_URL = "https://api.openai.com/v1"
HEADERS = {"OpenAI-Organization": "OPENAI_ORG_ID", "OpenAI-Project": "OPENAI_PROJECT_ID"}
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
        self.session = None  # made by the first call: a run out of the store needs no key
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
        import aiohttp

        session = self.session or self._open()
        try:
            async with session.post(f"{self.base_url}/chat/completions", data=canonical(body).encode()) as response:
                content = await response.read()
        except aiohttp.ClientSSLError as error:
            if isinstance(error, aiohttp.ClientConnectorCertificateError) or not self.answered:
                raise UserError(f"{self.base_url}: no safe connection (TLS): {self._safe(error)}") from None
            raise Failed(f"no safe connection (TLS): {self._safe(error)}") from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Failed(f"{self.base_url} cannot be reached: {self._safe(error)}", fatal=not self.answered) from None
        except TimeoutError:
            raise Failed(f"no answer within {self.teacher.timeout:g} s", sent=True) from None
        except (aiohttp.ClientError, OSError) as error:
            raise Failed(f"connection cut: {self._safe(error)}", sent=True) from None
        if response.status != 200:
            raise self._refused(response.status, response.headers, content)
        return self._reply(content, body, response.headers)

    async def close(self) -> None:
        """Close the connections."""
        if self.session:
            await self.session.close()

    def _open(self):
        import aiohttp

        self.key = os.environ.get("OPENAI_API_KEY", "").strip()
        if not self.key:
            raise UserError(
                "OPENAI_API_KEY is not set: it holds the endpoint's key (any word for a server without keys)"
            )
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        headers |= {name: os.environ[variable] for name, variable in HEADERS.items() if os.environ.get(variable)}
        where = urlsplit(self.base_url)
        self.session = aiohttp.ClientSession(
            headers=headers,
            connector=aiohttp.TCPConnector(limit=0),  # the workers are the limit
            timeout=aiohttp.ClientTimeout(total=self.teacher.timeout, sock_connect=CONNECT),
            # Not `trust_env`, which reads the environment again for each call, in a thread.
            proxy=None if proxy_bypass(where.hostname) else getproxies().get(where.scheme),
        )
        return self.session

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

    def _refused(self, status: int, headers, content: bytes) -> Exception:
        """What an error status means: for this call, for this row, or for the whole run."""
        error = _error(content)
        code, told = f"{error.get('code')} {error.get('type')}", self._safe(error.get("message"))
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

    def _safe(self, error) -> str:
        """One short line, without the key."""
        line = " ".join(str(error or "no reason given").split())
        return (line.replace(self.key, "***") if self.key else line)[:300]


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
