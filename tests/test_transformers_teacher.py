"""The local teacher with a tiny random model, and the same model behind a server of others: `transformers serve`."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest
import torch

from synthesis import UserError
from synthesis.models.load import fingerprint
from synthesis.providers import transformers as local
from synthesis.run import Run
from synthesis.teacher.request import Request
from tests import test_teacher
from tests.test_teacher import answers_and_usage

WORDS = [
    "the", "a", "film", "plot", "cast", "is", "was", "and", "dull", "bright", "slow", "warm", "good", "bad",
    "very", "quite", "rather", ".", ",",
]  # fmt: skip
TEMPLATE = (
    "{% for message in messages %}<{{ message.role }}> {{ message.content }} {% endfor %}"
    "{% if shout %}very very {% endif %}{% if add_generation_prompt %}<assistant> {% endif %}"
)


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> str:
    """The folder of a tiny random Llama with a tokenizer of whole words and a chat template."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    names = ["[PAD]", "[UNK]", "[END]", "<system>", "<user>", "<assistant>", *WORDS]
    vocabulary = Tokenizer(models.WordLevel({name: place for place, name in enumerate(names)}, "[UNK]"))
    vocabulary.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=vocabulary, pad_token="[PAD]", unk_token="[UNK]", eos_token="[END]",
        additional_special_tokens=["<system>", "<user>", "<assistant>"], chat_template=TEMPLATE,
    )  # fmt: skip
    torch.manual_seed(0)
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    ids = {"pad_token_id": 0, "eos_token_id": 2, "bos_token_id": None}
    config = LlamaConfig(vocab_size=len(names), max_position_embeddings=128, initializer_range=0.3, **size, **ids)
    folder = tmp_path_factory.mktemp("model") / "tiny"
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEACHER_STORE", str(tmp_path / "teacher.sqlite"))
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path


def settings(model, base_url=None, **changes) -> Run:
    values = {
        "provider": "transformers", "model": model, "temperature": 1.0, "top_p": 0.9, "max_tokens": 12,
        "concurrency": 4, "timeout": 60, "min_words": 0, "max_rejected": None,
    }  # fmt: skip
    return test_teacher.settings(base_url, **{**values, **changes})


def prompts(count):
    return [Request("seed", f"{' '.join(WORDS[: 1 + 5 * i % 17])} film") for i in range(count)]


def ask(model, requests, **changes):
    return answers_and_usage(settings(model, **changes), requests)


def writer(model):
    return local.Writer(model, threading.Event())


def body(model, prompt="the film is", **changes):
    return local.provider(settings(model, **changes)).body(Request("seed", prompt))


def test_every_row_gets_an_answer_and_the_store_keeps_it(model):
    answers, usage = ask(model, prompts(30))
    assert usage["asked"] == 30 and usage["tokens_in"] > 60 and 30 <= usage["tokens_out"] <= 360
    assert usage["dollars"] == 0
    assert len({answer.text for answer in answers}) > 20
    assert {answer.rejected for answer in answers} <= {None, "length", "empty"}
    again, usage = ask(model, prompts(30))
    assert again == answers and (usage["asked"], usage["stored"]) == (0, 30)


def test_the_same_run_gives_the_same_answers(model, monkeypatch, tmp_path):
    first, _ = ask(model, prompts(17))
    monkeypatch.setenv("TEACHER_STORE", str(tmp_path / "other.sqlite"))
    assert ask(model, prompts(17)[::-1])[0] == first[::-1]


def test_samples_of_one_request_differ(model):
    answers, _ = ask(model, prompts(1) * 6)
    assert len({answer.text for answer in answers}) > 3


def test_what_shares_a_batch_does_not_change_a_row(model):
    here, other = writer(model), body(model)
    rows = [here.tokens(body(model, text)) for text in ("the film is", "a bright plot and a warm cast . the film was")]
    alone = here.write((rows[0],), (7,), other)
    assert here.write(tuple(rows), (7, 8), other)[0] == alone[0]


def test_sampling_is_fair(model):
    """The first token of many draws is distributed as the model says."""
    here = writer(model)
    ids = here.tokens(body(model))
    drawn = here.write((ids,) * 4000, tuple(range(4000)), body(model, max_tokens=1, temperature=2.0, top_p=1.0))
    with torch.inference_mode():
        likely = (here.model(torch.tensor([ids])).logits[0, -1] / 2).softmax(0)
    for place, name in enumerate(WORDS, 6):
        share = sum(reply.text == name for reply in drawn) / 4000
        assert share == pytest.approx(float(likely[place]), abs=0.03)


def test_temperature_zero_is_the_likeliest(model):
    answers, _ = ask(model, prompts(1) * 3, temperature=0.0)
    assert len({answer.text for answer in answers}) == 1
    here = writer(model)
    ids = torch.tensor([here.tokens(body(model, prompts(1)[0].prompt))])
    expected = here.model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=12)
    assert here.tokenizer.decode(expected[0], skip_special_tokens=True).endswith(answers[0].text)


def test_finish_reason_and_tokens(model):
    here = writer(model)
    ids = here.tokens(body(model))
    replies = here.write((ids,) * 60, tuple(range(60)), body(model, max_tokens=12, temperature=3.0))
    assert {reply.finish for reply in replies} == {"stop", "length"}
    for reply in replies:
        assert reply.tokens_in == len(ids) and "[END]" not in reply.text
        assert reply.tokens_out == 12 if reply.finish == "length" else reply.tokens_out <= 12


def test_chat_template_system_prompt_and_options(model):
    here = writer(model)

    def text(**changes):
        return here.tokenizer.decode(here.tokens(body(model, "good film", **changes)))

    assert text() == "<user> good film <assistant>"
    assert text(system="very slow") == "<system> very slow <user> good film <assistant>"
    assert text(extra={"chat_template_kwargs": {"shout": True}}) == "<user> good film very very <assistant>"
    here.tokenizer.chat_template = None
    assert text(system="very slow") == "very slow good film"


def test_a_prompt_that_is_too_long_rejects_its_row_only(model):
    requests = [*prompts(2), Request("seed", "film " * 200)]
    answers, _ = ask(model, requests)
    assert "the prompt has 202 tokens" in answers[2].rejected and answers[0].text


def test_other_weights_are_another_request(model, tmp_path):
    first = body(model)
    copy = shutil.copytree(model, tmp_path / "copy")
    assert fingerprint(str(copy)) == first["revision"]
    (other := tmp_path / "other").mkdir()
    (other / "config.json").write_text("{}")
    assert fingerprint(str(other)) != first["revision"]


@pytest.mark.parametrize("name", ["no-such/model", "not a name", "empty"])
def test_an_unknown_model_is_told_in_one_line(name, tmp_path):
    if name == "empty":
        (tmp_path / name).mkdir()
        name = str(tmp_path / name)
    with pytest.raises(UserError, match=r"teacher\.model: cannot load `.*`") as error:
        ask(name, prompts(1))
    assert "\n" not in str(error.value)


def test_fields_for_endpoints_are_refused(model):
    with pytest.raises(UserError, match=r"teacher\.extra: `seed`"):
        ask(model, prompts(1), extra={"seed": 1})


# Someone else's server


@pytest.fixture
def served(model):
    """`transformers serve` with the tiny model."""
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    tool = Path(sys.executable).with_name("transformers")
    words = [tool, "serve", model, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    process = subprocess.Popen(words, env={**os.environ, "HF_HUB_OFFLINE": "1"}, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            assert process.poll() is None
            try:
                urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://127.0.0.1:{port}/health")
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(20)


def test_a_third_party_server(model, served):
    answers, usage = ask(model, prompts(8), provider="openai", base_url=served)
    assert usage["asked"] == 8 and usage["tokens_out"] > 8 and usage["dollars"] is None
    assert {answer.rejected for answer in answers} <= {None, "length", "empty"}
    words = set(" ".join(answer.text for answer in answers).split())
    assert words and words <= {*WORDS, "[UNK]"}
    again, usage = ask(model, prompts(8), provider="openai", base_url=served)
    assert again == answers and usage["stored"] == 8
