"""Claims of rows: of all processes that share a response store, one asks for a row, and the others take its answer.

A claim is a line of the store that names its owner. The owner holds a lock on a file of `<store>.claims/` while it
lives. The operating system frees that lock however the process ends, kill -9 included, so that no claim outlives its
owner, and none runs out while an answer takes long.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections import deque
from pathlib import Path
from uuid import uuid4

Key = tuple[str, int]  # of a row: request and sample, as in the response store

TAKE = """insert or ignore into claims
          select json_extract(value, '$[0]'), json_extract(value, '$[1]'), ? from json_each(?)
          returning request, sample"""


class Claims:
    """The claims of this process. Nothing is written before the first one.

    The methods that take a connection to the store raise sqlite3.Error and OSError.
    """

    def __init__(self, store: Path):
        self.folder = Path(f"{store}.claims")
        self.owner = f"{os.getpid()}-{uuid4().hex[:12]}"
        self.lock = None
        self.finished: deque[Key] = deque()  # rows whose claims the next write gives up
        self.others: set[str] = set()  # the processes that had claims, too, when last looked at

    def take(self, connection: sqlite3.Connection, keys: list[Key]) -> set[Key]:
        """Claim rows, in a transaction. Returns those that no other living process has claimed: this one's now."""
        if self.lock is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.lock = _lock(self.folder / self.owner)
            self.lock.acquire()
        self._give_up(connection)
        self._sweep(connection)
        return set(connection.execute(TAKE, (self.owner, json.dumps(keys))).fetchall())

    def free(self, key: Key) -> None:
        """The row has its answer, or will get none: give its claim up with the next ones that are taken."""
        self.finished.append(key)

    def close(self, connection: sqlite3.Connection) -> None:
        """Give all claims up."""
        if self.lock is not None:
            connection.execute("delete from claims where owner = ?", (self.owner,))
            self.lock.release()
            (self.folder / self.owner).unlink(missing_ok=True)

    def _give_up(self, connection: sqlite3.Connection) -> None:
        keys = [(*self.finished.popleft(), self.owner) for _ in range(len(self.finished))]
        connection.executemany("delete from claims where request = ? and sample = ? and owner = ?", keys)

    def _sweep(self, connection: sqlite3.Connection) -> None:
        """Delete the claims of the dead."""
        owners = connection.execute("select distinct owner from claims where owner != ?", (self.owner,)).fetchall()
        dead = [owner for owner in owners if not _alive(self.folder / owner[0])]
        connection.executemany("delete from claims where owner = ?", dead)
        self.others = {owner.partition("-")[0] for (owner,) in owners if (owner,) not in dead}


def _lock(file: Path):
    from filelock import FileLock

    return FileLock(file, thread_local=False)  # one thread claims, another one closes


def _alive(file: Path) -> bool:
    """Whether the owner still holds its lock. The file that a dead one has left is deleted."""
    from filelock import Timeout

    if not file.exists():
        return False
    lock = _lock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    file.unlink(missing_ok=True)
    return False
