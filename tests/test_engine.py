"""The engine `ray`: what it leaves in the store, and what it spends, is what the engine `local` does."""

import subprocess
import sys
import tempfile
import threading
import time

import psutil
import pytest

from synthesis import UserError
from synthesis.params import Budget, Engine
from synthesis.teacher import engine
from tests.llm_server import Server
from tests.test_teacher import KEY, ROOT, answers_and_usage, one_line, prompts, settings, texts_match

RUN = """
import sys
from tests.test_engine import ask, prompts
ask(sys.argv[1], prompts(40), address=sys.argv[2])
"""


@pytest.fixture(scope="module")
def server():
    with Server() as running:
        yield running


@pytest.fixture(scope="module")
def cluster():
    """The address of a small Ray on this machine. Paths of its sockets must be short."""
    ray = pytest.importorskip("ray")
    with tempfile.TemporaryDirectory(prefix="ray") as folder, pytest.MonkeyPatch.context() as patch:
        for name, value in {"OPENAI_API_KEY": KEY, "NO_PROXY": "*", "RAY_USAGE_STATS_ENABLED": "0"}.items():
            patch.setenv(name, value)
        ray.init(
            num_cpus=2, include_dashboard=False, object_store_memory=80_000_000, log_to_driver=False,
            logging_level="warning", _temp_dir=folder,
        )  # fmt: skip
        yield ray.get_runtime_context().gcs_address
        ray.shutdown()


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch, cluster):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("TEACHER_STORE", str(tmp_path / "teacher.sqlite"))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for name in ("OPENAI_BASE_URL", "TEACHER_SHARED"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def ask(url, requests, kind="ray", address=None, budget=None, **changes):
    run = settings(url, **changes)
    engine = {"engine": Engine(kind=kind, address=address, shards=2), "budget": budget and Budget(**budget)}
    asking = run.params.asking.model_copy(update=engine)
    return answers_and_usage(type(run)(run.task, run.params.model_copy(update={"asking": asking}), run.paths), requests)


def left(place) -> list[str]:
    """What tasks have left behind."""
    return [str(file) for file in (place / "teacher.sqlite.shared" / "ray").glob("*")]


def wait(until, seconds=120):
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_answers_and_usage_are_those_of_the_local_engine(server, place, monkeypatch):
    near, far = server.space(), server.space(latency=0.05)
    requests = [*prompts(30), *prompts(5)]  # equal ones are samples
    answers, usage = ask(near.url, requests, kind="local")
    monkeypatch.setenv("TEACHER_STORE", str(place / "other.sqlite"))
    again, others = ask(far.url, requests)
    assert again == answers and (others["asked"], others["stored"]) == (0, 35)
    assert {**usage, "asked": 0, "stored": 0, "seconds": 0} == {**others, "asked": 0, "stored": 0, "seconds": 0}
    assert far.stats["per_body"] == near.stats["per_body"] and far.stats["most_in_flight"] > 1
    assert not list((place / "other.sqlite.shared" / "ray").glob("*"))
    ask(far.url, prompts(33))
    assert far.stats["calls"] == 35 + 3


def test_unusable_answers_are_asked_again_as_often(server, place):
    space = server.space(text="I'm sorry, but I can't help with that.")
    first = prompts(4)
    ask(space.url, first, attempts=1, max_rejected=None)
    answers, _ = ask(space.url, first, attempts=3, max_rejected=None)  # two more, though the first ones are not here
    assert {answer.rejected for answer in answers} == {"refusal"} and space.stats["per_body"] == [3] * 4


def test_the_budget_is_shared_and_never_passed(server, place):
    space = server.space(usage=[10, 20])
    with pytest.raises(UserError, match=r"asking.budget: 7 of 7 requests are spent.* 7 of 20 rows"):
        ask(space.url, prompts(20), budget={"requests": 7})
    assert space.stats["calls"] == 7
    with pytest.raises(UserError, match=r"asking.budget: .* tokens are spent"):
        ask(space.url, prompts(20), budget={"tokens": 600})
    assert space.stats["tokens"] <= 600 and left(place) == []
    texts_match(prompts(20), ask(space.url, prompts(20), budget={"requests": 20})[0])
    assert space.stats["calls"] == 20


def workers() -> list[psutil.Process]:
    return [process for process in psutil.process_iter(["name"]) if process.info["name"].startswith("ray::_work")]


def test_a_killed_worker_loses_nothing(server, place):
    space = server.space(latency=0.1)

    def kill():
        wait(lambda: space.stats["answers"] >= 12)
        [victim, *_] = workers()
        victim.kill()
        killed.append(victim.pid)

    killed, killer = [], threading.Thread(target=kill)
    killer.start()
    texts_match(prompts(40), ask(space.url, prompts(40))[0])
    killer.join()
    assert killed and space.stats["calls"] <= 40 + 4 and left(place) == []  # at most those in flight in that worker


@pytest.mark.slow
def test_a_killed_driver_loses_nothing(server, place, cluster):
    space = server.space(latency=0.2)
    run = subprocess.Popen([sys.executable, "-c", RUN, space.url, cluster])
    wait(lambda: space.stats["answers"] >= 16)
    run.kill()
    run.wait()
    space.tell(latency=0)
    texts_match(prompts(40), ask(space.url, prompts(40))[0])
    assert space.stats["calls"] <= 40 + 8 and left(place) == []


def test_what_stops_the_run_is_said_as_locally(server, place, capsys):
    space = server.space(rates={"400": 1}, error="no such model", code="model_not_found")
    with pytest.raises(UserError, match=r"refuses the request \(400\): no such model") as error:
        ask(space.url, prompts(10))
    one_line(error)
    assert "a task was stopped: " in capsys.readouterr().err
    with pytest.raises(UserError, match=r"several machines ask an endpoint .*provider is openai-batch"):
        ask(space.url, prompts(1), provider="openai-batch")


def test_no_ray_is_found(monkeypatch):
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    for address in ("127.0.0.1:9", "nonsense"):
        with pytest.raises(UserError, match=f"asking.engine.address {address}: no Ray there: ") as error:
            engine.connect(Engine(kind="ray", address=address))
        one_line(error)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match="needs a package: `pip install ray`"):
        engine.connect(Engine(kind="ray"))


def test_a_stage_writes_the_same_bytes(server, repository, cluster):
    kinds = {}
    for kind in ("local", "ray"):
        space = server.space(echo="is a film with warm music and slow scenes.")
        repository.set({"teacher.provider": "openai", "asking.base_url": space.url, "asking.max_rejected": None})
        repository.set({"asking.engine.kind": kind, "asking.engine.address": cluster, "method.rationales": False})
        env = {"OPENAI_API_KEY": KEY, "TEACHER_STORE": str(repository.folder / f"{kind}.sqlite")}
        repository.stage("seed", "reviews", **env)
        files = "data/reviews/seed.parquet", "metrics/reviews/seed.json"
        kinds[kind] = [(repository.folder / file).read_bytes() for file in files]
        assert space.stats["calls"] > 0
    assert kinds["ray"] == kinds["local"]
