"""OpenAI's Batch API, or an endpoint with the same: half the price, and the answers within a day.

All that is asked at once is uploaded as JSONL and waited for. A batch outlives the run that sent it: its requests
stand in `<response store>.batches/<endpoint>/<batch id>.jsonl` until the answers are in the response store, and the
next run takes it up. What is being sent is a `.draft`; the batch carries its name, so that a run that dies between
the endpoint's yes and the rename finds the batch again instead of paying for another.
`synthesis batches` lists and cancels batches.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote
from uuid import uuid4

from tqdm import tqdm

from synthesis import UserError
from synthesis.params import Params
from synthesis.run import Run
from synthesis.teacher import refusals
from synthesis.teacher.endpoint import Endpoint, name_of, read_batch
from synthesis.teacher.request import Failed, Rejected, Reply, canonical
from synthesis.teacher.store import Store

from .batches import URL, Batches

MOST, LARGEST = 50_000, 200_000_000  # requests and bytes of one batch
DISCOUNT = 0.5
MOMENT = 1.0  # seconds without a new request after which the collected ones are sent
FIRST, LONGEST = 5.0, 60.0  # seconds between two looks at a batch: the first, and what they grow to
QUEUE = 300.0  # seconds before a batch is sent again that did not fit into the account's queue
ENDED = ("completed", "failed", "expired", "cancelled")


def provider(run: Run) -> Provider:
    """The endpoint that params.yaml names. Raises UserError when its address is none, or rates are set."""
    return Provider(run.params)


class Provider(Endpoint):
    """Collects what is asked into batches. Requests are named `key/sample/attempt`, as the response store has them."""

    def __init__(self, params: Params):
        super().__init__(params)
        if params.asking.requests_per_minute or params.asking.tokens_per_minute:
            raise UserError(
                "asking.requests_per_minute and tokens_per_minute would hold up the collecting of a batch: empty them"
            )
        self.concurrency = self.most = MOST
        self.price = self.price and (DISCOUNT * self.price[0], DISCOUNT * self.price[1])
        self.batches = self.store = None
        self.new: dict[str, dict] = {}  # bodies that are not sent yet
        self.waiting: dict[str, asyncio.Future] = {}
        self.running: dict[Path, dict[str, dict]] = {}  # the bodies of each open batch
        self.tasks: set[asyncio.Task] = set()

    async def answer(self, body: dict, sample: int, attempt: int) -> Reply:
        """One request of a batch. Raises Failed or Rejected, and UserError when no batch can succeed."""
        name = name_of(body, sample, attempt)
        self.waiting[name] = done = asyncio.get_running_loop().create_future()
        self._collect({name: body})
        return await done

    async def close(self) -> None:
        """Stop waiting. The batches go on."""
        for task in self.tasks:
            task.cancel()
        if self.running:
            requests = sum(map(len, self.running.values()))
            print(
                f"{len(self.running)} batch(es) with {requests:,} requests go on at {self.base_url}: the next run "
                "takes them up, and `synthesis batches cancel` stops them",
                file=sys.stderr,
            )
        if self.batches:
            await self.batches.close()
            self.store.close()

    # From requests to batches

    def _collect(self, bodies: dict[str, dict]) -> None:
        if not self.new:
            self._start(self._submit())
        self.new |= bodies

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

    async def _submit(self) -> None:
        """Send what came, unless it is under way or answered already."""
        from filelock import AsyncFileLock

        seen = 0
        while seen < len(self.new):
            seen = len(self.new)
            await asyncio.sleep(MOMENT)
        if self.batches is None:
            self.batches, self.store = Batches(self), Store()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            async with AsyncFileLock(self.folder / "lock"):  # of processes that ask the same, one asks
                new, self.new = self.new, {}
                await self._take_up()
                for name in new.keys() & set().union(*self.running.values()):
                    del new[name]
                for name in list(new):
                    if reply := self.store.get(*_key(name)):
                        self._settle(name, reply)
                        del new[name]
                for part in self._parts(new):
                    await self._send(part)
        except OSError as error:
            raise UserError(f"{self.folder} cannot be used: {error}") from None

    async def _take_up(self) -> None:
        """What earlier runs left, and other processes sent: follow what runs, keep what has ended."""
        for draft in self.folder.glob("*.draft"):
            if batch := await self.batches.find(draft):
                draft.rename(self._file(batch))
            else:
                draft.unlink()
        for file in set(self.folder.glob("*.jsonl")) - self.running.keys():
            batch = await self.batches.retrieve(unquote(file.stem))
            if batch is None:
                _say(f"{file} is unknown to {self.base_url}: was it sent with another key? It is left as it is")
            elif batch.status in ENDED:
                await self._keep(file, batch, read_batch(file))
            else:
                self._follow(file, batch)

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

    async def _send(self, lines: list[str]) -> None:
        draft = self.folder / f"{uuid4().hex}.draft"
        draft.write_text("".join(lines), encoding="utf-8")
        batch = await self.batches.create(draft)
        self._follow(draft.rename(self._file(batch)), batch)

    def _file(self, batch) -> Path:
        return self.folder / f"{quote(batch.id, safe='')}.jsonl"

    # From batches to answers

    def _follow(self, file: Path, batch) -> None:
        self.running[file] = read_batch(file)
        self._start(self._finish(file, batch))

    async def _finish(self, file: Path, batch) -> None:
        """Wait for the batch; then everybody who waits gets an answer, or the reason why there is none."""
        batch = await self._wait(batch)
        results = await self._keep(file, batch, self.running[file])
        bodies = self.running.pop(file)
        errors = (batch.errors and batch.errors.data) or []
        if batch.status == "cancelled":
            raise UserError(f"{batch.id} was cancelled. What was answered is kept: `dvc repro` asks for the rest")
        if any(error.code == "token_limit_exceeded" for error in errors):
            await self._queue({name: body for name, body in bodies.items() if name in self.waiting})
            return
        if batch.status == "failed":
            reasons = "; ".join(str(error.message) for error in errors) or "no reason given"
            raise UserError(f"{self.base_url} refuses the batch {batch.id}: {self.safe(reasons)}")
        missing = Failed(f"no answer in {batch.id}, which is {batch.status}")
        for name in bodies:
            self._settle(name, results.get(name, missing))

    async def _wait(self, batch):
        """The batch when it has ended. News of it are printed meanwhile."""
        pause, news = FIRST, None
        while batch.status not in ENDED:
            if _state(batch) != news:
                news = _state(batch)
                _say(news)
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, LONGEST)
            batch = await self.batches.retrieve(batch.id) or batch
        _say(_state(batch))
        return batch

    async def _queue(self, bodies: dict[str, dict]) -> None:
        """The account's queue holds so many tokens at once: wait, and send less where nothing of ours is in it."""
        if not self.running:
            if len(bodies) == 1:
                raise UserError(f"{self.base_url}: not even one request fits into the account's queue of batches")
            self.most = max(len(bodies) // 2, 1)
        await asyncio.sleep(QUEUE)
        self._collect(bodies)

    async def _keep(self, file: Path, batch, bodies: dict[str, dict]) -> dict[str, Reply | Exception]:
        """Put a batch's answers into the response store, asked for or not, and forget it. Returns them, and errors."""
        results = {}
        for content in filter(None, (batch.output_file_id, batch.error_file_id)):  # answers first: see `refusal`
            for line in await self.batches.lines(content):
                results |= self._result(line, bodies)
        replies = {name: result for name, result in results.items() if isinstance(result, Reply)}
        puts = (self.store.put(*_key(name), bodies[name], reply) for name, reply in replies.items())
        results |= zip(replies, await asyncio.gather(*puts), strict=True)
        file.unlink(missing_ok=True)
        return results

    def _result(self, line: bytes, bodies: dict) -> dict[str, Reply | Exception]:
        """One line of a result file. What is no result is left out, and its request counts as not answered."""
        try:
            entry = json.loads(line)
            name, response, error = entry["custom_id"], entry.get("response") or {}, entry.get("error")
            status, content = response.get("status_code"), json.dumps(response.get("body")).encode()
        except (ValueError, KeyError, TypeError, AttributeError):
            return {}
        if name not in bodies:
            return {}
        try:
            if status == 200:
                return {name: self.read(content, bodies[name], {})}
            if status:
                failure = self.refusal(status, {}, content, bodies[name])
            else:
                error = refusals.error(json.dumps({"error": error}).encode())
                failure = self.failure(refusals.status(error), error, {}, bodies[name])
        except (Failed, Rejected, UserError) as unreadable:
            failure = unreadable
        if isinstance(failure, Failed) and failure.fatal and not failure.limited:
            # No answer in the whole batch: the settings are to blame.
            failure = UserError(str(failure))
        return {name: failure}


def _key(name: str) -> tuple[str, int, int]:
    """The key in the response store of what a request is answered with."""
    request, sample, attempt = name.split("/")
    return request, int(sample), int(attempt)


def _state(batch) -> str:
    counts = batch.request_counts
    done = f", {counts.completed + counts.failed:,} of {counts.total:,} requests done" if counts else ""
    return f"{batch.id}: {batch.status}{done}"


def _say(line: str) -> None:
    tqdm.write(line, file=sys.stderr)  # above the line of progress


async def manage(params: Params, cancel: list[str] | None = None) -> None:
    """Print the state of the batches that this machine sent to the endpoint of params.yaml and that are not kept yet.

    cancel: ids of batches to cancel first, all of them where the list is empty; only these are printed then. What is
    answered in them by then is kept by the next run. Raises UserError for an id that is not there.
    """
    endpoint = Provider(params)
    files = {unquote(file.stem): file for file in endpoint.folder.glob("*.jsonl")}
    if unknown := [name for name in cancel or () if name not in files]:
        raise UserError(f"no open batch {unknown[0]} (there: {', '.join(files) or 'none'})")
    names, batches = list(cancel or files), Batches(endpoint)
    for name in names:
        batch = await batches.retrieve(name)
        if cancel is not None and batch and batch.status not in ENDED:
            batch = await batches.cancel(name)
        print(_state(batch) if batch else f"{name}: unknown to {endpoint.base_url}")
    await batches.close()
    print(f"{len(names)} open at {endpoint.base_url}", file=sys.stderr)
