"""A command of yours works through files in OpenAI's batch format: `vllm run-batch`, `sbatch -W`, `ray job submit`.

All that is asked at once becomes one file of requests. asking.launcher is started with it and waited for, and what
stands in its file of answers goes to the response store. Both files lie in `batch-file` of $TEACHER_SHARED until then.
The lock on the requests is held by this process and by the command: when a run dies, the next one waits for a command
that goes on, and then takes up what it has answered.
"""

from __future__ import annotations

import asyncio
import fcntl
import shlex
from contextlib import contextmanager, nullcontext
from pathlib import Path
from uuid import uuid4

from synthesis import UserError
from synthesis.params import Params
from synthesis.run import Run
from synthesis.teacher.collecting import Collecting, say
from synthesis.teacher.endpoint import KEPT, read_batch
from synthesis.teacher.request import Failed, Rejected, Reply
from synthesis.teacher.store import Store, shared_folder

POLL = 1.0  # seconds between two looks at a command that another process has started
ENDING = ".requests.jsonl"


def provider(run: Run) -> Provider:
    """The command that params.yaml names. Raises UserError when there is none, or rates are set."""
    return Provider(run.params)


class Provider(Collecting):
    """Hands what is collected to the command, one file after another."""

    way_out = "check what asking.launcher writes"

    def __init__(self, params: Params):
        super().__init__(params)
        if not params.asking.launcher:
            raise UserError(
                "teacher.provider: batch-file needs asking.launcher, the command that answers a file of requests, such "
                "as `vllm run-batch -i {requests} -o {answers} --model NAME`"
            )
        self.words, self.price, self.base_url = shlex.split(params.asking.launcher), None, "asking.launcher"
        self.folder = shared_folder() / "batch-file"
        self.turn = asyncio.Lock()
        self.process = None

    async def close(self) -> None:
        """Stop waiting, and end the command if it still runs."""
        await super().close()
        if self.process and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()

    async def _submit(self) -> None:
        await self._all_there()
        async with self.turn:
            new, self.new = self.new, {}
            self.store = self.store or Store()
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                await self._take_up(new)
                for part in self._parts(self._not_stored(new)):
                    await self._work(part)
            except OSError as error:
                raise UserError(f"{self.folder} cannot be used: {error}") from None

    async def _take_up(self, new: dict) -> None:
        """Keep what the commands of dead runs have answered. One that still works on what is asked is waited for."""
        for file in self.folder.glob(f"*{ENDING}"):
            bodies, waits = read_batch(file), False
            while (lock := _lock(file)) is None and file.exists() and new.keys() & bodies.keys():
                if not waits:
                    say(f"a command of an earlier run still works on {file}: waiting for it")
                waits = True
                await asyncio.sleep(POLL)
            if lock is not None:
                with lock:
                    await self._keep(file, bodies)

    async def _work(self, lines: list[str]) -> None:
        """Have the command answer these; then everybody who waits gets an answer, or the reason why there is none."""
        with self._file(lines) as (file, lock):
            bodies = read_batch(file)
            say(f"{len(bodies):,} requests in {file}: waiting for `{self.words[0]}`")
            code = await self._run(file, lock)
            there = _answers(file).exists()
            results = await self._keep(file, bodies)
        count = sum(isinstance(result, Reply) for result in results.values())
        if code:
            raise UserError(
                f"asking.launcher (`{self.words[0]}`) failed with exit code {code}, why should stand above. "
                f"{count:,} of {len(bodies):,} requests were answered. {KEPT}"
            )
        if not there:
            raise UserError(f"asking.launcher (`{self.words[0]}`) ended well, but has not written {_answers(file)}")
        missing = Failed("its answer is missing in the answer file")
        outcomes = {name: results.get(name, missing) for name in bodies}
        failures = [outcome for outcome in outcomes.values() if isinstance(outcome, Failed)]
        if len(failures) == len(bodies):
            if self.answered and not any(failure is missing or failure.limited for failure in failures):
                # Other rows were answered, and these have failed before or come alone: they cannot be.
                for name, failure in outcomes.items():
                    self._settle(name, Rejected(str(failure)))
                return
            raise UserError(
                f"asking.launcher (`{self.words[0]}`) has answered none of {len(bodies):,} requests. "
                f"What came for the first: {failures[0]}"
            )
        if failures:
            say(
                f"{count:,} of {len(bodies):,} requests were answered, {len(failures):,} are asked again. "
                f"What came for the first of these: {failures[0]}"
            )
        for name, outcome in outcomes.items():
            self._settle(name, outcome)

    async def _run(self, file: Path, lock) -> int:
        """The exit code of the command."""
        places = {"{requests}": str(file), "{answers}": str(_answers(file))}
        words = list(self.words)
        for place, path in places.items():
            words = [word.replace(place, path) for word in words]
        try:
            self.process = await asyncio.create_subprocess_exec(
                *words, stdin=asyncio.subprocess.DEVNULL, stdout=2, pass_fds=[lock.fileno()]
            )
        except OSError as error:
            file.unlink()
            raise UserError(f"asking.launcher cannot be started: {error}") from None
        return await self.process.wait()

    @contextmanager
    def _file(self, lines: list[str]):
        """A locked file of requests, which is deleted when its answers are kept."""
        draft = self.folder / f"{uuid4().hex}.draft"
        draft.write_text("".join(lines), encoding="utf-8")
        with _lock(draft) as lock:
            yield draft.rename(draft.with_name(draft.stem + ENDING)), lock

    async def _keep(self, file: Path, bodies: dict) -> dict[str, Reply | Rejected | Failed | UserError]:
        """Put what is answered into the response store, and delete both files. Returns the answers, and errors."""
        with _answers(file).open("rb") if _answers(file).exists() else nullcontext([]) as lines:
            results = await self._kept(lines, bodies)
        _answers(file).unlink(missing_ok=True)
        file.unlink(missing_ok=True)
        return results


def _answers(file: Path) -> Path:
    return file.with_name(file.name.removesuffix(ENDING) + ".answers.jsonl")


def _lock(file: Path):
    """The file, open and locked until it is closed, here and by commands that it was passed to.

    None when it is locked already, or gone. Raises OSError.
    """
    try:
        opened = file.open("rb+")
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        opened.close()
        return None
    return opened
