"""OpenAI's Batch API, or an endpoint with the same: half the price, and the answers within a day.

All that is asked at once is uploaded as JSONL and waited for. A batch outlives the run that sent it: its requests
stand in `<response store>.batches/<endpoint>/<batch id>.jsonl` until the answers are in the response store, and the
next run takes it up. What is being sent is a `.draft`; the batch carries its name, so that a run that dies between
the endpoint's yes and the rename finds the batch again instead of paying for another.
`synthesis batches` lists and cancels batches.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from urllib.parse import quote, unquote
from uuid import uuid4

from synthesis import UserError
from synthesis.params import Params
from synthesis.run import Run
from synthesis.teacher.collecting import Collecting, say
from synthesis.teacher.endpoint import read_batch
from synthesis.teacher.request import Failed, Reply
from synthesis.teacher.store import Store

from .batches import Batches

DISCOUNT = 0.5
FIRST, LONGEST = 5.0, 60.0  # seconds between two looks at a batch: the first, and what they grow to
QUEUE = 300.0  # seconds before a batch is sent again that did not fit into the account's queue
ENDED = ("completed", "failed", "expired", "cancelled")


def provider(run: Run) -> Provider:
    """The endpoint that params.yaml names. Raises UserError when its address is none, or rates are set."""
    return Provider(run.params)


class Provider(Collecting):
    """Sends what is collected to the endpoint, and waits for it there."""

    def __init__(self, params: Params):
        super().__init__(params)
        self.price = self.price and (DISCOUNT * self.price[0], DISCOUNT * self.price[1])
        self.batches = None
        self.running: dict[Path, dict[str, dict]] = {}  # the bodies of each open batch

    async def close(self) -> None:
        """Stop waiting. The batches go on."""
        await super().close()
        if self.running:
            requests = sum(map(len, self.running.values()))
            print(
                f"{len(self.running)} batch(es) with {requests:,} requests go on at {self.base_url}: the next run "
                "takes them up, and `synthesis batches cancel` stops them",
                file=sys.stderr,
            )
        if self.batches:
            await self.batches.close()

    # From requests to batches

    async def _submit(self) -> None:
        """Send what came, unless it is under way or answered already."""
        from filelock import AsyncFileLock

        await self._all_there()
        if self.batches is None:
            self.batches, self.store = Batches(self), Store()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            async with AsyncFileLock(self.folder / "lock"):  # of processes that ask the same, one asks
                new, self.new = self.new, {}
                await self._take_up()
                for name in new.keys() & set().union(*self.running.values()):
                    del new[name]
                for part in self._parts(self._not_stored(new)):
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
                say(f"{file} is unknown to {self.base_url}: was it sent with another key? It is left as it is")
            elif batch.status in ENDED:
                await self._keep(file, batch, read_batch(file))
            else:
                self._follow(file, batch)

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
                say(news)
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, LONGEST)
            batch = await self.batches.retrieve(batch.id) or batch
        say(_state(batch))
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
        contents = filter(None, (batch.output_file_id, batch.error_file_id))
        results = await self._kept([line for content in contents for line in await self.batches.lines(content)], bodies)
        file.unlink(missing_ok=True)
        return results


def _state(batch) -> str:
    counts = batch.request_counts
    done = f", {counts.completed + counts.failed:,} of {counts.total:,} requests done" if counts else ""
    return f"{batch.id}: {batch.status}{done}"


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
