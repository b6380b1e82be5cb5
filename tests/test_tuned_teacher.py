"""A teacher that learns: a tiny random model is tuned on planted gold rows, and then generates and annotates."""

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from stages import combine, gold, seed, tune
from synthesis import UserError, files, params
from synthesis.lineage import Lineage
from synthesis.models.load import fingerprint
from synthesis.providers.transformers.likelihood import ended, log_likelihoods
from synthesis.providers.transformers.writer import Writer
from synthesis.rows import likeliest
from synthesis.run import Run
from synthesis.teacher import ask
from synthesis.teacher.ask import Teacher
from synthesis.teacher.request import Request
from synthesis.tuning.fit import Tuning
from synthesis.tuning.lessons import counts, exchanges
from tests import people
from tests.llm_server import Server

GOOD, BAD = ["bright", "warm", "witty", "tender"], ["dull", "slow", "stale", "clumsy"]
THINGS = ["film", "plot", "cast", "score", "ending", "script", "camera", "story"]
PROMPTS = {
    "rationale": "Why {{ label }} ?",
    "seed": "Write a {{ label }} line .",
    "extrapolate": "{{ text }} | Write one more {{ label }} line .",
    "verify": "{{ text }} | Is it {{ labels | join(' or ') }} ?",
}
TEMPLATE = (
    "{% for message in messages %}<{{ message.role }}> {{ message.content }} {% endfor %}"
    "{% if shout %}very {% endif %}{% if add_generation_prompt %}<assistant> {% endif %}"
)
SETTINGS = {
    "tasks": ["films"], "prompts": "tiny", "method.rationales": False, "teacher.provider": "transformers",
    "teacher.model": "tiny", "teacher.tune": "gold", "teacher.max_tokens": 24, "teacher.stop": ["\n"],
    "teacher.tuning.steps": 150, "teacher.tuning.batch": 16, "teacher.tuning.learning_rate": 0.003,
    "asking.max_rejected": None, "method.replacements": 0.0, "filters.near_duplicate": None, "filters.length": None,
}  # fmt: skip


def row(number: int) -> dict:
    """A text that tells its label by two words, and its own number by a third one."""
    drawn, label = random.Random(number), ["good", "bad"][number % 2]
    first, second = drawn.sample(GOOD if label == "good" else BAD, 2)
    return {"id": f"g{number}", "text": f"m{number} {drawn.choice(THINGS)} is {first} and {second}", "label": label}


def tokenizer(texts: list[str]):
    """Of whole words: those of the texts and of the prompts."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = dict.fromkeys(word for text in [*texts, *PROMPTS.values()] for word in text.split())
    marks = ["[PAD]", "[UNK]", "[END]", "<system>", "<user>", "<assistant>", "very"]
    names = {name: place for place, name in enumerate([*marks, *(word for word in words if word not in marks)])}
    vocabulary = Tokenizer(models.WordLevel(names, "[UNK]"))
    vocabulary.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=vocabulary, pad_token="[PAD]", unk_token="[UNK]", eos_token="[END]",
        additional_special_tokens=marks[3:6], chat_template=TEMPLATE,
    )  # fmt: skip


def tiny(folder: Path, texts: list[str]) -> None:
    """A random Llama of 40,000 weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    words = tokenizer(texts)
    size = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
    ids = {"pad_token_id": 0, "eos_token_id": 2, "bos_token_id": None}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(words), max_position_embeddings=96, **size, **ids)).save_pretrained(
        folder
    )
    words.save_pretrained(folder)


def prepare(folder: Path, copied) -> None:
    """A task of 64 gold rows, 40 of test and 56 beyond the budget, and a teacher that was tuned on it."""
    repository, rows = copied, [row(number) for number in range(160)]
    place = repository.folder / "data/gold/films"
    place.mkdir(parents=True)
    (place / "gold.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    for name, text in PROMPTS.items():
        (repository.folder / f"prompts/films/tiny/{name}.md").parent.mkdir(parents=True, exist_ok=True)
        (repository.folder / f"prompts/films/tiny/{name}.md").write_text(text)
    tiny(repository.folder / "tiny", [*(each["text"] for each in rows), "good bad"])
    reviews = params.yaml.safe_load((repository.folder / "params.yaml").read_text())["task"]["reviews"]
    own = {
        "source": "data/gold/films/gold.jsonl",
        "columns": {"id": "id"},
        "labels": {},
        "budget": 64,
        "test_rows": 40,
    }
    films = {**reviews, "gold": {**reviews["gold"], **own}, "seed_rows": 40, "templates": None, "student": {}}
    repository.set({"task.films": films, **SETTINGS})
    for stage in ("gold", "tune", "rationales"):
        repository.stage(stage, "films")


@pytest.fixture(scope="module")
def tuned(once, untouched):
    from tests.conftest import copied

    return once("tuned", lambda folder: prepare(folder, copied(untouched, folder)))


@pytest.fixture
def films(tuned, tmp_path, monkeypatch):
    """A copy of it of the test's own, which is the current folder."""
    from tests.conftest import copied

    repository = copied(tuned, tmp_path)
    monkeypatch.chdir(repository.folder)
    monkeypatch.setenv("TEACHER_STORE", str(tmp_path / "teacher.sqlite"))
    return repository


def run() -> Run:
    return Run.of("films")


def truth(text: str) -> str:
    return "good" if set(text.split()) & set(GOOD) else "bad"


def seeds(repository, **changes) -> pd.DataFrame:
    repository.set({key.replace("__", "."): value for key, value in changes.items()})
    seed.main(run())
    return files.read(run().paths.seed)


def test_a_tuned_teacher_learns_to_write_and_to_label(tuned):
    found = json.loads((tuned.folder / "metrics/films/tune.json").read_text())
    assert found["learned"] == {"seed": 48, "extrapolate": 48, "verify": 48}
    assert found["selection"] == {"seed": 16, "extrapolate": 16, "verify": 16}
    assert found["likelihood"]["after"] > 5 * found["likelihood"]["before"]
    assert found["accuracy"]["before"] < 0.8 < 0.9 < found["accuracy"]["after"]
    assert 0 < found["step"] <= 150 and found["tokens"] > 0 and found["left_out"] == 0


def test_the_time_of_tuning_is_told_once_it_was_measured(films):
    def told() -> str:
        lines = films.command("estimate", "films").stdout.splitlines()
        return next(line for line in lines if line.startswith("films  tune")).rpartition("  ")[2]

    log = run().paths.logs / "tune.json"
    found = files.read_json(log)
    assert found["steps"] == 150 and found["seconds"] > 0
    files.write_json({"steps": 100, "seconds": 60.0}, log)
    assert told() == "~1 min 30 s"
    log.unlink()
    assert told() == "unknown"


def test_the_same_rows_give_the_same_weights_and_others_make_other_requests(films):
    before = fingerprint("data/films/teacher")
    key = ask.provider(run()).body(Request("seed", "Write"))
    assert key["model"] == "data/films/teacher" and key["revision"] == before
    marks = []
    for steps in (10, 10, 11):
        films.set({"teacher.tuning.steps": steps})
        tune.main(run())
        marks.append(ask.provider(run()).body(Request("seed", "Write"))["revision"])
    assert marks[0] == marks[1] and len({before, *marks}) == 3


def test_no_row_of_test_or_pool_nor_the_order_of_the_pool_reaches_tuning(films):
    splits = run().gold()
    pool = files.read(run().paths.pool)
    assert list(pool.columns) == ["id", "text"] and len(pool) == 56
    learned = exchanges(run(), splits["validation"], ["bad", "good"])
    words = {word for each in learned for word in f"{each.request.prompt} {each.answer}".split()}
    for rows in (splits["selection"], splits["test"], pool):
        assert not words & {text.split()[0] for text in rows.text}
    assert {text.split()[0] for text in splits["validation"].text} <= words
    labels = pool.text.map(truth)
    assert 10 < (labels != labels.shift()).sum() < 46, "in no order that would tell labels"
    assert set(pool.id) == {f"pool-{number}" for number in range(56)}


def test_what_is_learned_is_what_will_be_asked(films):
    films.set({"teacher.system": "Write a good line .", "teacher.extra": {"chat_template_kwargs": {"shout": True}}})
    from synthesis.tuning.fit import Tuning

    here = run()
    chat = Tuning(here, here.gold(), ["bad", "good"]).pupil.turns
    learned = exchanges(here, here.gold()["validation"], ["bad", "good"])
    writer = Writer("tiny", 1, 1.0, 1.0)
    asked = chat.asked([each.request.prompt for each in learned])
    assert asked == [writer.tokens(ask.provider(here).body(each.request)) for each in learned]
    assert writer.tokenizer.decode(asked[0]).startswith("<system> Write a good line .")
    assert writer.tokenizer.decode(asked[0]).endswith("very <assistant>")


@pytest.mark.parametrize(
    "loop", [{"method.rows_per_request": 5, "method.additional_rows": 5}, {"method.add": "contrasts"}]
)
def test_what_the_loop_asks_for_at_once_is_learned_and_generated_row_by_row(films, loop):
    """Or else the teacher would learn to answer a request for a list with one text."""
    rows = run().gold()["validation"]
    learned = exchanges(run(), rows, ["bad", "good"])
    for step in ("seed", "extrapolate"):
        films.edit(f"prompts/films/tiny/{step}.md", "Write", "Write {% if count %}{{ count }} times{% endif %}")
    one = exchanges(run(), rows, ["bad", "good"])
    films.set(loop)
    assert exchanges(run(), rows, ["bad", "good"]) == one and len(one) == len(learned)
    made = seeds(films, method__seed="generate")
    assert len(made) == 40 and made.item.eq(0).all()


def test_the_tuned_teacher_generates_rows_of_the_label_that_it_is_asked_for(films):
    rows = seeds(films, method__seed="generate")
    assert set(rows.model) == {"data/films/teacher"} and len(rows) == 40
    right = [truth(text) == label for text, label in zip(rows.text, rows.label, strict=True)]
    assert np.mean(right) > 0.9
    known = set(files.read(run().paths.gold("validation")).text)
    combine.main(run(), 0)
    rejected = files.read(run().paths.rejected(0))
    assert set(rejected[rejected.text.isin(known)].rejected) <= {"copies a gold row", "duplicate"}
    kept = files.read(run().paths.train(0))
    assert not set(kept.text) & known


def test_a_copy_of_a_gold_row_is_rejected_by_name(films):
    from synthesis.filters import sift

    splits, rows = run().gold(), seeds(films, method__seed="generate")
    copy = rows.head(1).assign(id="seed-x", text=splits["validation"].text[0].upper(), rejected="")
    assert sift(copy, copy.head(0), splits, run()).rejected.tolist() == ["copies a gold row"]
    films.set({"teacher.tune": None, "method.seed": "prompts"})
    assert sift(copy, copy.head(0), splits, run()).rejected.tolist() == [""]
    assert sift(copy.assign(prompt=""), copy.head(0), splits, run()).rejected.tolist() == [""]


@pytest.mark.parametrize(("way", "labelled"), [("annotate", 40), ("both", 20)])
def test_the_pool_is_annotated_with_the_likeliest_label(films, way, labelled):
    rows = seeds(films, method__seed=way)
    annotated = rows[rows.confidence.notna()] if way == "both" else rows
    assert len(rows) == 40 and len(annotated) == labelled and rows.id.is_unique
    assert set(annotated.text) <= set(files.read(run().paths.pool).text)
    right = [truth(text) == label for text, label in zip(annotated.text, annotated.label, strict=True)]
    assert np.mean(right) > 0.9
    assert annotated.confidence.between(0.5, 1).all()
    metrics = files.read_json(run().paths.metrics / "seed.json")
    assert (metrics["rows"], metrics["wanted"]) == (40, 40)
    written = 40 - labelled
    assert written <= metrics["calls"] <= 1.5 * written, "likelihoods are no calls"
    combine.main(run(), 0)
    traced = Lineage(run()).trace(annotated.id.iloc[0])
    assert traced["prompt"]["text"] == f"{annotated.text.iloc[0]} | Is it bad or good ?"


def test_a_pool_that_is_too_small_or_empty_is_told(films, capsys):
    pool = files.read(run().paths.pool)
    files.write(pool.head(5), run().paths.pool)
    assert len(seeds(films, method__seed="annotate")) == 5
    told = capsys.readouterr().err
    assert "warning: films seed: 40 unlabelled rows are to be annotated, and there are 5: lower the budget" in told
    files.write(pool.head(0), run().paths.pool)
    with pytest.raises(UserError, match=r"method\.seed: both needs unlabelled rows, and task `films` has none"):
        seeds(films, method__seed="both")
    assert "asked" not in capsys.readouterr().err, "no row is generated in vain"


def test_half_of_one_row_is_none_and_one(films):
    rows = seeds(films, method__seed="both", task__films__seed_rows=1)
    assert len(rows) == 1 and 0 < rows.confidence[0] <= 1, "it is annotated"
    lines = films.command("estimate", "films", "--rows", "1").stdout.splitlines()
    found = [line.split()[1:3] for line in lines if line.startswith("films  seed")]
    assert found == [["seed", "~0"], ["seed", "annotations"]]


def test_a_sample_that_tells_what_rows_are_worth_is_made_as_the_seed_data_are(films):
    films.stage("baseline", "films")
    films.set({"method.seed": "annotate"})
    told = films.command("worth", "films", "--rows", "12").stdout
    assert told.startswith("12 rows of the teacher (0 answers"), "unlabelled rows, by likelihood"


def test_an_untuned_teacher_annotates_too_and_knows_nothing(films):
    rows = seeds(films, method__seed="annotate", teacher__tune=None)
    assert set(rows.model) == {"tiny"}
    right = np.mean([truth(text) == label for text, label in zip(rows.text, rows.label, strict=True)])
    assert 0.2 < right < 0.8


def test_rows_are_verified_by_likelihood_without_calls(films):
    rows = seeds(films, method__seed="generate", verify__teacher="likelihood")
    metrics = files.read_json(run().paths.metrics / "seed.json")
    assert 40 == len(rows) <= metrics["calls"] < 60 and metrics["verified"] > 30
    answered = rows[rows.blind != ""]
    wrong = answered.rejected == "teacher disagrees"
    assert wrong.sum() == metrics["disagreed"]
    assert ((answered.blind != answered.label) == wrong).all()


def test_rows_that_the_teacher_has_no_room_for_are_rejected_whatever_their_label(films):
    rows = run().gold()["validation"].head(6).assign(rejected="")
    rows.loc[rows.index[:4], "text"] = "film is " * 100
    assert set(rows.label[:4]) == {"bad", "good"}
    judged, told = likeliest(run(), Teacher(run(), "seed"), rows, ["bad", "good"])
    assert judged.rejected[:4].eq("prompt too long").all() and judged.blind[:4].eq("").all()
    assert told["verified"] == 2 and judged.rejected[4:].eq("teacher disagrees").sum() == told["disagreed"]


def test_gold_rows_that_a_model_has_no_room_for_are_left_out_of_tuning(films, capsys):
    """One whose positions are learned cannot even be asked about them. Its tokenizer may have a limit of its own."""
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    words = AutoTokenizer.from_pretrained("tiny")
    size = {"n_embd": 32, "n_layer": 1, "n_head": 2, "n_positions": 96}
    ids = {"pad_token_id": 0, "eos_token_id": 2, "bos_token_id": None}
    GPT2LMHeadModel(GPT2Config(vocab_size=len(words), **size, **ids)).save_pretrained("gpt2")
    words.model_max_length = 40
    words.save_pretrained("gpt2")
    films.set({"teacher.model": "gpt2", "teacher.tuning.steps": 2})
    rows = run().gold()
    for split in ("validation", "selection"):
        rows[split].loc[rows[split].index[0], "text"] = "film is " * 100
    found = Tuning(run(), rows, ["bad", "good"]).fit()
    assert found["learned"]["verify"] == len(rows["validation"]) - 1
    assert found["selection"]["verify"] == len(rows["selection"]) - 1 and 0 <= found["accuracy"]["after"] <= 1
    assert "exchanges of selection rows are left out, as their prompts have more than" in capsys.readouterr().err


def test_likelihoods_are_those_of_the_whole_text():
    torch.manual_seed(0)
    from transformers import LlamaConfig, LlamaForCausalLM

    size = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=50, **size)).eval()
    asked = [[3, 4, 5], [6], [7, 8, 9, 10, 11, 12], [3, 4]]
    for told in ([[20], [21]], [[20], [21, 22, 23], [21, 24]]):
        found = log_likelihoods(model, asked, told)
        for prompt, sums in zip(asked, found, strict=True):
            for answer, known in zip(told, sums, strict=True):
                shares = model(torch.tensor([prompt + answer])).logits[0].log_softmax(-1)
                each = [float(shares[len(prompt) + place - 1, token]) for place, token in enumerate(answer)]
                assert known == pytest.approx(sum(each), abs=1e-4)
    assert ended([[1], [1, 2], [3]], 9) == [[1, 9], [1, 2, 9], [3, 9]]
    assert ended([[1], [2, 1]], 9) == [[1], [2, 1]]


def test_without_tune_the_folder_is_empty_and_no_torch_is_loaded(films):
    (films.folder / "torch.py").write_text("raise ImportError('torch was loaded')")
    films.set({"teacher.tune": None})
    films.stage("tune", "films")
    assert list((films.folder / "data/films/teacher").iterdir()) == []
    assert files.read_json(run().paths.metrics / "tune.json") == {}


def test_what_cannot_work_is_said_in_one_line(films):
    def fails(stage, **changes) -> str:
        before = (films.folder / "params.yaml").read_text()
        films.set({key.replace("__", "."): value for key, value in changes.items()})
        with pytest.raises(UserError) as failed:
            stage.main(run())
        (films.folder / "params.yaml").write_text(before)
        assert "\n" not in str(failed.value)
        return str(failed.value)

    assert "tune: gold fine-tunes a model on this machine" in fails(tune, teacher__provider="openai")
    line = fails(seed, method__seed="generate", teacher__tune=None)
    assert "method.seed: generate asks a teacher that was tuned" in line
    line = fails(gold, task__films__pool="missing.csv")
    assert line == "missing.csv does not exist: mend task.films.pool in params.yaml"
    (films.folder / "pool.csv").write_text(f"text\nm200 film is dull\n{run().gold()['test'].text[0]}\n")
    line = fails(gold, task__films__pool="pool.csv")
    assert "pool.csv row 2: its text also stands in test" in line
    films.set({"task.films.gold.budget": 120})
    gold.main(run())
    assert "task `films` has none: lower its budget" in fails(seed, method__seed="annotate")
    shutil.rmtree(films.folder / "data/films/teacher")
    assert "data/films/teacher has no tuned teacher" in fails(seed, method__seed="generate")
    assert "cannot load `nothing`" in fails(tune, teacher__model="nothing")
    from transformers import BertConfig, BertForMaskedLM, T5Config, T5ForConditionalGeneration

    small = {"vocab_size": 60, "d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2}
    T5ForConditionalGeneration(T5Config(**small, decoder_start_token_id=0)).save_pretrained(films.folder / "t5")
    assert "`t5` is an encoder-decoder" in fails(tune, teacher__model="t5")
    size = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    BertForMaskedLM(BertConfig(vocab_size=60, **size)).save_pretrained(films.folder / "bert")
    assert "teacher.model: `bert`" in fails(tune, teacher__model="bert")
    assert "teacher.max_tokens" in fails(tune, teacher__max_tokens=1)


def test_a_pool_of_the_users_own_has_no_labels_and_no_gold_rows(films):
    known = run().gold()["validation"].text[0]
    (films.folder / "pool.csv").write_text(f"text,label\nm200 film is dull,bad\nm201 film is warm,good\n{known},good\n")
    films.set({"task.films.pool": "pool.csv"})
    gold.main(run())
    pool = files.read(run().paths.pool)
    assert list(pool.columns) == ["id", "text"]
    assert sorted(pool.text) == ["m200 film is dull", "m201 film is warm"]


def test_the_chats_for_an_endpoint_are_exported_and_its_model_asked(films, monkeypatch):
    films.set({"teacher.system": "Be brief ."})
    done = films.command("tune", "films", "--export", "data", ok=False)
    assert done.returncode and "'data' is a directory" in done.stderr and len(done.stderr.splitlines()) == 1
    films.command("tune", "films", "--export", "chats.jsonl")
    chats = [json.loads(line)["messages"] for line in (films.folder / "chats.jsonl").read_text().splitlines()]
    assert len(chats) == 144
    assert {tuple(turn["role"] for turn in chat) for chat in chats} == {("system", "user", "assistant")}
    labels = [chat[2]["content"] for chat in chats if "Is it" in chat[1]["content"]]
    assert sorted(set(labels)) == ["bad", "good"] and len(labels) == 48
    with Server() as server:
        space = server.space(text="bad")
        changes = {"teacher__provider": "openai", "teacher__model": "ft:gpt:films", "asking__base_url": space.url}
        films.set({"method.seed": "annotate"})
        films.set({key.replace("__", "."): value for key, value in changes.items()} | {"teacher.tune": None})
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        seed.main(run())
        rows = files.read(run().paths.seed)
    assert set(rows.label) == {"bad"} and rows.confidence.isna().all()
    assert files.read_json(run().paths.metrics / "seed.json")["calls"] == 40


def test_large_models_learn_by_adapters(films, monkeypatch):
    from synthesis.tuning import fit

    monkeypatch.setattr(fit, "LARGE", 1000)
    films.set({"teacher.tuning.steps": 40})
    tuning = fit.Tuning(run(), run().gold(), ["bad", "good"])
    assert tuning.pupil.lora and tuning.settings.lora == fit.RANK
    found = tuning.fit()
    assert found["likelihood"]["after"] > found["likelihood"]["before"]
    tuning.save(films.folder / "adapted")
    assert Writer("adapted", 1, 1.0, 1.0)


def test_a_text_that_a_stop_string_would_cut_becomes_one_line(films):
    rows = run().gold()["validation"].head(4)
    rows = rows.assign(text=[f"{text}\n\nand more" for text in rows.text])
    learned = exchanges(run(), rows, ["bad", "good"])
    assert counts(learned) == {"seed": 4, "extrapolate": 4, "verify": 4}
    assert not any("\n" in each.answer for each in learned)
    films.set({"teacher.stop": ["is"]})
    assert counts(exchanges(run(), rows, ["bad", "good"])) == {"verify": 4}
    films.set({"teacher.stop": ["o", "a"]})
    with pytest.raises(UserError, match=r"teacher\.stop: .* stands in every gold row"):
        exchanges(run(), rows, ["bad", "good"])


FACTS = {
    "rte": (
        [{"premise": "It rains.", "hypothesis": f"Wet {place}.", "label": "entailment"} for place in "ab"],
        ["entailment", "not_entailment"],
        {"seed": 2, "extrapolate": 2, "verify": 2},
        {"Wet a.", "Wet b.", "correct"},
    ),
    "adversarial_qa": (
        [
            {"context": "Rome lies there.", "question": f"Where {place}?", "answer": "Rome", "answer_start": 0,
             "answers": ["Rome", "in Rome"]}
            for place in "ab"
        ],
        [],
        {"seed": 2, "extrapolate": 2, "verify": 4},
        {"Where a?", "Where b?", "Rome", "in Rome"},
    ),
    "webnlg": (
        [
            {"source": f"{name} | born | Rome", "target": f"{name} is of Rome.",
             "references": [f"{name} is of Rome.", f"Rome bore {name}."]}
            for name in ("Ann", "Bob")
        ],
        [],
        {"seed": 4, "extrapolate": 4},  # its prompt for the target is the seed prompt
        {"Ann is of Rome.", "Rome bore Ann.", "Bob is of Rome.", "Rome bore Bob."},
    ),
    "webquestions": (
        [{"source": f"Where {place}?", "target": "Rome", "references": ["Rome"]} for place in "ab"],
        [],
        {"seed": 2, "extrapolate": 2, "verify": 2},
        {"Where a?", "Where b?", "Rome"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("variant", ["short", "s3"])
@pytest.mark.parametrize("task", FACTS)
def test_every_kind_has_something_to_learn(task, variant, monkeypatch):
    monkeypatch.chdir(Path(__file__).parent.parent)
    rows, labels, wanted, answers = FACTS[task]
    rows = pd.DataFrame(rows).assign(id=[f"g{place}" for place in range(len(rows))])
    here = Run.of(task, params.load().model_copy(update={"prompts": variant}))
    learned = exchanges(here, rows, labels)
    assert counts(learned) in (wanted, wanted | {"verify": 4})
    assert {each.answer for each in learned} == answers
    for each in learned:
        if each.request.step == "extrapolate":
            assert each.answer not in each.request.prompt, "another row is shown"


@pytest.mark.parametrize(("task", "answer"), [("webnlg", "{n} Anna was there."), ("adversarial_qa", "Where is {n}?")])
def test_kinds_without_labels_are_annotated_by_texts(fresh, task, answer, monkeypatch):
    """Targets of unlabelled sources; questions about unlabelled contexts, whose answers are phrases of them."""
    monkeypatch.chdir(fresh.folder)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("TEACHER_STORE", str(fresh.folder.parent / "teacher.sqlite"))
    if task == "webnlg":
        rows = [{"source": f"Plain fact number {n}", "target": f"It is {n}."} for n in range(60)]
    else:
        rows = people.questions(60)
    file = Path(f"data/gold/{task}/gold.jsonl")
    file.write_text("".join(json.dumps(each) + "\n" for each in rows))
    own = {"source": file.as_posix(), "test": None, "budget": 20, "test_rows": 20}
    changes = {f"task.{task}.gold.{key}": value for key, value in own.items()}
    changes |= {"tasks": [task], "prompts": "short", "method.rationales": False, f"task.{task}.seed_rows": 12}
    with Server() as server:
        changes |= {"teacher.provider": "openai", "asking.base_url": server.space(text=answer).url}
        fresh.set(changes | {"method.seed": "annotate"})
        here = Run.of(task)
        gold.main(here)
        pd.DataFrame({"label": [], "rationale": []}).to_parquet(here.paths.rationales)
        seed.main(here)
    pool, found = files.read(here.paths.pool), files.read(here.paths.seed)
    assert len(found) >= 12 and len(pool) == 20
    column = {"webnlg": "source", "adversarial_qa": "context"}[task]
    assert list(pool.columns) == ["id", column]
    assert set(found[column]) <= set(pool[column])
    assert not set(pool[column]) & set(pd.concat(here.gold().values())[column])


@pytest.mark.parametrize("writes", ["target", "source"])
def test_annotated_rows_are_judged_as_the_next_stage_judges_them(fresh, writes, monkeypatch):
    monkeypatch.chdir(fresh.folder)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("TEACHER_STORE", str(fresh.folder.parent / "teacher.sqlite"))
    file, pool = Path("data/gold/webnlg/gold.jsonl"), Path("data/gold/webnlg/pool.jsonl")
    rows = [{"source": f"Plain fact number {n}", "target": f"It is {n}."} for n in range(60)]
    file.write_text("".join(json.dumps(each) + "\n" for each in rows))
    sources = [*(f"Another fact of {n}" for n in range(6)), "A fact is a fact " * 10]
    pool.write_text("".join(json.dumps({"source": source}) + "\n" for source in sources))
    own = {"gold.source": file.as_posix(), "gold.test": None, "gold.budget": 20, "gold.test_rows": 20, "seed_rows": 7}
    own |= {"pool": pool.as_posix(), "writes": writes}
    changes = {f"task.webnlg.{key}": value for key, value in own.items()}
    with Server() as server:
        changes |= {"teacher.provider": "openai", "asking.base_url": server.space(text="{n} Anna was there.").url}
        fresh.set(changes | {"tasks": ["webnlg"], "prompts": "short", "method.seed": "annotate"})
        here = Run.of("webnlg")
        gold.main(here)
        pd.DataFrame({"label": [], "rationale": []}).to_parquet(here.paths.rationales)
        seed.main(here)
    combine.main(here, 0)
    told = files.read_json(here.paths.metrics / "round0/combine.json")
    assert (
        told["new"] == files.read_json(here.paths.metrics / "seed.json")["accepted"] == (7 if writes == "target" else 6)
    )


@pytest.mark.slow
def test_the_packaged_model_is_tuned(fresh, monkeypatch):
    """The real SmolLM2 finds what it has not seen likelier, and writes by the same provider."""
    monkeypatch.chdir(fresh.folder)
    changes = {"teacher.provider": "transformers", "teacher.model": "HuggingFaceTB/SmolLM2-135M-Instruct"}
    changes |= {"prompts": "short", "teacher.tune": "gold", "teacher.tuning.steps": 20, "teacher.max_tokens": 64}
    fresh.set(changes | {"task.reviews.gold.budget": 60, "teacher.stop": ["\n"]})
    for stage in ("gold", "tune"):
        fresh.stage(stage, "reviews")
    found = json.loads((fresh.folder / "metrics/reviews/tune.json").read_text())
    assert found["likelihood"]["after"] > 1.2 * found["likelihood"]["before"]
    assert Writer("data/reviews/teacher", 2, 0.9, 0.95)
