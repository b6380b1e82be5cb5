"""`synthesis serve` over real HTTP: answers, batches, limits, numbers, and how it ends."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import pytest

from synthesis import export
from synthesis.service.counts import Counts
from synthesis.service.engine import Engine
from tests.conftest import LOCAL, ROOT
from tests.test_export import finetuned, made, rows
from tests.test_student import NAMES, models  # noqa: F401

SLOW = """
import sys, time
sys.modules["torch"] = sys.modules["transformers"] = None
from synthesis.service import app, batching
from synthesis.service.engine import Engine
read = Engine.read
def slow(self, inputs):
    time.sleep(0.7)
    if "fail" in inputs:
        raise RuntimeError("it")
    return read(self, inputs)
Engine.read, batching.WAITING = slow, 12
app.serve(".", "127.0.0.1", 0, 1)
"""


@pytest.fixture(scope="module")
def folder(models, once) -> Path:  # noqa: F811
    """A repository's folder in which task `reviews` has an export."""

    def prepare(place: Path) -> None:
        before, place = Path.cwd(), place / "repository"
        place.mkdir()
        shutil.copyfile(ROOT / "params.yaml", place / "params.yaml")
        os.chdir(place)
        try:
            run = made("classification", finetuned(models["bert"], "classification"), rows("classification", 70, 60))
            measured = export.export(run, int8=False)
        finally:
            os.chdir(before)
        assert measured["agreement"] == 1 and measured["largest_difference"] < 2e-5
        (place / "data/t").rename(place / "data/reviews")

    return once("service", prepare).folder


class Server:
    """A running service. `url` is where."""

    def __init__(self, words: list[str], place: Path):
        path = os.pathsep.join(filter(None, [str(ROOT) if words[0] == "-m" else "", os.environ.get("PYTHONPATH")]))
        self.process = subprocess.Popen(
            [sys.executable, *words], cwd=place, env={**os.environ, **LOCAL, "PYTHONPATH": path},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        line = self.process.stdout.readline()
        assert " at http://" in line, self.process.stderr.read()
        self.url = line.split()[-1]

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=30) as reply:
            return reply.read().decode()

    def post(self, body, raw: bool = False) -> tuple[int, object]:
        data = body if raw else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/predict", data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def number(self, name: str) -> float:
        return float(re.search(rf"^{re.escape(name)} (.*)$", self.get("/metrics"), re.MULTILINE)[1])

    def wait_for(self, name: str, least: float) -> None:
        while self.number(name) < least:
            time.sleep(0.01)


@pytest.fixture(scope="module")
def server(folder):
    running = Server(["-m", "synthesis", "serve", "reviews", "--port", "0"], folder)
    yield running
    running.process.kill()


@pytest.fixture
def slow(folder):
    """A service that takes 0.7 s for each batch, and runs from the export alone."""
    running = Server(["-c", SLOW], folder / "data/reviews/export")
    yield running
    running.process.kill()


@pytest.fixture(scope="module")
def engine(folder):
    return Engine(folder / "data/reviews/export")


def test_answers_are_those_of_the_export(server, engine):
    texts = rows("classification", 20, 9).text.tolist()
    status, replies = server.post({"inputs": [[text] for text in texts]})
    assert status == 200 and len(replies) == 20
    for reply, expected in zip(replies, engine.predict(texts), strict=True):
        assert [one["label"] for one in reply] == [NAMES[place] for place in np.argsort(-expected)]
        assert np.allclose([one["score"] for one in reply], np.sort(expected)[::-1], atol=1e-6)
    assert server.post({"inputs": texts[0]}) == server.post({"inputs": [texts[0]]}) == (200, replies[0])
    assert server.post({"inputs": texts[0], "truncate": None}) == (200, replies[0]), "as text-embeddings-inference"
    _, raw = server.post({"inputs": texts[0], "raw_scores": True})
    assert np.allclose([one["score"] for one in raw], np.sort(engine.read(texts[:1])[0])[::-1], atol=1e-5)


def test_it_runs_where_python_does_not_know_which_cores_are_its_own(folder, engine, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    answers = Engine(folder / "data/reviews/export").predict(["a fine film"])
    assert np.array_equal(answers, engine.predict(["a fine film"]))


def test_many_at_once_each_get_their_own(server, engine):
    texts = rows("classification", 70, 30).text.tolist()
    with ThreadPoolExecutor(32) as pool:
        replies = list(pool.map(lambda text: server.post({"inputs": text}), texts * 3))
    for (status, reply), expected in zip(replies, np.tile(engine.predict(texts), (3, 1)), strict=True):
        assert status == 200
        assert np.allclose([one["score"] for one in reply], np.sort(expected)[::-1], atol=1e-5)


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({"inputs": []}, 400, "inputs is empty"),
        ({"inputs": "  "}, 422, "text is empty"),
        ({"inputs": ["a", "b"]}, 422, "2 texts, and this student reads text"),
        ({"inputs": [["a"], []]}, 422, "0 texts, and this student reads text"),
        ({"inputs": 3}, 422, "inputs: "),
        ({"input": "a"}, 422, "inputs: Field required"),
        ({"inputs": [["a"]] * 33}, 413, "33 at once, and at most 32 may be"),
        ({"inputs": "a" * 100_001}, 413, "text has 100001 characters"),
        ({"inputs": "a " * 100, "truncate": False}, 413, "at most 40 tokens are read, and one has 102"),
        ({"inputs": "half \ud800"}, 422, "text holds half a character"),
        (b"{", 422, ""),
        (b"[]", 422, "an object of JSON, sent with `Content-Type: application/json`"),
        (b"", 422, "an object of JSON, sent with `Content-Type: application/json`"),
        (b"\xff", 400, ""),
        (b" " * 1_000_001, 413, "more than 1000000 bytes"),
    ],
)
def test_what_cannot_be_answered(server, body, status, told):
    code, reply = server.post(body, raw=isinstance(body, bytes))
    assert (code, set(reply)) == (status, {"error", "error_type"}) and told in reply["error"]
    assert server.post({"inputs": "a fine film"})[0] == 200


def test_a_body_without_a_length_is_limited(server):
    connection = HTTPConnection(server.url.removeprefix("http://"), timeout=30)
    try:
        connection.request(
            "POST",
            "/predict",
            (b" " * 2**16 for _ in range(40)),
            {"Content-Type": "application/json"},
            encode_chunked=True,
        )
    except (BrokenPipeError, ConnectionResetError):  # refused before all of it was sent
        return
    assert connection.getresponse().status == 413


def test_health_info_and_page(server):
    assert server.get("/health") == ""
    info = json.loads(server.get("/info"))
    assert (info["reads"], info["labels"], info["max_tokens"]) == (["text"], NAMES, 40)
    page = server.get("/")
    assert "<textarea" not in page and 'fetch("info")' in page and "http" not in page.replace("http-equiv", "")


def test_metrics_count_what_was_done(server):
    before = {name: server.number(name) for name in ("student_request_seconds_count", "student_batch_inputs_sum")}
    server.post({"inputs": [["a"], ["film"]]})
    server.post({"inputs": 3})
    assert server.number("student_request_seconds_count") == before["student_request_seconds_count"] + 2
    assert server.number("student_batch_inputs_sum") == before["student_batch_inputs_sum"] + 2
    assert server.number('student_requests_total{status="422"}') >= 1
    assert server.number("student_waiting_inputs") == 0
    for line in server.get("/metrics").splitlines():
        assert re.fullmatch(r"# (HELP|TYPE) \w+ .+|\w+(\{\w+=\"[^\"]+\"\})? [0-9.e+-]+", line), line


def test_histograms_are_cumulative():
    counts = Counts()
    for value in (0.001, 0.005, 0.3, 100):
        counts.seconds.add(value)
    lines = counts.seconds.lines("s")
    assert lines[0] == 's_bucket{le="0.005"} 2' and lines[-4:-2] == ['s_bucket{le="10.0"} 3', 's_bucket{le="+Inf"} 4']
    assert lines[-1] == "s_count 4"


def test_what_waits_is_one_batch_and_what_fails_fails_alone(slow):
    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(slow.post, {"inputs": "a"})
        slow.wait_for("student_batch_inputs_count", 1)
        others = [pool.submit(slow.post, {"inputs": "a film"}) for _ in range(9)]
        slow.wait_for("student_waiting_inputs", 9)
        assert slow.post({"inputs": [["a"]] * 4})[0] == 429, "12 may wait"
        assert [each.result()[0] for each in (first, *others)] == [200] * 10
    assert slow.number("student_batch_inputs_count") == 2 and slow.number("student_batch_inputs_sum") == 10
    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(slow.post, {"inputs": "a"})
        slow.wait_for("student_batch_inputs_count", 3)
        asked = [pool.submit(slow.post, {"inputs": text}) for text in ("a film", "fail", "was")]
        codes = [each.result()[0] for each in asked]
    assert codes == [200, 424, 200]


def test_sigterm_lets_requests_be_answered(slow):
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(slow.post, {"inputs": "a"})
        slow.wait_for("student_batch_inputs_count", 1)
        waiting = [pool.submit(slow.post, {"inputs": "a film"}) for _ in range(3)]
        slow.wait_for("student_waiting_inputs", 3)
        slow.process.send_signal(signal.SIGTERM)
        assert [each.result()[0] for each in (first, *waiting)] == [200] * 4
    assert slow.process.wait(timeout=10) == 0 and slow.process.stderr.read() == ""
    with pytest.raises(urllib.error.URLError):
        slow.get("/health")


def test_what_is_wrong_is_one_line(folder, server):
    port = server.url.rpartition(":")[2]
    for words, told in {
        ("nonsense",): "params.yaml has no task `nonsense`",
        ("rte",): "data/rte/export is missing: `synthesis export rte` writes it",
        ("reviews", "--port", port): f"127.0.0.1:{port} cannot be listened on: Address already in use",
        ("reviews", "--host", "no.such.host.invalid"): "no.such.host.invalid:8080 cannot be listened on: ",
    }.items():
        done = subprocess.run(
            [sys.executable, "-m", "synthesis", "serve", *words], cwd=folder, capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60,
        )  # fmt: skip
        assert done.returncode == 1 and done.stderr.startswith(f"error: {told}"), done.stderr
        assert done.stderr.count("\n") == 1


def test_what_is_wrong_is_one_line_in_an_image(folder):
    for words, told in {
        ("nowhere",): "nowhere/export.json is missing: `synthesis export` writes it",
        (".", "--port", "99999"): "127.0.0.1:99999 cannot be listened on: bind(): port must be 0-65535",
        (".", "--threads", "0"): "--threads 0: at least 1 is needed",
    }.items():
        place = folder / "data/reviews/export"
        done = subprocess.run(
            [sys.executable, "-m", "synthesis.service", *words], cwd=place, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 1 and done.stderr.startswith(f"error: {told}"), done.stderr
        assert done.stderr.count("\n") == 1


def test_onnxruntime_reports_to_nobody(folder):
    """Where it would, it makes itself an identity first, and complains of a home that is no folder."""
    code = "from synthesis.service.engine import Engine; Engine('.')"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CI", "ORT_", "XDG_"))}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder / "data/reviews/export", capture_output=True, text=True, timeout=60,
        env={**environment, "HOME": __file__},
    )  # fmt: skip
    assert done.returncode == 0 and done.stderr == ""


def test_another_student_than_the_exported_one_is_told(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy/data/reviews/student/more.txt").write_text("retrained")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        words = ["serve", "reviews", "--port", str(taken.getsockname()[1])]
        done = subprocess.run(
            [sys.executable, "-m", "synthesis", *words], cwd=tmp_path / "copy", capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60,
        )  # fmt: skip
    assert done.stderr.startswith("warning: the export is not of data/reviews/student as it is now: run `synthesis exp")
