"""The Batch API against a local server: nothing sent twice, whatever happens to the run or to the batch."""

import os
import signal
import subprocess
import sys
import time
from importlib import import_module

import pytest

from synthesis import UserError
from synthesis.teacher import budget, collecting, limits
from synthesis.teacher.request import Request
from synthesis.teacher.store import Store
from tests.batch_server import KEY, BatchServer, expired, refused, written
from tests.test_teacher import ROOT, answers_and_usage, prompts, settings, texts_match

openai_batch = import_module("synthesis.providers.openai-batch")
batches = import_module("synthesis.providers.openai-batch.batches")
RUN = """
import json, sys
from tests.test_openai_batch import ask, collecting, openai_batch, prompts
collecting.MOMENT, openai_batch.FIRST, openai_batch.LONGEST = 0.05, 0.05, 0.05
answers, usage = ask(sys.argv[1], prompts(int(sys.argv[2])))
print(json.dumps([[answer.text for answer in answers], usage]))
"""


@pytest.fixture
def server():
    with BatchServer() as running:
        yield running


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("TEACHER_STORE", str(tmp_path / "teacher.sqlite"))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setattr(collecting, "MOMENT", 0.05)
    monkeypatch.setattr(openai_batch, "FIRST", 0.02)
    monkeypatch.setattr(openai_batch, "LONGEST", 0.05)
    monkeypatch.setattr(openai_batch, "QUEUE", 0.1)
    monkeypatch.setattr(batches, "BACKOFF", 0.01)
    monkeypatch.setattr(limits, "BACKOFF", 0.01)
    return tmp_path


def ask(url, requests, **changes):
    return answers_and_usage(settings(url, provider="openai-batch", **changes), requests)


def left(place) -> list[str]:
    """What is remembered of open batches."""
    return [file.name for file in (place / "teacher.sqlite.batches").rglob("*") if file.suffix in (".jsonl", ".draft")]


def number(body) -> int:
    return int(body["messages"][-1]["content"].split()[-1].rstrip("."))


def test_all_rows_are_one_batch_and_answers_keep_their_order(server, place):
    requests = prompts(200)
    answers, usage = ask(server.url, requests)
    texts_match(requests, answers)
    assert len(server.batches) == 1 and (usage["asked"], usage["tokens_in"], usage["tokens_out"]) == (200, 2000, 4000)
    assert left(place) == []
    again, usage = ask(server.url, requests)
    assert again == answers and (usage["asked"], usage["stored"]) == (0, 200) and len(server.batches) == 1


def test_a_batch_is_as_the_api_wants_it(server):
    ask(server.url, prompts(1))
    batch = server.batches["batch_0"]
    assert (batch["endpoint"], batch["completion_window"]) == ("/v1/chat/completions", "24h")
    [entry] = server.requests(batch)
    assert entry["method"] == "POST" and entry["url"] == "/v1/chat/completions"
    message = {"role": "user", "content": "Write review number 0."}
    assert entry["body"] == {"model": "m", "messages": [message], "temperature": 0.9, "max_tokens": 50}


@pytest.mark.parametrize(("limit", "value", "sizes"), [("MOST", 3, [3, 3, 3, 1]), ("LARGEST", 800, [3, 3, 3, 1])])
def test_large_batches_are_split(server, monkeypatch, limit, value, sizes):
    monkeypatch.setattr(collecting, limit, value)
    answers, _ = ask(server.url, prompts(10))
    texts_match(prompts(10), answers)
    assert [len(server.requests(batch)) for batch in server.batches.values()] == sizes
    if limit == "LARGEST":
        assert all(len(server.files[batch["input_file_id"]]) <= value for batch in server.batches.values())


def test_only_what_failed_is_sent_again(server):
    failed = {3, 5}

    def result(name, body):
        if number(body) in failed:
            failed.remove(number(body))
            return refused(name, 500, "a hiccup")
        return written(name, body)

    server.result = result
    answers, usage = ask(server.url, prompts(10))
    texts_match(prompts(10), answers)
    assert usage["asked"] == 10 and sorted(server.asked.values()) == [1] * 8 + [2] * 2


def test_only_what_expired_is_sent_again(server):
    ends = ["expired", "completed"]
    server.end = lambda batch: ends.pop(0)
    server.result = lambda name, body: expired(name) if len(ends) == 1 and number(body) > 6 else written(name, body)
    answers, _ = ask(server.url, prompts(10))
    texts_match(prompts(10), answers)
    assert sorted(server.asked.values()) == [1] * 7 + [2] * 3


def test_a_result_that_is_missing_or_garbage_is_asked_again(server):
    def result(name, body):
        first = len(server.batches) == 1
        if first and number(body) == 1:
            return {"custom_id": name, "response": "odd"}
        return written("of another" if first and number(body) == 2 else name, body)

    server.result = result
    answers, _ = ask(server.url, prompts(4))
    texts_match(prompts(4), answers)
    assert sorted(server.asked.values()) == [1, 1, 2, 2]


def test_a_refused_prompt_rejects_its_row_only(server):
    server.result = lambda name, body: (
        refused(name, 400, "content_filter") if number(body) == 1 else written(name, body)
    )
    answers, _ = ask(server.url, prompts(4), attempts=3)
    assert "content_filter" in answers[1].rejected and len(server.batches) == 1
    assert [bool(answer.rejected) for answer in answers] == [False, True, False, False]


def test_settings_that_no_row_survives_stop_the_run_at_once(server, place):
    server.result = lambda name, body: refused(name, 400, "temperature must be at most 2")
    with pytest.raises(UserError, match="temperature must be at most 2"):
        ask(server.url, prompts(5))
    assert len(server.batches) == 1 and left(place) == []


def test_a_batch_that_does_not_pass_the_endpoints_check_stops_the_run(server, place):
    def end(batch):
        batch["errors"] = {"object": "list", "data": [{"code": "bad", "message": f"no such model, said {KEY}"}]}
        return "failed"

    server.end = end
    with pytest.raises(UserError, match="refuses the batch batch_0: no such model") as error:
        ask(server.url, prompts(5))
    assert KEY not in str(error.value) and "\n" not in str(error.value) and left(place) == []


def test_a_full_queue_is_waited_for_with_smaller_batches(server):
    def end(batch):
        if len(server.requests(batch)) <= 5:
            return "completed"
        batch["errors"] = {"object": "list", "data": [{"code": "token_limit_exceeded", "message": "queue"}]}
        return "failed"

    server.end = end
    answers, _ = ask(server.url, prompts(20))
    texts_match(prompts(20), answers)
    assert [len(server.requests(batch)) for batch in server.batches.values()] == [20, 10, 10, 5, 5, 5, 5]


def test_an_unusable_answer_is_asked_again_in_another_batch(server):
    def result(name, body):
        entry = written(name, body)
        if name.endswith("/0") and number(body) == 2:
            entry["response"]["body"]["choices"][0]["message"]["content"] = "I'm sorry, but I can't help with that."
        return entry

    server.result = result
    answers, usage = ask(server.url, prompts(4), attempts=3)
    texts_match(prompts(4), answers)
    assert usage["asked"] == 5 and len(server.batches) == 2


# Budget


def test_it_costs_half_and_the_budget_holds(server, monkeypatch):
    monkeypatch.setattr(budget, "price", lambda *_: (0.01, 0.02))
    _, usage = ask(server.url, prompts(2), budget={"dollars": 10})
    assert usage["dollars"] == pytest.approx((20 * 0.01 + 40 * 0.02) / 2)
    with pytest.raises(UserError, match=r"asking.budget: .* 6 of 10 rows"):
        ask(server.url, prompts(10), budget={"requests": 6})
    assert server.asked.total() == 6
    _, usage = ask(server.url, prompts(10), budget={"requests": 10})
    assert (usage["asked"], usage["stored"]) == (4, 6) and server.asked.total() == 10


def test_rates_are_for_other_providers(server):
    with pytest.raises(UserError, match="requests_per_minute"):
        ask(server.url, prompts(1), requests_per_minute=5)


# Faults of the endpoint


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/files"), ("POST", "/batches"), ("GET", "/batches"), ("GET", "/batches/batch_0"),
        ("GET", "/files/batch_0-output/content"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [429, 500])
def test_a_fault_loses_nothing_and_makes_no_second_batch(server, method, path, status):
    server.faults = [(method, path, status)] * 2
    answers, _ = ask(server.url, prompts(5))
    texts_match(prompts(5), answers)
    assert len(server.batches) == 1


def test_a_wrong_key_and_no_key(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong")
    with pytest.raises(UserError, match=r"refuses the key \(401\)"):
        ask(server.url, prompts(1))
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(UserError, match="OPENAI_API_KEY is not set"):
        ask(server.url, prompts(1))


def test_nobody_listens():
    with pytest.raises(UserError, match=r"http://127.0.0.1:9/v1 cannot be reached.*\(3 times\)"):
        ask("http://127.0.0.1:9/v1", prompts(2))


# Restarts


def start(server, count, tmp_path):
    log = (tmp_path / "log").open("w")
    return subprocess.Popen(
        [sys.executable, "-c", RUN, server.url, str(count)], stdout=log, stderr=subprocess.STDOUT, text=True
    )


def wait(until, seconds=20):
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end
        time.sleep(0.02)


def leave_open(server, count, place):
    """A run of so many rows is killed while its batch goes on."""
    server.hold = True
    run = start(server, count, place)
    wait(lambda: left(place) == ["batch_0.jsonl"])
    run.kill()
    run.wait()


def test_kill_while_the_batch_runs_and_the_next_run_takes_it_up(server, place):
    leave_open(server, 50, place)
    server.hold = False
    answers, usage = ask(server.url, prompts(60))
    texts_match(prompts(60), answers)
    assert usage["asked"] + usage["stored"] == 60 and max(server.asked.values()) == 1
    assert [len(server.requests(batch)) for batch in server.batches.values()] == [50, 10]
    assert left(place) == []


def test_kill_between_the_endpoints_yes_and_ours(server, place):
    """The batch is made, the answer is lost, the run dies: the batch is found by the name that it carries."""
    server.hold, server.faults = True, [("POST", "/batches", 500)]
    folder = place / "teacher.sqlite.batches"
    run = start(server, 20, place)
    wait(lambda: server.batches)
    run.send_signal(signal.SIGKILL)
    run.wait()
    for file in folder.rglob("*.jsonl"):  # where the run was quick enough to rename
        file.rename(file.with_name(f"{server.batches['batch_0']['metadata'][batches.MARK]}.draft"))
    server.hold, server.faults = False, []
    answers, _ = ask(server.url, prompts(20))
    texts_match(prompts(20), answers)
    assert len(server.batches) == 1 and left(place) == []


def test_a_row_of_an_open_batch_is_not_asked_for_online(server, place):
    leave_open(server, 5, place)
    with pytest.raises(UserError, match=r"paid for twice: set teacher.provider to openai-batch"):
        answers_and_usage(settings(server.url, provider="openai"), prompts(7)[4:])
    server.hold = False
    ask(server.url, prompts(5))
    answers, usage = answers_and_usage(settings(server.url, provider="openai"), prompts(5))
    texts_match(prompts(5), answers)
    assert usage["stored"] == 5 and server.asked.total() == 5, "both providers share the response store"


def test_a_draft_that_was_never_sent_is_forgotten(server, place):
    ask(server.url, prompts(1))
    folder = next((place / "teacher.sqlite.batches").iterdir())
    (folder / "0123.draft").write_text("half a li")
    texts_match(prompts(3), ask(server.url, prompts(3))[0])
    assert left(place) == [] and server.asked.total() == 3


def test_ctrl_c_leaves_the_batch_running_and_says_so(server, place):
    server.hold = True
    run = start(server, 5, place)
    wait(lambda: left(place) == ["batch_0.jsonl"] and "in_progress" in (place / "log").read_text())
    run.send_signal(signal.SIGINT)
    run.wait(10)
    assert "1 batch(es) with 5 requests go on at" in (place / "log").read_text()
    assert server.batches["batch_0"]["status"] == "in_progress" and left(place) == ["batch_0.jsonl"]


def test_finished_batches_that_nobody_asks_for_go_to_the_store(server, place):
    leave_open(server, 5, place)
    server.hold = False
    ask(server.url, [Request("seed", "Something else.")])
    store = Store()
    assert store.info()["entries"] == 6 and left(place) == []
    store.close()


def test_two_processes_that_ask_the_same_send_it_once(server, place):
    server.hold = True
    runs = [start(server, 30, place) for _ in range(2)]
    wait(lambda: server.batches)
    time.sleep(0.5)
    server.hold = False
    assert [run.wait(30) for run in runs] == [0, 0]
    assert len(server.batches) == 1 and left(place) == []


# The command line


def manage(server, place, *words):
    (place / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    env = {**os.environ, "OPENAI_BASE_URL": server.url}
    command = [sys.executable, "-m", "synthesis", "batches", *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)


def test_list_and_cancel(server, place):
    assert manage(server, place, "list").stderr.startswith("0 open at")
    server.hold = True
    run = start(server, 10, place)
    wait(lambda: left(place) == ["batch_0.jsonl"])
    assert manage(server, place, "list").stdout == "batch_0: in_progress, 0 of 10 requests done\n"
    assert "no open batch nonsense (there: batch_0)" in manage(server, place, "cancel", "nonsense").stderr
    assert manage(server, place, "cancel").stdout == "batch_0: cancelled, 5 of 10 requests done\n"
    assert run.wait(20) == 1 and "batch_0 was cancelled" in (place / "log").read_text()
    server.hold = False
    answers, usage = ask(server.url, prompts(10))
    texts_match(prompts(10), answers)
    assert usage["stored"] == 5 and max(server.asked.values()) == 2
    assert [len(server.requests(batch)) for batch in server.batches.values()] == [10, 5]
