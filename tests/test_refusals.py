"""A failure of the run is never booked as one of rows; a paid answer is never lost over what stands beside it."""

import json
import time
from importlib import import_module

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from synthesis import UserError, params
from synthesis.params import Params
from synthesis.teacher import collecting, limits, refusals
from synthesis.teacher.endpoint import Endpoint
from synthesis.teacher.rejections import THOUGHTS, Rejections
from synthesis.teacher.request import Failed, Rejected, Reply, Request
from tests.batch_server import BatchServer, line, refused, written
from tests.llm_server import Server
from tests.test_teacher import ROOT, answers_and_usage, ask, one_line, place, prompts, settings, texts_match  # noqa: F401

BODY = {"model": "m", "messages": [{"role": "user", "content": "Write."}], "max_tokens": 1024}


@pytest.fixture(scope="module")
def server():
    with Server() as running:
        yield running


@pytest.fixture
def batches(monkeypatch):
    openai_batch = import_module("synthesis.providers.openai-batch")
    monkeypatch.setattr(collecting, "MOMENT", 0.02)
    for name in ("FIRST", "LONGEST"):
        monkeypatch.setattr(openai_batch, name, 0.02)
    for name in ("BACKOFF", "LONGEST"):
        monkeypatch.setattr(import_module("synthesis.providers.openai-batch.batches"), name, 0.01)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-batch-0123456789")
    with BatchServer() as running:
        yield running


def endpoint(**changes) -> Endpoint:
    return Endpoint(settings("http://h/v1", **changes).params)


def judged(message: str, status: int = 400, code: str = "", answered: bool = True, **headers):
    """What an error means to an endpoint that has answered before."""
    judge = endpoint()
    judge.answered = answered
    return judge.refusal(status, headers, json.dumps({"error": {"message": message, "code": code}}).encode(), BODY)


# Whose fault it is


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (400, "content_filter", "The response was filtered because of the content management policy"),
        (400, "invalid_prompt", "Your prompt was flagged: it may break the usage policy"),
        (400, "", "Content Exists Risk"),
        (400, "data_inspection_failed", "Input data may contain inappropriate content."),
        (403, "", "the input was flagged by moderation"),
        (400, "context_length_exceeded", "This model's maximum context length is 4097 tokens, your messages had 5000"),
        (
            400,
            "",
            "maximum context length is 8192 tokens. You requested 9000 tokens (7976 in the messages, 1024 in the",
        ),
        (400, "", "prompt is too long: 210000 tokens > 200000 maximum"),
        (400, "", "The input token count (1,200,000) exceeds the maximum number of tokens allowed (1,048,576)."),
        (
            400,
            "",
            "max_tokens is too large: 1024. The context length is 4096 and your request has 3500 input tokens",
        ),
        (422, "", "`inputs` tokens + `max_new_tokens` must be <= 4097, the context length. Given: 5000 inputs tokens"),
        (413, "", "Request Entity Too Large"),
    ],
)
def test_about_one_row(status, code, message):
    assert isinstance(judged(message, status, code), Rejected)


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (400, "", "Nothing is left on this account: buy credits to go on"),
        (400, "API_KEY_INVALID", "API key expired. Please renew the API key."),
        (400, "billing_hard_limit_reached", "Billing hard limit has been reached"),
        (402, "", "the balance is used up"),
        (403, "", "your account was flagged, and is closed"),
        (404, "", "no such model"),
        (400, "", "max_tokens: 1024 is too large, this model writes 512 at most"),
        (400, "", "temperature is too large"),
        (
            400,
            "",
            "This context length is 1024 tokens, and 1084 were asked for (60 in the messages, 1024 in the answer)",
        ),
        (400, "", "max_completion_tokens exceeds the context length of 1000 tokens"),
        (400, "unsupported_parameter", "Unknown field `min_p`"),
        (400, "", "what is this?"),
        (422, "", "field required"),
        (401, "", "no"),
        (429, "insufficient_quota", "You exceeded your quota"),
        (429, "", "you have used all credits: the spending limit is reached"),
    ],
)
@pytest.mark.parametrize("answered", [False, True])
def test_about_the_run(status, code, message, answered):
    error = judged(message, status, code, answered)
    assert isinstance(error, UserError) and message in str(error) and "\n" not in str(error)


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 520, 529])
def test_later(status):
    error = judged("there is no room, see your billing page", status)
    assert isinstance(error, Failed) and error.limited == (status == 429)


def test_a_daily_quota_is_named():
    message = "Rate limit reached on requests per day (RPD): Limit 200, Used 200"
    assert "daily quota is used up (429)" in str(judged(message, 429)) and isinstance(judged(message, 429), UserError)
    soon = endpoint().refusal(429, {"retry-after": "30"}, json.dumps({"error": {"message": message}}).encode())
    assert isinstance(soon, Failed)


def test_a_key_that_is_a_word_masks_none(monkeypatch):
    for key in ("a", "none", "EMPTY", "anything"):
        monkeypatch.setenv("OPENAI_API_KEY", key)
        assert "anything is empty, none" in str(judged("anything is empty, none", 402))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
PARTS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("code", "type", "message", "detail", "status", "metadata", "error"), json_values),
)


@hypothesis_settings(derandomize=True, deadline=None, max_examples=300)
@given(st.sampled_from([400, 403, 404, 418, 429, 500, 529]), json_values | PARTS)
def test_errors_of_any_shape_are_one_line(status, error):
    failure = Endpoint(settings("http://h/v1").params).refusal(status, {}, json.dumps({"error": error}).encode(), BODY)
    assert isinstance(failure, Failed | Rejected | UserError) and "\n" not in str(failure)


@hypothesis_settings(derandomize=True, deadline=None, max_examples=300)
@given(
    json_values,
    json_values,
    json_values,
    st.dictionaries(st.sampled_from(["reasoning_content", "reasoning", "tool_calls", "role"]), json_values),
)
def test_a_text_counts_whatever_stands_beside_it(usage, model, finish, fields):
    message = {**fields, "content": "A good text it is."}
    completion = {"choices": [{"message": message, "finish_reason": finish}], "usage": usage, "model": model}
    reply = Endpoint(settings("http://h/v1").params).read(json.dumps(completion).encode(), BODY, {})
    assert reply.text == "A good text it is." and isinstance(reply.finish, str)
    counts = reply.tokens_in, reply.tokens_out, reply.tokens_reasoning
    assert all(count is None or count >= 0 for count in counts) and min(reply.tokens(100)) >= 0


# A refusal stops the stage, and what was answered is kept


def test_an_account_that_is_empty_in_mid_stage(server):
    space = server.space(after=[12, "400"], error="Nothing is left on this account: buy credits")
    with pytest.raises(UserError) as error:
        ask(space, prompts(24), concurrency=1)
    assert "Nothing is left on this account" in one_line(error) and "account and key" in one_line(error)
    space.tell(after=None)
    answers, usage = ask(space, prompts(24))
    texts_match(prompts(24), answers)
    assert (usage["asked"], usage["stored"]) == (12, 12)


def test_settings_stop_at_the_first_row(server):
    space = server.space(rates={"400": 1}, error="max_tokens 50 is too large, this model writes 20 at most")
    with pytest.raises(UserError, match=r"too large.*lower teacher.max_tokens"):
        ask(space, prompts(24), concurrency=4)
    assert space.stats["calls"] <= 4


def test_the_same_refusal_of_every_row_is_none_of_rows(server):
    space = server.space(rates={"400": 1}, error="content_filter")
    with pytest.raises(UserError, match=r"one after another had no answer.*content_filter"):
        ask(space, prompts(60), concurrency=1, max_rejected=None)
    assert space.stats["calls"] == limits.FEWEST


@pytest.mark.parametrize("status", [200, 400, 429])
def test_a_batch_whose_account_is_empty(batches, status):
    message, code = "the hard limit is reached", "billing_hard_limit_reached"
    error = {"error": {"message": message, "code": code}}

    def result(name, body):
        good = int(body["messages"][-1]["content"].split()[-1].strip(".")) < 6
        return written(name, body) if good else line(name, status, error)

    batches.result = result
    run = settings(batches.url, provider="openai-batch")
    with pytest.raises(UserError, match=message):
        answers_and_usage(run, prompts(24))
    batches.result = written
    answers, usage = answers_and_usage(run, prompts(24))
    texts_match(prompts(24), answers)
    assert (usage["asked"], usage["stored"]) == (18, 6)


def test_a_batch_with_one_refused_row_and_one_of_settings(batches):
    batches.result = lambda name, body: (
        refused(name, 400, "content_filter") if "1." in str(body) else written(name, body)
    )
    answers, _ = answers_and_usage(settings(batches.url, provider="openai-batch"), prompts(8))
    assert [bool(answer.rejected) for answer in answers] == [number == 1 for number in range(8)]
    batches.result = lambda name, body: refused(name, 400, "max_tokens is too large")
    with pytest.raises(UserError, match=r"lower teacher.max_tokens"):
        answers_and_usage(settings(batches.url, provider="openai-batch"), prompts(8, 50))


# A 200 that is none


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ({"error": {"message": "too few credits", "code": 402}}, "refuses the request (402): too few credits"),
        ({"error": {"message": "no such model", "code": "model_not_found"}}, "no such model"),
        (
            {"error": {"message": "the provider has no room", "code": 429}},
            "error (429): the provider",
        ),
        (
            {"choices": [{"finish_reason": "error", "error": {"message": "it fell over", "code": 502}}]},
            "error (502): it fell",
        ),
        ({"error": "there is no POST /chat/completions"}, "there is no POST /chat/completions (check asking.base_url"),
        ("<!doctype html><title>Open</title>", "begins: <!doctype html><title>Open</title> (check asking.base_url"),
        ('data: {"choices": []}\n\n', 'begins: data: {"choices": []} (check asking.base_url, most end in /v1'),
        ({"object": "list", "data": []}, 'begins: {"object": "list"'),
        ([], "begins: []"),
        ("", "begins: nothing"),
    ],
)
def test_what_comes_is_quoted_and_stops_the_run_within_seconds(server, reply, words):
    space = server.space(rates={"reply": 1}, reply=reply if isinstance(reply, str) else json.dumps(reply))
    began = time.monotonic()
    with pytest.raises(UserError) as error:
        ask(space, prompts(24), concurrency=1)
    assert words in one_line(error)
    assert time.monotonic() - began < 5 and space.stats["calls"] <= limits.QUICK


def test_a_limit_in_a_200_is_waited_out(server):
    reply = json.dumps({"error": {"message": "slow down", "code": 429}})
    space = server.space(script=["reply"] * (limits.TRIES + 2), only="number 1.", reply=reply)
    answers, _ = ask(space, prompts(3))
    texts_match(prompts(3), answers)


def test_an_error_in_a_choice_is_asked_again():
    choice = {"finish_reason": "error", "error": {"code": 502, "message": "the provider stopped in the middle"}}
    with pytest.raises(Failed) as failure:
        endpoint().read(json.dumps({"choices": [choice]}).encode(), BODY, {})
    assert "(502): the provider stopped" in str(failure.value)


@pytest.mark.parametrize("path", ["", "/v1/batches"])
def test_a_batch_endpoint_that_is_none(batches, monkeypatch, path):
    monkeypatch.setattr(batches, "reply", None, raising=False)
    for reply in ({"error": {"message": "no such thing here", "code": 404}}, {"what": "is this"}, b"<!doctype html>"):
        monkeypatch.setattr(batches.server.RequestHandlerClass, "reply", lambda *_, reply=reply: reply)
        with pytest.raises(UserError) as error:
            answers_and_usage(settings(batches.url, provider="openai-batch"), prompts(2))
        assert "asking.base_url" in one_line(error) or "no such thing here" in one_line(error)


# Side fields


@pytest.mark.parametrize(
    "odd",
    [
        {"fields": {"usage": None}},
        {"fields": {"usage": {"prompt_tokens": None, "completion_tokens": None}}},
        {"fields": {"usage": "none", "model": None}},
        {"choice": {"message": None, "text": "A text it is."}},
        {"choice": {"message": {"content": [{"text": "A text it is."}, {"text": None}, None, {"thinking": []}]}}},
    ],
)
def test_an_answer_with_odd_side_fields_counts(server, odd):
    space = server.space(text="A text it is.", **odd)
    answers, usage = ask(space, prompts(3))
    assert [answer.text for answer in answers] == ["A text it is."] * 3 and space.stats["calls"] == 3
    assert usage["asked"] == 3


def test_reasoning_tokens_are_counted_apart(server):
    details = {"completion_tokens_details": {"reasoning_tokens": 15}}
    space = server.space(fields={"usage": {"prompt_tokens": 10, "completion_tokens": 20, **details}})
    for asked in (3, 0):  # new answers, and the same out of the store
        _, usage = ask(space, prompts(3))
        assert (usage["asked"], usage["tokens_out"], usage["tokens_reasoning"]) == (asked, 60, 45)


def test_what_an_endpoint_does_not_count_is_unknown(server):
    space = server.space(text="twelve bytes")
    _, usage = ask(space, prompts(1))
    assert usage["tokens_in"] > 0 and usage["tokens_reasoning"] is None
    space.tell(usage=None)
    _, usage = ask(space, prompts(2))
    assert [usage[name] for name in ("calls", "tokens_in", "tokens_out", "tokens_reasoning")] == [2, None, None, None]
    assert usage["tokens_at_most"] > 12
    with pytest.raises(UserError, match="tokens are spent"):
        ask(space, prompts(9), budget={"tokens": usage["tokens_at_most"] + 20})


def test_the_query_of_a_base_url_is_kept(server):
    space = server.space()
    space.url += "/?api-version=2026-01-01&x=a%20b"
    texts_match(prompts(2), ask(space, prompts(2))[0])
    assert space.stats["queries"] == ["api-version=2026-01-01&x=a b"]


# Thoughts that leave nothing for the text


@pytest.mark.parametrize("content", [None, "", " "])
def test_thoughts_without_a_text_are_paid_for_once(server, content):
    message = {"content": content, "reasoning_content": "Let me think."}
    space = server.space(choice={"message": message, "finish_reason": "length"}, only="")
    answers, _ = ask(space, prompts(3), attempts=3)
    assert [answer.rejected for answer in answers] == [THOUGHTS] * 3 and space.stats["calls"] == 3
    with pytest.raises(UserError, match=r"Raise teacher.max_tokens, or turn thinking down in teacher.extra"):
        ask(space, prompts(100, 10), attempts=3, concurrency=4)
    assert space.stats["calls"] < 3 + 20


# Too many rejected rows


def finish(total: int, bad: list[bool], most: float | None) -> int:
    """How many rows are finished when it stops; `total` when it does not."""
    rejections = Rejections("t seed", total, most)
    for number, rejected in enumerate(bad, 1):
        try:
            rejections.add(Request("seed", "Write."), "A text", "odd" if rejected else None)
        except UserError:
            return number
    return total


@hypothesis_settings(derandomize=True, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=80), st.sampled_from([0.1, 0.5, 0.9, 1.0]))
def test_a_larger_share_than_allowed_always_stops_and_small_samples_never(bad, most):
    stopped = finish(len(bad), [*bad], most)
    if len(bad) < 10:
        assert stopped == len(bad)
    rejections = Rejections("t", len(bad), most)
    if len(bad) >= 10 and sum(bad) > most * len(bad):
        with pytest.raises(UserError):
            for rejected in bad:
                rejections.add(Request("seed", ""), "", "odd" if rejected else None)
    assert finish(len(bad), bad, None) == len(bad)


def test_it_stops_early_when_nothing_can_be_used():
    assert finish(500, [True] * 500, 0.5) == 10
    assert finish(500, [True, False] * 250, 0.5) == 500


def test_every_answer_rejected_by_the_tasks_check(server):
    space = server.space(text="A text\nof two lines.")
    check = lambda text, request: (text, "odd")  # noqa: E731
    with pytest.raises(UserError) as error:
        ask(space, prompts(60), check=check, concurrency=1)
    message = one_line(error)
    assert (
        "10 of the first 10 rows of imdb seed (60 are wanted) were rejected, more than asking.max_rejected" in message
    )
    assert "(10 times): odd" in message and "`Write review number 0.` was answered `A text of two lines.`" in message
    answers, usage = ask(space, prompts(60), check=check, max_rejected=None)
    assert [answer.rejected for answer in answers] == ["odd"] * 60 and usage["stored"] == 10


# Rationales


def rationales(replies):
    """The stage's answers in place of a teacher's, turn by turn: lists of texts, None for one that was cut."""
    from stages import rationales as stage
    from synthesis.teacher.request import Answer

    run = settings("http://h/v1")
    method = params.Method.model_construct(rationales_per_label=6, rationales_per_request=3)
    run = type(run)(run.task, run.params.model_copy(update={"method": method}), run.paths)
    answers = [
        Answer("\n".join(f"{n}. {item}" for n, item in enumerate(texts or ["cut"], 1)), "", 0, 0, "", "",
               None if texts else "length")
        for texts in replies
    ]  # fmt: skip
    counts = {"a": len(stage.distinct(["a"] * len(answers), answers).get("a", ()))}
    stage.check(run, counts, ["a"] * len(answers), answers)


def test_lists_that_are_cut_stop_the_stage():
    with pytest.raises(
        UserError, match=r"label `a` of imdb has 0 of 6 .*2 of 2 lists were rejected.*length.*max_tokens"
    ):
        rationales([None, None])
    with pytest.raises(UserError, match="has 2 of 6"):
        rationales([["one thing", "two things"], None])


def test_a_teacher_that_repeats_itself_is_warned_of(capsys):
    rationales([["one thing", "two things"]] * 3)
    assert "warning: label `a` of imdb has 2 of 6 rationales" in capsys.readouterr().err
    rationales([["one thing", "two things", "three things"], None])
    assert capsys.readouterr().err == ""


# params.yaml


def test_former_places_of_keys():
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    content["teacher"] |= {"base_url": "http://h/v1", "concurrency": 4, "budget": {"tokens": 5}}
    read = Params.model_validate(content)
    assert (read.asking.base_url, read.asking.concurrency, read.asking.budget.tokens) == ("http://h/v1", 4, 5)
    assert read.asking.timeout == 60 and read.teacher == Params.model_validate(content | {"teacher": {
        key: value for key, value in content["teacher"].items() if key not in ("base_url", "concurrency", "budget")
    }}).teacher  # fmt: skip
    del content["asking"]
    content["teacher"] |= {"timeout": 60, "requests_per_minute": None, "tokens_per_minute": None}
    assert Params.model_validate(content).asking.max_rejected == 0.5


def test_status_of_an_error():
    assert refusals.status({"code": "429"}) == 429 and refusals.status({"code": 502}) == 502
    assert refusals.status({"code": "rate_limit_exceeded"}) == 429 and refusals.status({"message": "x"}) is None
    assert refusals.status({"type": "server_error"}) == 503 and Reply("x").finish == "stop"
