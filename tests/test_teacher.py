"""The teacher against a local server with faults: nothing paid twice, nothing lost, nothing shifted."""

import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from synthesis import UserError, params
from synthesis.paths import Paths
from synthesis.run import Run
from synthesis.teacher import budget, limits
from synthesis.teacher.ask import Teacher
from synthesis.teacher.request import Request
from tests.llm_server import Server

ROOT = Path(__file__).parent.parent
KEY = "sk-secret-0123456789"


@pytest.fixture(scope="module")
def server():
    with Server() as running:
        yield running


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("TEACHER_STORE", str(tmp_path / "teacher.sqlite"))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for name in ("OPENAI_BASE_URL", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(limits, "BACKOFF", 0.01)
    monkeypatch.setattr(limits, "PAUSE", 0.1)
    monkeypatch.setattr(limits, "LONGEST", 0.2)
    return tmp_path


ASKING = {
    "base_url": None, "concurrency": 8, "timeout": 5, "requests_per_minute": None, "tokens_per_minute": None,
    "budget": None, "max_rejected": 0.5,
}  # fmt: skip
TEACHER = {
    "provider": "openai", "model": "m", "system": None, "temperature": 0.9, "top_p": None, "max_tokens": 50,
    "extra": {}, "attempts": 1,
}  # fmt: skip


def settings(url, **changes) -> Run:
    """A run of the task imdb whose teacher is the server, with other settings of teacher or asking."""
    asking = {name: changes.pop(name) for name in ASKING if name in changes}
    sections = {
        "teacher": params.Teacher(**{**TEACHER, **changes}),
        "asking": params.Asking(**{**ASKING, "base_url": url, **asking}),
        "verify": params.Verify(teacher=None, student=None, confidence=0.9),
        "tasks": ["imdb"],
        "rounds": [params.Round(q=0, next=1)],
    }
    return Run(SimpleNamespace(name="imdb"), params.Params.model_construct(**sections), Paths("imdb"))


def prompts(count, start=0):
    return [Request("seed", f"Write review number {i}.") for i in range(start, start + count)]


def answers_and_usage(run, requests, check=None):
    """The answers, and what metrics and log say about them."""
    teacher = Teacher(run, "seed")
    answers = teacher.ask(requests, check=check)
    assert teacher.usage["calls"] == teacher.log["asked"] + teacher.log["stored"]
    return answers, teacher.usage | teacher.log


def ask(space, requests, check=None, **changes):
    return answers_and_usage(settings(space.url, **changes), requests, check)


def texts_match(requests, answers):
    assert len(requests) == len(answers)
    for request, answer in zip(requests, answers, strict=True):
        assert request.prompt in answer.text and answer.rejected is None


# Never pay twice


def test_each_request_is_asked_once_and_its_answer_is_kept_in_order(server):
    space, requests = server.space(), prompts(40)
    answers, usage = ask(space, requests)
    texts_match(requests, answers)
    assert (usage["asked"], usage["stored"], usage["tokens_in"], usage["tokens_out"]) == (40, 0, 400, 800)
    assert usage["dollars"] is None and usage["seconds"] > 0
    again, usage = ask(space, requests)
    assert again == answers and (usage["asked"], usage["stored"]) == (0, 40)
    assert space.stats["calls"] == 40


def test_one_more_row_is_one_more_call_and_reordered_rows_are_none(server):
    space, requests = server.space(), prompts(10)
    ask(space, requests)
    ask(space, prompts(11))
    assert space.stats["calls"] == 11
    answers, _ = ask(space, requests[::-1])
    texts_match(requests[::-1], answers)
    assert space.stats["calls"] == 11


@pytest.mark.parametrize(
    "change",
    [
        {"system": "You are terse."}, {"temperature": 0.8}, {"model": "n"}, {"max_tokens": 51}, {"stop": ["\n"]},
        {"extra": {"seed": 1}},
    ],
)  # fmt: skip
def test_any_change_of_the_body_is_a_new_call(server, change):
    space = server.space()
    ask(space, prompts(1))
    ask(space, prompts(1), **change)
    assert space.stats["calls"] == 2


def test_what_cannot_change_an_answer_is_no_new_call(server):
    space = server.space()
    ask(space, prompts(3))
    other = server.space()
    change = {"concurrency": 2, "timeout": 9, "attempts": 3, "requests_per_minute": 99, "budget": {"requests": 9}}
    ask(other, prompts(3), stop=[], **change)
    assert other.stats["calls"] == 0


def test_equal_requests_are_samples_of_one_another(server):
    space = server.space(texts=["the first answer", "the second answer", "the third answer", "the fourth answer"])
    answers, _ = ask(space, prompts(1) * 3)
    assert len({answer.text for answer in answers}) == 3
    again, usage = ask(space, prompts(1) * 4)
    assert (usage["asked"], usage["stored"]) == (1, 3) and again[:3] == answers
    later, usage = ask(space, [Request("seed", prompts(1)[0].prompt, sample=4)])
    assert usage["asked"] == 1 and later[0].text not in {answer.text for answer in again}


def test_a_run_out_of_the_store_needs_no_key_and_no_endpoint(server, monkeypatch):
    ask(server.space(), prompts(3))
    monkeypatch.delenv("OPENAI_API_KEY")
    _, usage = answers_and_usage(settings("http://127.0.0.1:1/v1"), prompts(3))
    assert usage["stored"] == 3


def test_no_requests_are_no_answers(server):
    answers, usage = ask(server.space(), [])
    assert answers == [] and usage["calls"] == 0


# Faults


@pytest.mark.parametrize("fault", ["429", "500", "503", "408", "cut", "garbage", "empty", "hang"])
def test_a_fault_is_tried_again_and_no_row_is_lost_or_shifted(server, fault):
    space, requests = server.space(script=[fault, fault], only="number 3", hang=2), prompts(12)
    answers, usage = ask(space, requests, timeout=0.5 if fault == "hang" else 5)
    texts_match(requests, answers)
    stats = space.stats
    assert usage["asked"] == 12
    assert stats["calls"] == 12 + 2 and stats["outcomes"][fault] == 2


def test_a_429_never_drops_a_row(server, monkeypatch):
    monkeypatch.setattr(limits, "LONGEST", 0.05)
    space = server.space(script=["429"] * (limits.TRIES + 5))
    answers, _ = ask(space, prompts(2), concurrency=1)
    assert [answer.rejected for answer in answers] == [None, None]


def test_other_faults_are_bounded_and_the_row_says_why(server):
    space, requests = server.space(script=["500"] * 99, only="number 3"), prompts(6)
    answers, usage = ask(space, requests)
    assert answers[3].rejected == f"500: fault 500 ({limits.TRIES} times)" and answers[3].text == ""
    assert [answer.rejected for i, answer in enumerate(answers) if i != 3] == [None] * 5
    assert usage["asked"] == 5 and space.stats["calls"] == 5 + limits.TRIES


def test_retry_after_is_honoured(server):
    space = server.space(script=["429"], retry_after=0.5)
    ask(space, prompts(1))
    first, second = space.stats["times"]
    assert 0.5 <= second - first < 2


def test_a_retry_after_of_hours_stops_the_run(server):
    space = server.space(script=["429"], retry_after=7200)
    with pytest.raises(UserError, match=r"wait for 7,200 s"):
        ask(space, prompts(1))


def test_a_slow_request_delays_nobody(server):
    space = server.space(latency=0.05, slow=1.5, only="number 0.")
    began = time.monotonic()
    answers, _ = ask(space, prompts(60), concurrency=2)
    assert time.monotonic() - began < 60 * 0.05 / 1 + 1.2  # the other worker did the rest meanwhile
    times = space.stats["times"]
    assert sum(t < times[0] + 1.5 for t in times) > 15 and len(answers) == 60


def test_too_many_choices_are_one_answer(server):
    answers, _ = ask(server.space(choices=3), prompts(2))
    texts_match(prompts(2), answers)


def test_an_endpoint_that_does_not_count_tokens_is_counted_by_bytes(server):
    _, usage = ask(server.space(usage=None, text="twelve bytes"), prompts(1))
    assert usage["tokens_at_most"] > 12 + len(prompts(1)[0].prompt)
    assert usage["tokens_in"] is usage["tokens_out"] is None


# Answers that cannot be used


def test_a_refused_answer_is_asked_again_then_kept_with_the_reason(server):
    refusal = "I'm sorry, but I can't assist with that."
    space = server.space(texts=[refusal, "A fine film it was."], only="")
    answers, usage = ask(space, prompts(2), attempts=2)
    assert [answer.rejected for answer in answers] == [None, None] and usage["asked"] == 4
    space = server.space(text=refusal)
    answers, usage = ask(space, prompts(2, 10), attempts=3)
    assert [answer.rejected for answer in answers] == ["refusal"] * 2 and usage["asked"] == 6
    assert answers[0].text == refusal
    _, usage = ask(space, prompts(2, 10), attempts=3)
    assert (usage["asked"], usage["stored"]) == (0, 6)
    _, usage = ask(space, prompts(2, 10), attempts=4)
    assert usage["asked"] == 2


@pytest.mark.parametrize(
    ("server_settings", "reason"),
    [
        ({"script": ["truncated"]}, "length"),
        ({"finish": "content_filter"}, "content_filter"),
        ({"text": " "}, "empty"),
        ({"text": "Okay"}, "short"),
    ],
)
def test_reasons(server, server_settings, reason):
    answers, _ = ask(server.space(**server_settings), prompts(1))
    assert answers[0].rejected == reason


def test_the_tasks_own_check_has_the_last_word(server):
    def check(text, request):
        return text.upper(), "odd" if "number 1." in request.prompt else None

    answers, _ = ask(server.space(), prompts(3), check=check)
    assert [answer.rejected for answer in answers] == [None, "odd", None] and answers[0].text.isupper()


# What stops the run, in one line, and what only rejects a row


def one_line(error) -> str:
    message = str(error.value)
    assert "\n" not in message and KEY not in message
    return message


@pytest.mark.parametrize(
    ("fault", "server_settings", "words"),
    [
        ("401", {"error": f"bad key {KEY}"}, "OPENAI_API_KEY"),
        ("403", {"error": "not for you"}, "not for you"),
        ("404", {"error": "model `m` does not exist"}, "does not exist"),
        ("400", {"error": f"temperature must be at most 2, said {KEY}"}, "temperature must be"),
        ("429", {"error": "You exceeded your quota", "code": "insufficient_quota"}, "quota"),
    ],
)
def test_errors_that_no_call_survives_stop_the_run(server, fault, server_settings, words):
    space = server.space(rates={fault: 1}, **server_settings)
    with pytest.raises(UserError) as error:
        ask(space, prompts(50))
    assert words in one_line(error)
    assert space.stats["calls"] <= 8 * limits.QUICK


@pytest.mark.parametrize(
    ("fault", "error"),
    [("400", "maximum context length is 4096"), ("400", "content_filter"), ("403", "flagged by moderation")],
)
def test_a_prompt_that_is_refused_rejects_its_row_only(server, fault, error):
    space = server.space(script=[fault] * 9, only="number 0.", error=error)
    answers, _ = ask(space, prompts(20), concurrency=1, attempts=3)
    assert error in answers[0].rejected
    texts_match(prompts(19, 1), answers[1:])
    assert space.stats["calls"] == 20


def test_no_key(server, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(UserError, match="OPENAI_API_KEY is not set"):
        ask(server.space(), prompts(1))


def test_nobody_listens():
    with pytest.raises(UserError, match=r"http://127.0.0.1:9/v1 cannot be reached"):
        answers_and_usage(settings("http://127.0.0.1:9/v1"), prompts(5))


def test_no_such_host():
    with pytest.raises(UserError, match=r"no-such-host.invalid/v1 cannot be reached"):
        answers_and_usage(settings("http://no-such-host.invalid/v1"), prompts(5))


@pytest.mark.parametrize("url", ["localhost:8000/v1", "https://me:word@host/v1"])
def test_a_base_url_must_be_one(url):
    with pytest.raises(UserError, match="base_url") as error:
        answers_and_usage(settings(url), prompts(1))
    assert "word" not in str(error.value).replace("password", "")


def test_tls_errors_are_told(tmp_path):
    pytest.importorskip("cryptography")
    certificate = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listening = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    listening.handle_error = lambda *_: None
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    try:
        with pytest.raises(UserError, match=r"TLS.*self.signed") as error:
            answers_and_usage(settings(f"https://127.0.0.1:{listening.server_port}/v1"), prompts(3))
        one_line(error)
    finally:
        listening.shutdown()
        listening.server_close()


def self_signed(folder):
    """A certificate that nobody vouches for, with its key, in one file."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.datetime.now(datetime.UTC)
    certificate = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    certificate = certificate.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(1))
    signed = certificate.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "server.pem"
    file.write_bytes(private + signed)
    return file


def test_the_run_stops_when_most_calls_fail_for_long(server, monkeypatch):
    monkeypatch.setattr(limits, "WINDOW", 1)
    space = server.space(rates={"500": 0.9}, error="out of memory")
    with pytest.raises(UserError, match=r"calls to the teacher failed.*500: out of memory.*kept") as error:
        ask(space, prompts(500))
    one_line(error)
    space.tell(rates={})
    _, usage = ask(space, prompts(500))
    assert usage["stored"] > 0 and max(space.stats["answers_per_body"]) == 1


def test_an_unknown_provider_lists_those_there_are(server):
    with pytest.raises(UserError, match=r"`gpt`, which is not one of .*openai.*template"):
        ask(server.space(), prompts(1), provider="gpt")


def test_the_key_is_nowhere(server, place, capfd):
    space = server.space(script=["500", "429"], error=f"your key was {KEY}")
    ask(space, prompts(5))
    space = server.space(script=["500"] * 50, error=f"your key was {KEY}")
    answers, _ = ask(space, prompts(1, 50))
    assert "***" in answers[0].rejected and KEY not in answers[0].rejected
    assert KEY not in "".join(capfd.readouterr())
    files = [file for file in place.rglob("*") if file.is_file()]
    assert len(files) > 1 and not any(KEY.encode() in file.read_bytes() for file in files)


def test_heavy_packages_wait_until_they_are_needed():
    heavy = {"torch", "pandas", "dvc", "openai", "aiohttp"}
    code = f"import sys, synthesis.teacher.ask; print({heavy} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "set()\n"


# Limits


def test_requests_in_flight_are_bounded_and_used(server):
    space = server.space(latency=0.1)
    ask(space, prompts(50), concurrency=10)
    assert space.stats["most_in_flight"] == 10


def test_requests_per_minute(server):
    space = server.space()
    ask(space, prompts(11), requests_per_minute=600)
    times = space.stats["times"]
    assert times[-1] - times[0] >= 0.85  # of 1 s: a busy machine may hold back the first call
    assert max(Counter(int(10 * (moment - times[0])) for moment in times).values()) <= 3, "spread evenly"


def test_tokens_per_minute(server):
    space = server.space(usage=[50, 50])
    ask(space, prompts(11), tokens_per_minute=60_000, max_tokens=50)
    times = space.stats["times"]
    assert 0.8 <= times[-1] - times[0] < 3


def test_limits_are_taken_from_headers(server):
    space = server.space(headers={"x-ratelimit-limit-requests": "600"})
    ask(space, prompts(13), concurrency=2)
    times = space.stats["times"]
    assert times[-1] - times[0] >= 0.9


def test_an_exhausted_limit_is_waited_for(server):
    space = server.space(headers={"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "400ms"})
    ask(space, prompts(3), concurrency=1)
    times = space.stats["times"]
    assert times[-1] - times[0] >= 0.75


def test_many_429s_slow_everybody_down(server, monkeypatch):
    monkeypatch.setattr(limits, "LONGEST", 30)
    space, requests = server.space(per_second=30), prompts(50)
    answers, _ = ask(space, requests, concurrency=30)
    texts_match(requests, answers)
    assert space.stats["outcomes"]["429"] < 300


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "300", "retry-after": "9"}, 0.3),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers, seconds):
    assert limits.retry_after(headers) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"), [("6m0s", 360), ("1.5s", 1.5), ("20ms", 0.02), ("1h2m", 3720), ("30", 30), ("", 0), (None, 0)]
)
def test_durations(text, seconds):
    assert limits.duration(text) == pytest.approx(seconds)


# Budgets


@pytest.mark.parametrize("concurrency", [1, 7])
@pytest.mark.parametrize(
    ("kind", "limit", "raised"), [("requests", 10, 40), ("tokens", 700, 4000), ("dollars", 0.007, 1.0)]
)
def test_a_budget_is_never_passed_and_resumed_with_nothing_repeated(
    server, monkeypatch, kind, limit, raised, concurrency
):
    monkeypatch.setattr(budget, "price", lambda *_: (1e-5, 1e-5))
    space, requests = server.space(latency=0.01), prompts(30)
    change = {"concurrency": concurrency, "max_tokens": 20}
    with pytest.raises(UserError, match=r"of 30 rows of imdb seed.*raise asking.budget") as error:
        ask(space, requests, budget={kind: limit}, **change)
    one_line(error)
    first = space.stats
    spent = {"requests": first["calls"], "tokens": first["tokens"], "dollars": first["tokens"] * 1e-5}
    assert limit * 0.5 < spent[kind] <= limit
    with pytest.raises(UserError):
        ask(space, requests, budget={kind: limit}, **change)
    assert space.stats["calls"] == first["calls"]  # the rerun stops where the first one did
    answers, usage = ask(space, requests, budget={kind: raised}, **change)
    texts_match(requests, answers)
    assert space.stats["per_body"] == [1] * 30 and usage["stored"] == first["calls"]


def test_a_budget_counts_earlier_stages_and_stored_answers(server):
    space = server.space()
    ask(space, prompts(5))
    earlier = {"calls": 4, "tokens_in": 0, "tokens_out": 0, "dollars": None}
    Paths("imdb").metrics.mkdir(parents=True)
    (Paths("imdb").metrics / "rationales.json").write_text(json.dumps(earlier))
    with pytest.raises(UserError, match="budget"):
        ask(space, prompts(9)[::-1], budget={"requests": 12})
    assert space.stats["calls"] == 5 + 3


def test_several_asks_of_one_teacher_add_up(server):
    space = server.space()
    ask(space, prompts(2))
    teacher = Teacher(settings(space.url, budget={"requests": 6}), "seed")
    teacher.ask(prompts(3))
    teacher.ask(prompts(2, 50), teacher=params.Teacher(**{**TEACHER, "temperature": 0.0, "min_words": 0}))
    usage = {"calls": 5, "tokens_in": 50, "tokens_out": 100, "tokens_reasoning": None, "tokens_at_most": 150}
    assert teacher.usage == {**usage, "dollars": None}
    log = json.loads((Paths("imdb").logs / "seed.json").read_text())
    assert log == teacher.log and (log["asked"], log["stored"]) == (3, 2) and log["seconds"] > 0
    with pytest.raises(UserError, match=r"asking\.budget: 6 of 6 requests are spent"):
        teacher.ask(prompts(2, 90))


def test_without_max_tokens_the_longest_answer_bounds_the_next(server):
    space = server.space(usage=[10, 100])
    with pytest.raises(UserError, match="budget"):
        ask(space, prompts(30), max_tokens=None, budget={"tokens": 1000})
    assert 500 <= space.stats["tokens"] <= 1000


def test_a_call_that_was_cut_may_be_billed(server):
    space = server.space(rates={"cut": 0.5})
    with pytest.raises(UserError, match="budget"):
        ask(space, prompts(40), budget={"requests": 20})
    assert space.stats["calls"] <= 20


def test_dollars_need_a_price(server):
    with pytest.raises(UserError, match="price"):
        ask(server.space(), prompts(1), budget={"dollars": 1})


def test_prices_come_from_the_tables_or_are_unknown():
    assert budget.price("gpt-4o-mini", "https://api.openai.com/v1") == pytest.approx((0.15e-6, 0.6e-6))
    assert budget.price("no-such-model", "https://api.openai.com/v1") is None
    assert budget.price("gpt-4o-mini", "http://localhost:8000/v1") is None


# kill -9, and several processes

ASKER = """
import json, sys
from synthesis import UserError
from synthesis.teacher import limits
from tests.test_teacher import answers_and_usage, prompts, settings
limits.BACKOFF = 0.02
changes = json.loads(sys.argv[1])
rows, url = changes.pop("rows"), changes.pop("url")
try:
    answers, usage = answers_and_usage(settings(url, **changes), prompts(rows))
except UserError as error:
    sys.exit(f"error: {error}")
except KeyboardInterrupt:
    sys.exit("stopped")
print(json.dumps({"texts": [a.text for a in answers], "rejected": [a.rejected for a in answers], "usage": usage}))
"""


def start(space, rows, **changes):
    words = [sys.executable, "-c", ASKER, json.dumps({"url": space.url, "rows": rows, **changes})]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)


def finish(process, timeout=60) -> dict:
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == 0, err
    return json.loads(out)


def kill_at(process, space, calls) -> None:
    while space.stats["calls"] < calls:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.communicate()


def test_kill_9_loses_only_what_is_in_flight(server):
    space, rows, concurrency, kills = server.space(latency=0.05), 120, 6, (1, 20, 70, 119)
    for calls in kills:
        kill_at(start(space, rows, concurrency=concurrency), space, calls)
    result = finish(start(space, rows, concurrency=concurrency))
    assert all(request.prompt in text for request, text in zip(prompts(rows), result["texts"], strict=True))
    stats = space.stats
    assert stats["bodies"] == rows and stats["calls"] - rows <= concurrency * len(kills)


def test_two_processes_share_a_store(server):
    space, rows = server.space(latency=0.02), 60
    results = [finish(process) for process in [start(space, rows), start(space, rows)]]
    assert results[0]["texts"] == results[1]["texts"]
    usage = [result["usage"] for result in results]
    assert usage[0]["asked"] + usage[1]["asked"] == space.stats["calls"] <= 2 * rows
    assert finish(start(space, rows))["usage"]["stored"] == rows


@pytest.mark.parametrize("reason", ["ctrl-c", "error"])
def test_a_stopped_run_says_so_in_one_line_and_keeps_what_was_answered(server, reason):
    space = server.space(latency=0.05)
    process = start(space, 400, concurrency=4)
    while space.stats["calls"] < 20:
        time.sleep(0.01)
    if reason == "ctrl-c":
        process.send_signal(signal.SIGINT)
    else:
        space.tell(rates={"404": 1}, error="gone")
    _, err = process.communicate(timeout=20)
    assert process.returncode == 1 and "Traceback" not in err and "nclosed" not in err and "never retrieved" not in err
    assert err.splitlines()[-1].startswith("stopped" if reason == "ctrl-c" else "error: ")
    asked = space.stats["answers"]
    space.tell(rates={})
    assert finish(start(space, 400))["usage"]["stored"] >= asked - 4


def test_a_log_is_not_flooded(server):
    space = server.space()
    process = start(space, 300)
    _, err = process.communicate(timeout=60)
    assert err.count("rows") + err.count("row/s") < 10 and err.count("--- asked ---") == 3
    _, err = start(space, 300).communicate(timeout=60)
    assert "asked" not in err


@pytest.mark.slow
def test_ten_thousand_rows_through_faults_and_kills(server):
    rates = {"429": 0.05, "500": 0.03, "hang": 0.01, "cut": 0.01, "garbage": 0.01}
    space, rows, concurrency, kills = server.space(latency=0.02, rates=rates), 10_000, 50, (2_000, 5_000, 8_000)
    change = {"concurrency": concurrency, "timeout": 2}
    for calls in kills:
        kill_at(start(space, rows, **change), space, calls)
    result = finish(start(space, rows, **change), timeout=500)
    assert len(result["texts"]) == rows and not any(result["rejected"])
    assert all(request.prompt in text for request, text in zip(prompts(rows), result["texts"], strict=True))
    stats = space.stats
    repeated = stats["answers"] - rows  # answered, but in flight or not yet on disk when the process was killed
    print(f"\n{stats['calls']:,} calls, {stats['outcomes']}, {repeated} repeated")
    assert stats["bodies"] == rows and repeated <= concurrency * len(kills)
