"""The calls of the Batch API, made again where that may help. `__init__.py` decides what is asked."""

from __future__ import annotations

import asyncio
import json
from itertools import count
from pathlib import Path

from synthesis import UserError
from synthesis.teacher import refusals
from synthesis.teacher.collecting import URL
from synthesis.teacher.endpoint import SHOWN, Endpoint, read_key
from synthesis.teacher.limits import QUICK, TRIES, retry_after
from synthesis.teacher.request import Failed, Rejected

BACKOFF, LONGEST = 1.0, 60.0  # seconds before a failed call is made again: the first pause, and what it doubles up to
MARK = "synthesis-step-by-step"  # the batch's metadata under which it carries its draft's name


class Batches:
    """The official client for one endpoint. Every method raises UserError when the endpoint cannot be used."""

    def __init__(self, endpoint: Endpoint):
        """Raises UserError when there is no key."""
        from openai import AsyncOpenAI

        self.endpoint, self.reached = endpoint, False
        self.client = AsyncOpenAI(
            api_key=read_key(),
            base_url=endpoint.base_url,
            default_query=endpoint.query,
            timeout=endpoint.timeout,
            max_retries=0,
        )

    async def create(self, draft: Path):
        """Upload a file of requests and begin, unless an earlier try did, whose answer was lost."""

        async def create():
            if batch := await self._find(draft):
                return batch
            with draft.open("rb") as content:
                file = await self.client.files.create(file=(f"{draft.stem}.jsonl", content), purpose="batch")
            name = self._checked(file).id
            batch = await self.client.batches.create(
                input_file_id=name, endpoint=URL, completion_window="24h", metadata={MARK: draft.stem}
            )
            return self._checked(batch)

        return await self._call(create)

    async def find(self, draft: Path):
        """The batch that was made of a draft, or None."""
        return await self._call(lambda: self._find(draft))

    async def retrieve(self, name: str):
        """The batch as it stands, or None when the endpoint does not know it."""
        from openai import NotFoundError

        async def retrieve():
            try:
                return self._checked(await self.client.batches.retrieve(name))
            except NotFoundError:
                return None

        return await self._call(retrieve)

    async def cancel(self, name: str):
        """End a batch; what is answered by then can still be read."""

        async def cancel():
            return self._checked(await self.client.batches.cancel(name))

        return await self._call(cancel)

    async def lines(self, file: str) -> list[bytes]:
        """The lines of a result file."""
        response = await self._call(lambda: self.client.files.content(file))
        return [line for line in response.content.split(b"\n") if line.strip()]

    async def close(self) -> None:
        """Close the connections."""
        await self.client.close()

    async def _find(self, draft: Path):
        earliest = draft.stat().st_mtime - 3600  # clocks differ
        async for batch in self.client.batches.list(limit=100):  # the newest first
            self._checked(batch)
            if (batch.metadata or {}).get(MARK) == draft.stem:
                return batch
            if batch.created_at < earliest:
                break
        return None

    def _checked(self, made):
        """A file or a batch. Raises ValueError, or what `Endpoint.failure` says, when something else came instead."""
        if error := getattr(made, "error", None):
            error = refusals.error(json.dumps({"error": error}, default=str).encode())
            raise self.endpoint.failure(refusals.status(error), error, {}, {}, fatal=not self.endpoint.answered)
        if not getattr(made, "id", None):
            raise ValueError(f"what came is no answer of a Batch API: {str(made)[:SHOWN]}")
        return made

    async def _call(self, action):
        from openai import APIConnectionError, APIError, APIStatusError

        endpoint = self.endpoint
        for tries in count(1):
            try:
                result = await action()
                self.reached = True
                return result
            except APIStatusError as error:
                failure = endpoint.refusal(error.status_code, error.response.headers, error.response.content)
            except (Failed, Rejected) as error:
                failure = error
            except APIConnectionError as error:
                failure = Failed(f"{endpoint.base_url} cannot be reached: {endpoint.safe(error.__cause__ or error)}")
            except (APIError, ValueError, AttributeError, TypeError) as error:  # what came is not what the client reads
                failure = Failed(f"{endpoint.base_url} (is asking.base_url right?): {endpoint.safe(error)}")
            if not isinstance(failure, Failed):
                raise UserError(str(failure))
            if tries == (TRIES if self.reached else QUICK):
                raise UserError(f"{failure} ({tries} times)")
            await asyncio.sleep(retry_after(failure.headers) or min(BACKOFF * 2 ** (tries - 1), LONGEST))
