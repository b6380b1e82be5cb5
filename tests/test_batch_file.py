"""Batch files through a command: what it answers is kept, whatever becomes of it or of the run."""

import json
import shlex
import signal
import subprocess
import sys
import time
from importlib import import_module

import pytest
from pydantic import ValidationError

from synthesis import UserError, params
from synthesis.teacher import collecting, limits
from synthesis.teacher.store import Store
from tests.test_teacher import ASKING, ROOT, answers_and_usage, one_line, prompts, settings, texts_match

batch_file = import_module("synthesis.providers.batch-file")
RUN = """
import sys
from tests.test_batch_file import ask, collecting, prompts, texts_match
collecting.MOMENT = 0.02
texts_match(prompts(5), ask(prompts(5), *sys.argv[1:])[0])
"""


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("TEACHER_STORE", str(tmp_path / "teacher.sqlite"))
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "TEACHER_SHARED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(collecting, "MOMENT", 0.02)
    monkeypatch.setattr(batch_file, "POLL", 0.02)
    monkeypatch.setattr(limits, "BACKOFF", 0.01)
    return tmp_path


def launcher(*faults) -> str:
    return shlex.join([sys.executable, str(ROOT / "tests/batch_command.py"), "{requests}", "{answers}", *faults])


def ask(requests, *faults, **changes):
    changes = {"launcher": launcher(*faults), **changes}
    asking = {name: changes.pop(name) for name in ("launcher", "budget") if name in changes}
    run = settings(None, provider="batch-file", **changes)
    sections = params.Asking(**{**ASKING, **asking})
    run = type(run)(run.task, run.params.model_copy(update={"asking": sections}), run.paths)
    return answers_and_usage(run, requests)


def asked(place) -> list[list[str]]:
    """The prompts of each call of the command."""
    file = place / "calls.jsonl"
    return [json.loads(entry) for entry in file.read_text().splitlines()] if file.exists() else []


def left(place) -> list[str]:
    return [file.name for file in (place / "teacher.sqlite.shared/batch-file").glob("*")]


def kept() -> int:
    store = Store()
    count = store.info()["entries"]
    store.close()
    return count


def test_all_rows_are_one_file_and_answers_keep_their_order(place):
    answers, usage = ask(prompts(30))
    texts_match(prompts(30), answers)
    assert (usage["asked"], usage["tokens_in"], usage["tokens_out"], usage["dollars"]) == (30, 300, 600, None)
    assert [len(call) for call in asked(place)] == [30] and left(place) == []
    again, usage = ask(prompts(30))
    assert again == answers and usage["stored"] == 30 and len(asked(place)) == 1


def test_large_files_are_split_and_paths_may_have_spaces(place, monkeypatch):
    monkeypatch.setattr(collecting, "MOST", 4)
    monkeypatch.setenv("TEACHER_SHARED", str(place / "a folder of all"))
    texts_match(prompts(10), ask(prompts(10))[0])
    assert [len(call) for call in asked(place)] == [4, 4, 2] and left(place) == []


@pytest.mark.parametrize(("fault", "again"), [("half", prompts(6)[3:]), ("hiccup", prompts(3)[2:])])
def test_what_was_not_answered_is_asked_again(place, fault, again, capsys):
    texts_match(prompts(6), ask(prompts(6), fault, "none")[0])
    assert sorted(prompt for call in asked(place)[1:] for prompt in call) == [request.prompt for request in again]
    assert left(place) == []
    assert f"{6 - len(again)} of 6 requests were answered, {len(again)} are asked again" in capsys.readouterr().err


def test_odd_lines_are_left_out_and_an_answer_counts_whatever_stands_beside_it(place, capsys):
    texts_match(prompts(6), ask(prompts(6), "odd", "none")[0])
    assert asked(place)[1:] == [[prompts(6)[0].prompt]] and left(place) == []
    assert "base_url" not in capsys.readouterr().err


def test_a_row_that_fails_again_while_others_are_answered_is_rejected(place):
    answers, _ = ask(prompts(6), "always")
    assert [answer.rejected for answer in answers] == [None, None, "500: it broke", None, None, None]
    assert [len(call) for call in asked(place)] == [6, 1] and left(place) == []


@pytest.mark.parametrize(
    ("faults", "says", "open_rows"),
    [
        (
            ["half-3"],
            r"failed with exit code 3, .* 3 of 6 .* answered. What was answered is kept",
            [3, 4, 5],
        ),
        (["missing"], r"ended well, but has not written .*answers\.jsonl", [0, 1, 2, 3, 4, 5]),
        (["nothing"], r"answered none of 6 requests.*its answer is missing in the answer file", [0, 1, 2, 3, 4, 5]),
        (["broken"], r"answered none of 6 requests.*500: it broke", [0, 1, 2, 3, 4, 5]),
        (["half", "nothing"], r"answered none of 3 requests", [3, 4, 5]),
        (["settings"], r"asking.launcher refuses the request \(400\): temperature must be at most 2", [2]),
    ],
)
def test_a_command_that_does_not_answer_stops_the_run_in_one_line(place, faults, says, open_rows):
    with pytest.raises(UserError, match=says) as error:
        ask(prompts(6), *faults)
    one_line(error)
    assert kept() == 6 - len(open_rows) and left(place) == []
    texts_match(prompts(6), ask(prompts(6))[0])
    assert asked(place)[-1] == [prompts(6)[row].prompt for row in open_rows]


def test_a_request_that_is_refused_rejects_its_row_only(place):
    answers, _ = ask(prompts(6), "filter")
    assert [bool(answer.rejected) for answer in answers] == [False, False, True, False, False, False]
    assert "flagged by moderation" in answers[2].rejected and len(asked(place)) == 1


def test_a_command_that_is_none():
    with pytest.raises(UserError, match=r"asking.launcher cannot be started: .*no-such-command"):
        ask(prompts(1), launcher="no-such-command {requests} {answers}")
    with pytest.raises(UserError, match=r"batch-file needs asking\.launcher"):
        ask(prompts(1), launcher=None)
    for wrong, says in (("cat {requests}", "must have {answers}"), ("cat '{requests} {answers}", "No closing quot")):
        with pytest.raises(ValidationError, match=says):
            params.Asking(**ASKING, launcher=wrong)


def test_the_budget_holds(place):
    with pytest.raises(UserError, match=r"asking.budget: .* 4 of 6 rows"):
        ask(prompts(6), budget={"requests": 4})
    assert sum(map(len, asked(place))) == 4 == kept()


# Runs that end before their command does


def start(place, *faults):
    with (place / "log").open("w") as log:
        return subprocess.Popen([sys.executable, "-c", RUN, *faults], stderr=log)


def wait(until, seconds=20):
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end
        time.sleep(0.02)


def half_written(place) -> bool:
    return any("half a li" in file.read_text() for file in place.rglob("*.answers.jsonl"))


def test_a_killed_run_whose_command_goes_on_is_waited_for(place):
    run = start(place, "slow")
    wait(lambda: half_written(place))
    run.kill()
    run.wait()
    again = start(place, "none")
    wait(lambda: "a command of an earlier run still works on" in (place / "log").read_text())
    (place / "go").touch()
    assert again.wait(20) == 0
    assert len(asked(place)) == 1 and left(place) == []


def test_ctrl_c_ends_the_command_and_what_it_had_answered_is_kept(place):
    run = start(place, "slow")
    wait(lambda: half_written(place))
    run.send_signal(signal.SIGINT)
    assert run.wait(10) != 0
    texts_match(prompts(5), ask(prompts(5))[0])
    assert asked(place)[1:] == [[prompts(5)[4].prompt]] and left(place) == []
