"""Any OpenAI-compatible endpoint, through the official client: POST {base_url}/chat/completions.

The client brings authentication, proxies and its aiohttp transport. Requests go straight to that transport: building
them anew and parsing the answers into models takes the client twice as long as all the rest of a call, and it would
retry each call by itself, where pauses and limits must be shared by all (teacher/limits.py).
The client reads OPENAI_ORG_ID and OPENAI_PROJECT_ID, too.
"""

from __future__ import annotations

import asyncio

import aiohttp
import httpx2

from openai import AsyncOpenAI, DefaultAioHttpClient
from synthesis import UserError
from synthesis.params import Params
from synthesis.run import Run
from synthesis.teacher.endpoint import Endpoint, name_of, read_batch, read_key
from synthesis.teacher.request import Failed, Reply, canonical

CONNECT = 10  # seconds


def provider(run: Run) -> Provider:
    """The endpoint that params.yaml names. Raises UserError when its address is none."""
    return Provider(run.params)


class Provider(Endpoint):
    """Calls of the endpoint, asking.concurrency at once."""

    anywhere = True

    def __init__(self, params: Params):
        super().__init__(params)
        self.concurrency = params.asking.concurrency
        self.http = None  # made by the first call
        self.batched: set[str] = set()  # what open batches ask for: it would be paid for twice

    async def answer(self, body: dict, sample: int, attempt: int) -> Reply:
        """One call. Raises Failed or Rejected, and UserError when no call can succeed."""
        http = self.http or self._open()
        if self.batched and name_of(body, sample, attempt) in self.batched:
            raise UserError(
                f"a batch that is open at {self.base_url} asks for rows of this stage, which would be paid for twice: "
                "set teacher.provider to openai-batch until its answers are there (`synthesis batches` looks after it)"
            )
        request = httpx2.Request("POST", self.url, headers=self.headers, content=canonical(body).encode())
        try:
            async with asyncio.timeout(self.timeout):
                response = await http.send(request)
        except (httpx2.TransportError, aiohttp.ClientError, OSError) as error:
            raise self._lost(_root(error)) from None
        if response.status_code != 200:
            raise self.refusal(response.status_code, response.headers, response.content, body)
        return self.read(response.content, body, response.headers)

    async def close(self) -> None:
        """Close the connections."""
        if self.http:
            await self.http.aclose()

    def _open(self) -> httpx2.AsyncClient:
        key = read_key()
        self.batched = {name for file in self.folder.glob("*.jsonl") for name in read_batch(file)}
        limits = httpx2.Limits(max_connections=0)  # no limit: the workers are the limit
        timeout = httpx2.Timeout(self.timeout, connect=CONNECT, pool=None)
        self.http = DefaultAioHttpClient(timeout=timeout, limits=limits, follow_redirects=False)
        client = AsyncOpenAI(api_key=key, base_url=self.base_url, http_client=self.http)
        headers = {name: value for name, value in client.default_headers.items() if isinstance(value, str)}
        self.headers = httpx2.Headers(headers | client.auth_headers).raw  # encoded once, like the URL
        self.url = httpx2.URL(f"{client.base_url}chat/completions", params=self.query or None)
        return self.http

    def _lost(self, error: BaseException) -> Exception:
        """What a broken connection means."""
        message = self.safe(error)
        if isinstance(error, aiohttp.ClientSSLError):
            if isinstance(error, aiohttp.ClientConnectorCertificateError) or not self.answered:
                return UserError(f"{self.base_url}: no safe connection (TLS): {message}")
            return Failed(f"no safe connection (TLS): {message}")
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            return Failed(f"{self.base_url} cannot be reached: {message}", fatal=not self.answered)
        if isinstance(error, TimeoutError):
            return Failed(f"no answer within {self.timeout:g} s", sent=True)
        return Failed(f"connection cut: {message}", sent=True)


def _root(error: BaseException) -> BaseException:
    """The transport's own error, which httpx wraps in its own."""
    while error.__cause__ is not None and not isinstance(error, aiohttp.ClientError | TimeoutError):
        error = error.__cause__
    return error
