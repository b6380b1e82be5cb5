"""Several processes ask for the same rows: each row is asked for once, whoever asks, and whoever is killed."""

import asyncio
import json
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from synthesis import UserError, paths
from synthesis.teacher import loop
from synthesis.teacher.request import Reply, digest
from synthesis.teacher.store import Store
from tests.llm_server import Server
from tests.test_teacher import ask, place, prompts  # noqa: F401

CODE = """
import json, sys
from synthesis.teacher.request import Request
from tests.test_teacher import answers_and_usage, settings
url, start, count, changes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4])
requests = [Request("seed", f"Write review number {i}.") for i in range(start, start + count)]
answers, usage = answers_and_usage(settings(url, **changes), requests)
print(json.dumps({"usage": usage, "texts": [answer.text for answer in answers]}))
"""


@pytest.fixture(scope="module")
def server():
    with Server() as running:
        yield running


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setenv("TEACHER_STORE", str(tmp_path / "teacher.sqlite"))
    return tmp_path / "teacher.sqlite"


def start(space, count=20, first=0, **changes) -> subprocess.Popen:
    """A process that asks for rows."""
    words = [sys.executable, "-c", CODE, space.url, str(first), str(count), json.dumps({"concurrency": 4} | changes)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)


def finish(process: subprocess.Popen) -> tuple[dict, list[str]]:
    """What it has used, and its answers."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    result = json.loads(out)
    return result["usage"], result["texts"]


def claims(path) -> int:
    with closing(sqlite3.connect(path)) as store:
        return store.execute("select count(*) from claims").fetchone()[0]


def wait_for(space, calls: int) -> None:
    while space.stats["calls"] < calls:
        time.sleep(0.02)


def test_two_processes_ask_once_and_share_the_work(server, path):
    space = server.space(latency=0.4)
    processes = [start(space), start(space)]
    (first, texts), (second, same) = map(finish, processes)
    assert space.stats["calls"] == 20 and texts == same and all(texts)
    assert first["asked"] + second["asked"] == 20
    assert first["calls"] == second["calls"] == 20, "an answer that another process paid for counts as stored"
    assert claims(path) == 0 and not list(Path(f"{path}.claims").iterdir())


def test_answers_that_cannot_be_used_are_asked_for_again_by_one(server, path):
    space = server.space(latency=0.2, texts=["", "The second answer is a text."])
    for usage, texts in map(finish, [start(space, 8, attempts=2) for _ in range(2)]):
        assert usage["calls"] == 16 and texts == ["The second answer is a text."] * 8
    assert space.stats["calls"] == 16


def test_what_a_killed_process_asked_for_is_free_at_once(server, path):
    space = server.space(latency=0.5)
    killed = start(space)
    wait_for(space, 6)
    living = start(space)
    wait_for(space, 12)
    killed.kill()
    killed.communicate()
    began = time.monotonic()
    usage, texts = finish(living)
    assert time.monotonic() - began < 20 and all(texts) and usage["calls"] == 20
    assert space.stats["calls"] <= 20 + 4
    assert claims(path) == 0 and not list(Path(f"{path}.claims").iterdir())


def test_a_stopped_run_gives_its_rows_up(server, path):
    space = server.space()
    with pytest.raises(UserError, match="budget"):
        ask(space, prompts(20), budget={"requests": 5})
    assert claims(path) == 0
    _, usage = ask(space, prompts(20))
    assert (usage["asked"], usage["stored"]) == (15, 5)


def test_who_waits_says_so(server, path, monkeypatch, capsys):
    monkeypatch.setattr(loop, "POLL", 0.02)
    space, other, claimed = server.space(), Store(), threading.Event()
    body = {
        "model": "m", "messages": [{"role": "user", "content": "Write review number 0."}], "temperature": 0.9,
        "max_tokens": 50,
    }  # fmt: skip

    async def claim_and_answer():
        key = digest(body)
        assert await other.claim([(key, 0)]) == {(key, 0)}
        claimed.set()
        wait_for(space, 1)
        await asyncio.sleep(0.5)
        await other.put(key, 0, 0, body, Reply("The other one has written this text."))

    thread = threading.Thread(target=asyncio.run, args=[claim_and_answer()])
    thread.start()
    claimed.wait(10)
    answers, usage = ask(space, prompts(2))
    thread.join()
    other.close()
    assert answers[0].text == "The other one has written this text." and (usage["asked"], usage["stored"]) == (1, 1)
    assert capsys.readouterr().err.count(f"process ({os.getpid()}): waiting") == 1


def test_a_run_out_of_the_store_claims_nothing(server, path):
    ask(server.space(), prompts(5))
    before = path.stat().st_mtime_ns, Path(f"{path}.claims").stat().st_mtime_ns
    ask(server.space(), prompts(5))
    assert before[1] == Path(f"{path}.claims").stat().st_mtime_ns


@pytest.mark.parametrize("seed", range(3))
def test_a_row_has_one_owner_at_a_time(path, seed):
    """Threads with a store of their own are like processes: they claim and free rows in any order."""
    owners, lock, wrong = {}, threading.Lock(), []

    async def work(name: int):
        dice, store = random.Random(f"{seed} {name}"), Store()
        for _ in range(25):
            keys = [(f"row {dice.randrange(12)}", dice.randrange(2)) for _ in range(dice.randrange(1, 6))]
            claimed = await store.claim(keys)
            with lock:
                wrong.extend(key for key in claimed if key in owners)
                owners.update(dict.fromkeys(claimed, name))
            await asyncio.sleep(dice.random() / 200)
            with lock:
                for key in claimed:
                    del owners[key]
            for key in claimed:
                store.claims.free(key)
        store.close()

    threads = [threading.Thread(target=asyncio.run, args=[work(name)]) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and claims(path) == 0


def test_a_store_of_the_first_version_gets_claims(path):
    with closing(Store()) as store:
        store.reading.executescript("drop table claims; pragma user_version = 1")

    async def claim():
        with closing(Store()) as store:
            return await store.claim([("key", 0)])

    assert asyncio.run(claim()) == {("key", 0)}


def test_a_relative_path_counts_from_the_repository_of_the_experiment(monkeypatch):
    monkeypatch.setenv("TEACHER_STORE", "answers.sqlite")
    monkeypatch.delenv("DVC_ROOT", raising=False)
    assert paths.user_file("TEACHER_STORE", "teacher.sqlite") == Path("answers.sqlite")
    monkeypatch.setenv("DVC_ROOT", "/home/me/repository")
    assert paths.user_file("TEACHER_STORE", "teacher.sqlite") == Path("/home/me/repository/answers.sqlite")
    monkeypatch.setenv("TEACHER_STORE", "/elsewhere/answers.sqlite")
    assert paths.user_file("TEACHER_STORE", "teacher.sqlite") == Path("/elsewhere/answers.sqlite")
