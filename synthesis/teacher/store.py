"""The response store: every answer that was paid for, kept under the exact request. `synthesis store` looks after it.

SQLite in WAL mode with synchronous=FULL: what is committed survives kill -9 as well as a power cut. One
thread commits for all, in groups, so that hundreds of answers share one fsync and nobody waits for a disk.
Which rows are being asked for, and by whom, stands in the same file: claims.py. Answers that are recorded in the
repository (exports.py) count as stored.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import sqlite3
import threading
import time
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from synthesis import UserError
from synthesis.paths import user_file
from synthesis.teacher import exports
from synthesis.teacher.claims import Claims, Key
from synthesis.teacher.exports import COLUMNS, REPLY
from synthesis.teacher.request import Reply, canonical

VERSION = 3  # 1 had no claims, 2 no answers without counts of tokens and no tokens_reasoning
GROUP = 200  # answers, or groups of claims, in one commit at most
WAIT = 60  # seconds to wait for another process that writes
SCHEMA = """
create table if not exists answers (
  request text not null, sample integer not null, attempt integer not null, body text not null, text text not null,
  finish text not null, tokens_in integer, tokens_out integer, model text not null, tokens_reasoning integer,
  created real not null, used real not null, hits integer not null default 0,
  primary key (request, sample, attempt));
create table if not exists claims (
  request text not null, sample integer not null, owner text not null, primary key (request, sample)) without rowid;
"""
EARLIER = ["request", "sample", "attempt", "body", "text", "finish", "tokens_in", "tokens_out", "model", "created"]
EARLIER += ["used", "hits"]  # the columns of versions 1 and 2
GET = f"select rowid, {', '.join(REPLY)} from answers where request = ? and sample = ? and attempt = ?"
# What is there already stays: the first answer is the one that others may have used.
PUT = f"insert or ignore into answers ({', '.join(COLUMNS)}, used) values "
PLACES = f"({', '.join('?' * (len(COLUMNS) + 1))})"


def default_path() -> Path:
    """$TEACHER_STORE, or a file in the user's cache directory."""
    return user_file("TEACHER_STORE", "teacher.sqlite")


def shared_folder() -> Path:
    """$TEACHER_SHARED, a folder that all machines see, for what they exchange; by default one beside the store."""
    folder = user_file("TEACHER_SHARED", "") if os.environ.get("TEACHER_SHARED") else f"{default_path()}.shared"
    return Path(folder).absolute()


class Store:
    """Answers by (request, sample, attempt). Any number of processes may share the file.

    Every method raises UserError when the file is corrupt, read-only, full, or of a newer version.
    """

    def __init__(self, path=None):
        self.path = Path(path) if path else default_path()
        with self._guard():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.reading = self._connect()
            self._create()
        self.hits = set()  # rowids of the answers that were taken
        self.claims = Claims(self.path)
        self.waiting = queue.SimpleQueue()
        self.writer = None

    @cached_property
    def recorded(self) -> dict[tuple, tuple]:
        """Answers of the repository, by request, sample and attempt. They are read when something is not here."""
        return exports.recorded()

    def get(self, request: str, sample: int, attempt: int) -> Reply | None:
        """The stored answer, if there is one."""
        with self._guard():
            row = self.reading.execute(GET, (request, sample, attempt)).fetchone()
        if row is not None:
            self.hits.add(row[0])
            return Reply(*row[1:])
        recorded = self.recorded.get((request, sample, attempt))
        return Reply(*recorded[4:-1]) if recorded else None  # without its key, body and time

    def stored(self, requests: list[str]) -> set[str]:
        """Those of the requests that have any answer: one query for all, where most have none."""
        wanted = "select request from answers where request in (select value from json_each(?))"
        with self._guard():
            stored = {request for (request,) in self.reading.execute(wanted, (json.dumps(requests),))}
        return stored | {request for request, *_ in self.recorded}.intersection(requests)

    async def put(self, request: str, sample: int, attempt: int, body: dict, reply: Reply) -> Reply:
        """Keep an answer; return when it is on disk. What is returned is the answer that others see, too."""
        now = time.time()
        row = (request, sample, attempt, canonical(body), *(getattr(reply, name) for name in REPLY), now, now)
        return await self._written((row, reply))

    async def claim(self, keys: list[Key]) -> set[Key]:
        """Claim rows, each a request and a sample. Returns those that no other living process has claimed."""
        return await self._written(keys)

    def close(self) -> None:
        """Write what still waits, count the hits, and give the claims up."""
        if self.writer:
            self.waiting.put(None)
            self.writer.join()
        with self._guard():
            if self.hits:
                mark = "update answers set hits = hits + 1, used = ? where rowid in (select value from json_each(?))"
                self.reading.execute(mark, (time.time(), json.dumps(sorted(self.hits))))
            self.claims.close(self.reading)
            self.reading.close()

    def _connect(self):
        connection = sqlite3.connect(self.path, timeout=WAIT, isolation_level=None)
        connection.execute("pragma synchronous = full")
        return connection

    def _create(self) -> None:
        version = self.reading.execute("pragma user_version").fetchone()[0]
        if version > VERSION:
            raise UserError(f"{self.path} was written by a newer version of the code: update it, or set TEACHER_STORE")
        if version < VERSION:
            # The change to WAL wants the file for itself and, unlike all else here, does not wait for it.
            for pause in (0.01, 0.1, 1, 3, None):
                try:
                    self.reading.execute("pragma journal_mode = wal")
                    break
                except sqlite3.OperationalError as error:
                    if "locked" not in str(error) or pause is None:
                        raise
                    time.sleep(pause)
            self._migrate()

    def _migrate(self) -> None:
        """Make the tables, or bring those of an earlier version up to date, all or nothing."""
        with self.reading:
            self.reading.execute("begin immediate")
            version = self.reading.execute("pragma user_version").fetchone()[0]  # another process may have been first
            if 0 < version < VERSION:
                self.reading.execute("alter table answers rename to earlier")
            for statement in filter(str.strip, SCHEMA.split(";")):
                self.reading.execute(statement)
            if 0 < version < VERSION:
                names = ", ".join(EARLIER)
                self.reading.execute(f"insert into answers ({names}) select {names} from earlier order by rowid")
                self.reading.execute("drop table earlier")
            self.reading.execute(f"pragma user_version = {VERSION}")

    async def _written(self, what: tuple | list):
        """What comes of an answer (row, reply) or of claims [key, ...] when the writer has committed them."""
        if self.writer is None:
            self.writer = threading.Thread(target=self._write, name="teacher store", daemon=True)
            self.writer.start()
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        self.waiting.put((what, loop, done))
        return await done

    def _write(self) -> None:
        """The one writer: takes what waits, commits it in one transaction, and wakes those who wait."""
        connection = None
        while (first := self.waiting.get()) is not None:
            group = [first]
            while len(group) < GROUP and not self.waiting.empty():
                if (item := self.waiting.get()) is None:
                    self.waiting.put(None)
                    break
                group.append(item)
            try:
                with self._guard():
                    connection = connection or self._connect()
                    results = self._commit(connection, [what for what, *_ in group])
            except Exception as error:  # whatever it is, those who wait must hear of it
                results = [error] * len(group)
            group[0][1].call_soon_threadsafe(_wake, group, results)
        if connection:
            connection.close()

    def _commit(self, connection, group: list) -> list[Reply | set[Key]]:
        with connection:
            connection.execute("begin immediate")
            kept = iter(_insert(connection, [what for what in group if isinstance(what, tuple)]))
            return [next(kept) if isinstance(what, tuple) else self.claims.take(connection, what) for what in group]

    @contextmanager
    def _guard(self, path: Path | None = None):
        """Errors of SQLite and of the disk become one line that names the file, another one's path, and the way out."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise UserError(
                f"the response store {path or self.path} cannot be used ({error}): mend it, move it away, or set "
                "TEACHER_STORE"
            ) from None

    # For the commands `store` and `lineage`

    def entry(self, request: str, sample: int, attempt: int) -> dict | None:
        """All that is kept of one answer, its `body` read; None when it is not there. Counts as no hit."""
        wanted = f"select {', '.join(COLUMNS)} from answers where request = ? and sample = ? and attempt = ?"
        with self._guard():
            row = self.reading.execute(wanted, (request, sample, attempt)).fetchone()
        row = row or self.recorded.get((request, sample, attempt))
        return exports.entry(row) if row else None

    def info(self) -> dict:
        """Its path, size in bytes, entries, hits and tokens, and the entries by model."""
        with self._guard():
            sums = "select count(*), total(hits), total(tokens_in), total(tokens_out) from answers"
            totals = map(int, self.reading.execute(sums).fetchone())
            models = dict(self.reading.execute("select model, count(*) from answers group by model order by 2 desc"))
            files = [self.path, Path(f"{self.path}-wal")]
            size = sum(file.stat().st_size for file in files if file.exists())
        counts = dict(zip(("entries", "hits", "tokens_in", "tokens_out"), totals, strict=True))
        return {"path": str(self.path), "bytes": size, **counts, "models": models}

    def prune(self, days: float | None, model: str | None) -> int:
        """Delete the answers that were not used for so many days, or that the model wrote; both conditions, if both.

        Returns how many they were.
        """
        before = time.time() - (days or 0) * 86400
        with self._guard():
            deleted = self.reading.execute(
                "delete from answers where used <= ? and (? is null or model = ?)", (before, model, model)
            )
            self.reading.execute("vacuum")
        return deleted.rowcount

    def export(self, file) -> int:
        """Write every answer to an open file as a line of JSON. Returns how many they are."""
        with self._guard():
            wanted = f"select {', '.join(COLUMNS)} from answers order by request, sample, attempt"
            return exports.write(self.reading.execute(wanted), file)

    def merge(self, path: Path) -> None:
        """Add the answers of another store that are not here yet. One whose process was killed at once has no table."""
        columns = ", ".join([*COLUMNS, "used"])
        with self._guard(path):
            self.reading.execute("attach ? as other", (str(path),))
            if self.reading.execute("select 1 from other.sqlite_master where name = 'answers'").fetchone():
                self.reading.execute(f"insert or ignore into answers ({columns}) select {columns} from other.answers")
            self.reading.execute("detach other")

    def take(self, lines, name: str) -> int:
        """Add the answers of an export that are not there yet, all or none. Returns how many they are.

        name: what errors call the lines. Raises UserError that names a bad line.
        """
        count, now = 0, time.time()
        with self._guard():
            self.reading.execute("begin immediate")
        try:
            for row in exports.read(lines, name):  # whose errors are those of the export
                with self._guard():
                    count += self.reading.execute(PUT + PLACES, (*row, now)).rowcount
        except BaseException:
            if self.reading.in_transaction:  # a full disk has ended it already
                self.reading.execute("rollback")
            raise
        with self._guard():
            self.reading.execute("commit")
        return count


def _insert(connection, answers: list[tuple]) -> list[Reply]:
    """Keep answers, each a row and its reply, in one statement. Returns those that others see, too."""
    values = [value for row, _ in answers for value in row]
    if answers and connection.execute(PUT + ",".join([PLACES] * len(answers)), values).rowcount < len(answers):
        return [Reply(*connection.execute(GET, row[:3]).fetchone()[1:]) for row, _ in answers]
    return [reply for _, reply in answers]


def _wake(group: list, results: list) -> None:
    for (*_, done), result in zip(group, results, strict=True):
        if done.done():  # the run was stopped meanwhile
            continue
        if isinstance(result, Exception):
            done.set_exception(result)
        else:
            done.set_result(result)
