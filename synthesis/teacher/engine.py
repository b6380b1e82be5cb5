"""asking.engine: ray. Tasks of a Ray cluster ask for what is not stored; the usual loop then finds it in the store.

Each task runs the usual loop over its shard of the rows, with its share of concurrency, limits and what is left of the
budget, and with a response store of its own, since SQLite cannot be shared over a network. These stores lie in `ray` of
$TEACHER_SHARED until they are merged, which the next run does if this one dies. Whatever a task leaves undone, the
usual loop does, so that the outcome, and what is said where there is none, are those of the engine `local`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import shutil
import socket
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from filelock import FileLock, Timeout

from synthesis import UserError, files
from synthesis.params import Asking as Settings
from synthesis.params import Budget, Engine
from synthesis.teacher import spending
from synthesis.teacher.ask import provider
from synthesis.teacher.collecting import say
from synthesis.teacher.loop import Asking, Row
from synthesis.teacher.request import Check, Request
from synthesis.teacher.store import Store, shared_folder

if TYPE_CHECKING:
    from synthesis.run import Run

STORE = "teacher.sqlite"
NOTHING = spending.total([])
CONNECT = 10  # seconds
PATIENCE = 60  # seconds that tasks may go on whose driver is gone: Ray ends them


def warm(run: Run, requests: list[Request], title: str, check: Check | None, before: dict) -> dict:
    """Have Ray tasks ask for what the response store does not answer, and put their answers there.

    before: what was spent, as spending.py has it. Returns it with what those of their calls may have cost that were
    sent and not answered. Raises UserError when there is no Ray, or the provider can be asked on this machine only.
    """
    teacher = provider(run)
    if not getattr(teacher, "anywhere", False):
        raise UserError(
            f"asking.engine.kind: ray has several machines ask an endpoint (provider: openai), and teacher.provider is "
            f"{run.params.teacher.provider}: set asking.engine.kind to local"
        )
    plan = Asking(teacher, requests, run.params, title, check, before)
    with closing(plan.store) as store:
        merge(store)
        pending = plan.not_stored(plan.rows)
        claimed = asyncio.run(store.claim([row.id for row in pending])) if pending else ()
        pending = [row for row in pending if row.id in claimed]  # the others are asked for by another process
        if not pending:
            return before
        folder = shared_folder() / "ray" / uuid4().hex
        folder.mkdir(parents=True)
        try:
            with FileLock(folder / "lock"):
                lost = _spread(run, title, check, plan, pending, folder)
        finally:
            merge(store)
        return spending.total([before, *lost])


def merge(store: Store) -> None:
    """Put what the tasks of runs that have ended, or died, have answered into the store. Raises UserError."""
    for folder in (shared_folder() / "ray").glob("*"):
        try:
            with FileLock(folder / "lock", timeout=0):
                for task in folder.glob("*/"):
                    with FileLock(task / "lock", timeout=PATIENCE):
                        if (task / STORE).exists():
                            store.merge(task / STORE)
                shutil.rmtree(folder)
        except Timeout as error:
            if Path(error.lock_file).parent != folder:
                raise UserError(
                    f"Ray tasks of a run that died still write to {folder}: end them, and try again"
                ) from None


def _spread(run: Run, title: str, check: Check | None, plan: Asking, pending: list[Row], folder: Path) -> list[dict]:
    """Ask for the rows in tasks, and wait for them. Returns what each has sent in vain, as spending.py has it."""
    ray = connect(run.params.asking.engine)
    settings = run.params.asking
    limits = settings.concurrency, settings.requests_per_minute, settings.tokens_per_minute
    count = min(settings.engine.shards, len(pending), *filter(None, limits))
    run = dataclasses.replace(run, params=run.params.model_copy(update={"asking": _share(settings, plan, count)}))
    say(f"{title}: {len(pending):,} rows are asked for by {count} Ray tasks")
    home, task, waiting, lost = ray.get_runtime_context().get_node_id(), ray.remote(_work), {}, []
    for number in range(count):
        own, asked = folder / str(number), [(row.request, row.sample, row.attempt) for row in pending[number::count]]
        waiting[task.remote(run, title, check, asked, own, home)] = own
    try:
        while waiting:
            [done], _ = ray.wait(list(waiting), num_returns=1)
            own = waiting.pop(done)
            try:
                answered, usage, reason, content = ray.get(done)
            except ray.exceptions.RayError as error:
                answered, usage, reason, content = 0, NOTHING, str(error).strip().splitlines()[-1], None
            if content is not None and not (own / STORE).exists():
                with files.whole(own / STORE) as draft:
                    draft.write_bytes(content)
            lost.append(usage)
            ended = f"ended with {answered:,} rows" if not reason else f"was stopped: {reason}"
            say(f"{title}: a task {ended}; tasks that still run: {len(waiting)}")
    finally:
        for task in waiting:
            ray.cancel(task, force=True)
    return lost


def _share(settings: Settings, plan: Asking, count: int) -> Settings:
    """The settings of one of `count` tasks: together they stay within the limits, and what is left of the budget."""
    shares = {
        name: max(1, whole // count)
        for name in ("concurrency", "requests_per_minute", "tokens_per_minute")
        if (whole := getattr(settings, name)) is not None
    }
    left = {kind: max(0, plan.budget.left(kind)) / count for kind in plan.budget.limits}
    whole = {kind: amount if kind == "dollars" else int(amount) for kind, amount in left.items()}
    address = settings.base_url or os.environ.get("OPENAI_BASE_URL")
    return settings.model_copy(update=shares | {"budget": Budget.model_construct(**whole), "base_url": address})


def connect(engine: Engine):
    """Ray, connected to the cluster, or to one that is started here for this run. Raises UserError."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to its makers
    try:
        import ray
    except ImportError:
        raise UserError("asking.engine.kind: ray needs a package: `pip install ray`, or set it to local") from None
    if ray.is_initialized():
        return ray
    place = {"address": engine.address} if engine.address else {"num_cpus": engine.shards, "include_dashboard": False}
    host, _, port = (engine.address or "").rpartition(":")
    try:
        if port.isdecimal() and "/" not in host:  # Ray itself would try for minutes
            socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT).close()
        ray.init(**place, log_to_driver=False, logging_level="warning")
    except (OSError, RuntimeError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"asking.engine.address {engine.address or '(empty)'}: no Ray there: {reason}") from None
    return ray


def _work(run: Run, title: str, check: Check | None, asked: list[tuple], folder: Path, home: str) -> tuple:
    """One task: ask for rows (request, sample, attempt), with a store in `folder`. A repeated task goes on there.

    Returns how many rows have an answer, what was sent in vain, why it stopped, if it did, and its store, unless the
    driver, whose node is `home`, sees it anyway.
    """
    import ray

    folder.mkdir(parents=True, exist_ok=True)
    requests, reason = [dataclasses.replace(request, sample=sample) for request, sample, _ in asked], ""
    asking = Asking(provider(run), requests, run.params, title, check, NOTHING, folder / STORE)
    for row, (*_, attempt) in zip(asking.rows, asked, strict=True):
        row.attempt = attempt  # those before it are in the driver's store
    with FileLock(folder / "lock"):
        try:
            asyncio.run(asking.run())
        except UserError as error:
            reason = str(error)
        content = None if ray.get_runtime_context().get_node_id() == home else (folder / STORE).read_bytes()
    lost = asking.budget.before
    usage = NOTHING | {"calls": lost["requests"], "tokens_at_most": lost["tokens"], "dollars": lost["dollars"]}
    return sum(answer is not None for answer in asking.answers), usage, reason, content
