"""What is asked one by one becomes batches: files in OpenAI's batch format, whoever works through them."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable, Iterator

from tqdm import tqdm

from synthesis import UserError
from synthesis.params import Params
from synthesis.teacher import refusals
from synthesis.teacher.endpoint import Endpoint, name_of
from synthesis.teacher.request import Failed, Rejected, Reply, canonical
from synthesis.teacher.store import Store

MOST, LARGEST = 50_000, 200_000_000  # requests and bytes of one batch
MOMENT = 1.0  # seconds without a new request after which the collected ones are sent
URL = "/v1/chat/completions"


class Collecting(Endpoint):
    """Collects what is asked. Requests are named `key/sample/attempt`, as the response store has them.

    A provider has `_submit`, which sends what `self.new` holds, `bodies` by name, and sees to it that everybody who
    waits gets an answer, or the reason why there is none.
    """

    def __init__(self, params: Params):
        super().__init__(params)
        if params.asking.requests_per_minute or params.asking.tokens_per_minute:
            raise UserError(
                "asking.requests_per_minute and tokens_per_minute would hold up the collecting of a batch: empty them"
            )
        self.concurrency = self.most = MOST
        self.store = None
        self.new: dict[str, dict] = {}  # bodies that are not sent yet
        self.waiting: dict[str, asyncio.Future] = {}
        self.tasks: set[asyncio.Task] = set()

    async def answer(self, body: dict, sample: int, attempt: int) -> Reply:
        """One request of a batch. Raises Failed or Rejected, and UserError when no batch can succeed."""
        name = name_of(body, sample, attempt)
        self.waiting[name] = done = asyncio.get_running_loop().create_future()
        self._collect({name: body})
        return await done

    async def close(self) -> None:
        """Stop waiting."""
        for task in self.tasks:
            task.cancel()
        if self.store:
            self.store.close()

    async def _submit(self) -> None:
        """Send what is collected."""
        raise NotImplementedError

    def _collect(self, bodies: dict[str, dict]) -> None:
        if not self.new:
            self._start(self._submit())
        self.new |= bodies

    async def _all_there(self) -> None:
        """Return when no new request has come for a moment."""
        seen = 0
        while seen < len(self.new):
            seen = len(self.new)
            await asyncio.sleep(MOMENT)

    def _start(self, work) -> None:
        """Work in the background. Its error ends the run: all who wait get it."""

        def ended(task):
            self.tasks.discard(task)
            if not task.cancelled() and (error := task.exception()):
                for name in list(self.waiting):
                    self._settle(name, error)

        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(ended)

    def _settle(self, name: str, result: Reply | BaseException) -> None:
        done = self.waiting.pop(name, None)
        if done is None or done.done():  # nobody asked in this run, or the run is over
            return
        if isinstance(result, BaseException):
            done.set_exception(result)
        else:
            done.set_result(result)

    def _not_stored(self, bodies: dict[str, dict]) -> dict[str, dict]:
        """Those that the response store does not answer by now; the others are settled."""
        left = {}
        for name, body in bodies.items():
            if reply := self.store.get(*_key(name)):
                self._settle(name, reply)
            else:
                left[name] = body
        return left

    def _parts(self, bodies: dict[str, dict]) -> Iterator[list[str]]:
        """The lines of each batch, within the limits."""
        part, size = [], 0
        for name, body in bodies.items():
            line = canonical({"custom_id": name, "method": "POST", "url": URL, "body": body}) + "\n"
            length = len(line.encode())
            if part and (len(part) == self.most or size + length > LARGEST):
                yield part
                part, size = [], 0
            part.append(line)
            size += length
        if part:
            yield part

    async def _kept(self, lines: Iterable[bytes], bodies: dict[str, dict]) -> dict[str, Reply | Exception]:
        """The results of a batch, when its answers are in the response store, asked for or not.

        An answer counts, whatever else stands under its name. lines: of its result files.
        """
        self.store, results = self.store or Store(), {}
        for line in lines:
            for name, result in self._result(line, bodies).items():
                if not isinstance(results.get(name), Reply):
                    results[name] = result
        for name, result in results.items():
            if isinstance(result, Failed):
                result.fatal = result.fatal and not self.answered
                if result.fatal and not result.limited:  # no answer in the whole batch: the settings are to blame
                    results[name] = UserError(str(result))
        replies = {name: result for name, result in results.items() if isinstance(result, Reply)}
        puts = (self.store.put(*_key(name), bodies[name], reply) for name, reply in replies.items())
        return results | dict(zip(replies, await asyncio.gather(*puts), strict=True))

    def _result(self, line: bytes, bodies: dict) -> dict[str, Reply | Exception]:
        """One line of a result file. What is no result is left out, and its request counts as not answered."""
        try:
            entry = json.loads(line)
            name, response, error = entry["custom_id"], entry.get("response") or {}, entry.get("error")
            status, body = response.get("status_code"), response.get("body")
            status = 200 if status is None and not error else int(status or 0)
            if name not in bodies:
                return {}
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            return {}
        try:
            if status == 200 and (body or not error):
                return {name: self.read(json.dumps(body).encode(), bodies[name], {})}
            content = json.dumps(body or {"error": error}).encode()  # vLLM has the error beside the response
            if status and status != 200:
                failure = self.refusal(status, {}, content, bodies[name])
            else:
                error = refusals.error(content)
                failure = self.failure(refusals.status(error), error, {}, bodies[name])
        except (Failed, Rejected, UserError) as unreadable:
            failure = unreadable
        return {name: failure}


def _key(name: str) -> tuple[str, int, int]:
    """The key in the response store of what a request is answered with."""
    request, sample, attempt = name.split("/")
    return request, int(sample), int(attempt)


def say(line: str) -> None:
    """Print above the line of progress."""
    tqdm.write(line, file=sys.stderr)
