"""The response store: durable, shared, and readable by people."""

import asyncio
import json
import sqlite3
import subprocess
import sys

import pytest

from synthesis import UserError
from synthesis.commands import store as command
from synthesis.teacher.request import Reply, digest
from synthesis.teacher.store import Store, default_path

BODY = {"model": "m", "messages": [{"role": "user", "content": "Ein „Satz“ 🎬"}]}
KEY = digest(BODY)


@pytest.fixture
def path(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "teacher.sqlite"
    monkeypatch.setenv("TEACHER_STORE", str(path))
    return path


def fill(count=3, model="m"):
    async def put(store):
        replies = [Reply(f"answer {i}", "stop", 5, 7, model) for i in range(count)]
        return await asyncio.gather(*(store.put(KEY, i, 0, BODY, reply) for i, reply in enumerate(replies)))

    store = Store()
    kept = asyncio.run(put(store))
    store.close()
    return kept


def look(sample=0, attempt=0):
    store = Store()
    found = store.get(KEY, sample, attempt)
    store.close()
    return found


def test_what_is_put_is_found_by_every_part_of_its_key(path):
    kept = fill()
    assert look(1) == kept[1] == Reply("answer 1", "stop", 5, 7, "m")
    assert look(3) is None and look(0, 1) is None


def test_another_store_that_was_never_begun_adds_nothing_and_a_broken_one_is_named(path, tmp_path):
    fill()
    other, store = tmp_path / "other.sqlite", Store()
    other.touch()
    store.merge(other)
    assert store.info()["entries"] == 3
    other.write_text("no database " * 1000)
    with pytest.raises(UserError, match=f"the response store {other} cannot be used"):
        store.merge(other)
    store.close()


def test_an_answer_is_on_disk_before_put_returns(path):
    async def put_and_look():
        store = Store()
        await store.put(KEY, 0, 0, BODY, Reply("kept"))
        with sqlite3.connect(path) as other:
            found = other.execute("select text from answers").fetchall()
        store.close()
        return found

    assert asyncio.run(put_and_look()) == [("kept",)]


def test_unknown_counts_stay_unknown(path):
    async def put(store):
        return await store.put(KEY, 0, 0, BODY, Reply("text", "stop", None, None, "m", None))

    store = Store()
    kept = asyncio.run(put(store))
    store.close()
    assert look() == kept and (kept.tokens_in, kept.tokens_out, kept.tokens_reasoning) == (None, None, None)


@pytest.mark.parametrize("version", [1, 2])
def test_a_store_of_an_earlier_version_is_brought_up_to_date(path, version):
    path.parent.mkdir()
    with sqlite3.connect(path) as old:
        old.executescript(f"""
            create table answers (
              request text not null, sample integer not null, attempt integer not null, body text not null,
              text text not null, finish text not null, tokens_in integer not null, tokens_out integer not null,
              model text not null, created real not null, used real not null, hits integer not null default 0,
              primary key (request, sample, attempt));
            insert into answers values ('{KEY}', 0, 0, '{{}}', 'an old answer', 'stop', 5, 7, 'm', 1.0, 2.0, 3);
            pragma user_version = {version};""")
    assert look() == Reply("an old answer", "stop", 5, 7, "m", None)
    assert len(fill(2)) == 2 and look(1).text == "answer 1" and look().text == "an old answer"


def test_the_first_answer_wins(path):
    fill(3)
    assert [reply.model for reply in fill(5, "later")] == ["m"] * 3 + ["later"] * 2


def test_stored_are_those_with_any_answer(path):
    fill(2)
    store = Store()
    assert store.stored([KEY, "other"]) == {KEY} and store.stored([]) == set()
    store.close()


def test_hundreds_at_once_share_commits(path):
    assert len(fill(1000)) == 1000
    assert look(999).text == "answer 999"


def test_answers_that_wait_are_written_at_the_end(path):
    async def stopped():
        store = Store()
        tasks = [asyncio.create_task(store.put(KEY, i, 0, BODY, Reply("kept"))) for i in range(50)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        store.close()

    asyncio.run(stopped())
    assert look(49).text == "kept"


def test_default_path(monkeypatch):
    monkeypatch.delenv("TEACHER_STORE", raising=False)
    assert default_path().parts[-2:] == ("synthesis-step-by-step", "teacher.sqlite")


def one_line(path):
    with pytest.raises(UserError) as error:
        command.info()
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    return str(error.value)


def test_a_corrupt_file_is_told(path):
    path.parent.mkdir()
    path.write_bytes(b"no database " * 1000)
    assert "not a database" in one_line(path)


def test_a_damaged_file_is_told(path):
    fill(200)
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)
    one_line(path)


def test_a_folder_that_cannot_be_made_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TEACHER_STORE", str(tmp_path / "file" / "teacher.sqlite"))
    one_line(tmp_path / "file")


def test_a_disk_that_takes_no_more_is_told(path, monkeypatch):
    fill(1)
    opened = Store._connect

    def read_only(self):
        connection = opened(self)
        connection.execute("pragma query_only = on")
        return connection

    monkeypatch.setattr(Store, "_connect", read_only)
    with pytest.raises(UserError, match="readonly"):
        fill(2)


def test_an_unexpected_error_reaches_those_who_wait(path, monkeypatch):
    monkeypatch.setattr(Store, "_commit", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fill(2)


def test_a_newer_version_is_told(path):
    fill(1)
    with sqlite3.connect(path) as connection:
        connection.execute("pragma user_version = 99")
    assert "newer version" in one_line(path)


def test_processes_that_start_together_share_a_new_file(path):
    code = "from tests.test_store import fill; fill(300)"
    processes = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(4)]
    assert [process.communicate(timeout=60)[1] for process in processes] == [b""] * 4
    store = Store()
    assert store.info()["entries"] == 300
    store.close()


def test_info_counts_entries_hits_and_tokens(path, capsys):
    fill(3)
    look(1)
    look(1)
    look(7)
    command.info()
    info = json.loads(capsys.readouterr().out)
    assert (info["entries"], info["hits"], info["tokens_in"], info["tokens_out"]) == (3, 2, 15, 21)
    assert info["models"] == {"m": 3} and info["bytes"] > 0 and info["path"] == str(path)


def test_prune_by_last_use_and_by_model(path, capsys):
    fill(3)
    fill(5, "other")
    with sqlite3.connect(path) as connection:
        connection.execute("update answers set used = used - 10 * 86400 where sample < 2")
    look(0)  # used today
    command.prune(older_than=7)
    assert look(0) and look(1) is None and look(2)
    command.prune(model="other")
    assert look(2) and look(3) is None
    with pytest.raises(UserError, match="--older-than"):
        command.prune()


def test_export_and_import_are_the_same_answers_once(path, tmp_path, monkeypatch, capsys):
    fill(3)
    file = tmp_path / "answers.jsonl"
    command.export(file)
    assert json.loads(file.read_text(encoding="utf-8").splitlines()[0])["body"] == BODY
    monkeypatch.setenv("TEACHER_STORE", str(tmp_path / "other.sqlite"))
    command.take(file)
    command.take(file)
    assert capsys.readouterr().err.splitlines()[-2:] == ["3 new", "0 new"]
    assert look(2).text == "answer 2"


def test_what_is_recorded_in_the_repository_counts_as_stored(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fill(2)
    (tmp_path / "data/teacher").mkdir(parents=True)
    command.export(tmp_path / "data/teacher/demo.jsonl.gz")
    packed = (tmp_path / "data/teacher/demo.jsonl.gz").read_bytes()
    command.export(tmp_path / "data/teacher/demo.jsonl.gz")
    assert (tmp_path / "data/teacher/demo.jsonl.gz").read_bytes() == packed, "the same answers are the same bytes"
    monkeypatch.setenv("TEACHER_STORE", str(tmp_path / "empty.sqlite"))
    assert look(1) == Reply("answer 1", "stop", 5, 7, "m") and look(2) is None
    store = Store()
    assert store.stored([KEY, "other"]) == {KEY} and store.entry(KEY, 0, 0)["body"] == BODY
    assert store.info()["entries"] == 0
    store.close()
    assert [reply.model for reply in fill(1, "later")] == ["later"] and look().model == "later", "the store goes first"
    (tmp_path / "data/teacher/demo.jsonl.gz").unlink()
    (tmp_path / "data/teacher/broken.jsonl.gz").write_bytes(packed[:50])
    with pytest.raises(UserError, match=r"git checkout .*broken.jsonl.gz"):
        look(7)


@pytest.mark.parametrize(
    "change", [lambda e: e.pop("text"), lambda e: e["body"].update(model="x"), lambda e: e.clear()]
)
def test_a_bad_import_is_told_by_line_and_changes_nothing(path, tmp_path, change, monkeypatch):
    fill(2)
    file = tmp_path / "answers.jsonl"
    command.export(file)
    lines = file.read_text(encoding="utf-8").splitlines()
    entry = json.loads(lines[1])
    change(entry)
    file.write_text(f"{lines[0]}\n{json.dumps(entry)}\n", encoding="utf-8")
    monkeypatch.setenv("TEACHER_STORE", str(tmp_path / "other.sqlite"))
    with pytest.raises(UserError, match=r"answers\.jsonl:2"):
        command.take(file)
    assert look(0) is None
    (tmp_path / "broken.jsonl.gz").write_bytes(b"no gzip")
    with pytest.raises(UserError, match=r"^\S*broken\.jsonl\.gz: Not a gzipped file"):
        command.take(tmp_path / "broken.jsonl.gz")


def test_the_command_line_is_quiet_but_for_its_answer(path):
    def run(*words):
        words = [sys.executable, "-m", "synthesis", "store", *words]
        return subprocess.run(words, capture_output=True, text=True, timeout=60)

    done = run("info")
    assert done.returncode == 0 and done.stderr == "" and json.loads(done.stdout)["entries"] == 0
    done = run("prune", "--older-than", "-30")
    assert done.returncode and "--older-than" in done.stderr and "deleted" not in done.stderr, "it would be all of them"
    done = run("import", "missing.jsonl")
    assert done.returncode == 1 and done.stderr.startswith("error: missing.jsonl") and done.stderr.count("\n") == 1
