"""`synthesis export`: students of every kind answer as they did, without torch and transformers."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from synthesis import UserError, export, files, params
from synthesis.paths import Paths
from synthesis.run import Run
from synthesis.service.encoding import WAYS
from synthesis.service.engine import Engine
from synthesis.students import saved
from synthesis.students.calibration import CERTAIN, Calibration, fit, logs
from synthesis.tasks import classification, pair, span_qa
from tests.conftest import ROOT
from tests.test_student import FILLER, NAMES, WORDS, alone, models  # noqa: F401

KINDS = {"classification": classification, "pair": pair, "span_qa": span_qa}
ALONE = """
import json, sys
for name in ("torch", "transformers", "pandas", "scipy", "sklearn", "tqdm"):
    sys.modules[name] = None
import numpy as np
import synthesis
from synthesis.service.engine import Engine
assert synthesis.__file__.startswith({folder!r}), synthesis.__file__
answers = Engine(".").predict([tuple(one) if isinstance(one, list) else one for one in json.load(sys.stdin)])
print(json.dumps(answers.tolist() if isinstance(answers, np.ndarray) else answers))
"""


def sentence(random, longest: int) -> str:
    words = [*FILLER, *(word for some in WORDS.values() for word in some), "unheard-of"]
    return " ".join(random.choice(words, random.integers(1, longest)))


def rows(kind: str, count: int, longest: int) -> pd.DataFrame:
    """Rows of a task of this kind, of random words; some are longer than a student reads."""
    random = np.random.default_rng(0)
    texts = {name: [sentence(random, longest) for _ in range(count)] for name in ("one", "other")}
    columns = {"classification": ["text"], "pair": ["premise", "hypothesis"], "span_qa": ["question", "context"]}[kind]
    table = pd.DataFrame(dict(zip(columns, texts.values(), strict=False)))
    return table.assign(id=[str(place) for place in range(count)], label=[NAMES[place % 3] for place in range(count)])


def finetuned(model, kind, names=NAMES):
    import torch
    from transformers import AutoModelForQuestionAnswering, AutoModelForSequenceClassification

    from synthesis.models.load import load_model, load_tokenizer
    from synthesis.students.classifier import FineTuned
    from synthesis.students.reader import Reader

    torch.manual_seed(0)
    tokenizer = load_tokenizer(model, 40)
    if kind == "span_qa":
        return Reader(load_model(AutoModelForQuestionAnswering, model), tokenizer)
    labels = {"id2label": dict(enumerate(names)), "label2id": {name: place for place, name in enumerate(names)}}
    return FineTuned(names, load_model(AutoModelForSequenceClassification, model, **labels), tokenizer)


def probe(model, kind):
    from synthesis.students.probe import Probe

    random = np.random.default_rng(0)
    weight = random.normal(size=(3, 32 * (4 if kind == "pair" else 1))).astype("float32")
    bias = np.array([0, -np.inf, 0.1], "float32")  # a label without training rows
    return Probe(NAMES, model, 40, weight, bias, pd.DataFrame(), 1, 1, 1)


def setfit(model, kind):
    import setfit
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize
    from sklearn.linear_model import LogisticRegression

    from synthesis.students.setfit import SetFit

    random = np.random.default_rng(0)
    body = SentenceTransformer(model, device="cpu")
    body.append(Normalize())
    body.max_seq_length = 40
    head = LogisticRegression().fit(random.normal(size=(60, 32)), [0, 1, 2] * 20)
    return SetFit(NAMES, setfit.SetFitModel(body, head))


STUDENTS = {"finetune": finetuned, "probe": probe, "setfit": setfit}


def made(kind: str, student, asked: pd.DataFrame) -> Run:
    """What `dvc repro` leaves of a task `t`, in the working folder."""
    task = KINDS[kind].Task("t", params.Task.model_construct(kind=kind, words={}, gold=Gold()))
    run = Run(task, None, Paths("t"))
    saved.save(student, task, run.paths.student)
    files.write(asked, run.paths.gold("selection"))
    return run


class Gold:
    columns = {}


def close(one, other) -> None:
    if isinstance(one, np.ndarray):
        assert np.allclose(one, other, atol=2e-5)
    else:
        assert [answer[:-1] for answer in one] == [tuple(answer[:-1]) for answer in other]
        assert np.allclose([answer[-1] for answer in one], [answer[-1] for answer in other], atol=2e-5)


@pytest.mark.parametrize(
    ("name", "kind", "model"),
    [
        ("finetune", "span_qa", "bert"),
        ("probe", "pair", "bert"),
        ("setfit", "pair", "bert"),
        pytest.param("finetune", "classification", "bert", marks=pytest.mark.slow),
        pytest.param("finetune", "pair", "distilbert", marks=pytest.mark.slow),
        pytest.param("finetune", "span_qa", "distilbert", marks=pytest.mark.slow),
        pytest.param("probe", "classification", "bert", marks=pytest.mark.slow),
        pytest.param("probe", "classification", "bart", marks=pytest.mark.slow),
        pytest.param("setfit", "classification", "distilbert", marks=pytest.mark.slow),
    ],
)
def test_an_export_answers_as_the_student(models, tmp_path, name, kind, model):  # noqa: F811
    student = STUDENTS[name](models[model], kind)
    asked = rows(kind, 70, 120 if kind == "span_qa" else 60)
    run = made(kind, student, asked)
    inputs = run.task.inputs(asked)
    expected = student.predict(inputs)
    close(expected, saved.load(run.paths.student, saved.facts(run.paths.student, "t").student).predict(inputs))
    if run.task.can("labels"):
        saved.calibrate(run.paths.student, "t", Calibration(0.7))
        expected = softmax(np.log(expected) / 0.7, axis=1)
    files.write_text("of an export that was killed", run.paths.data / ".export-killed/export/model.onnx")
    measured = export.export(run, int8=False)
    assert measured["agreement"] == 1 and measured["largest_difference"] < 2e-5
    assert measured == json.loads((run.paths.metrics / "export.json").read_text())
    assert set(measured["rows_per_second"]) == {"torch", "onnxruntime"}
    engine = Engine(run.paths.export)
    together = engine.predict(inputs)
    close(expected, together)
    single = [engine.predict([one])[0] for one in inputs[:9]]  # whatever else is asked at the same time
    close(together[:9], np.array(single) if isinstance(together, np.ndarray) else single)
    assert len(engine.predict([])) == 0
    if engine.cuts:
        way, mark, most = WAYS[engine.facts["encode"]], engine.facts["mark"], engine.facts["max_tokens"]
        read, whole = (way(engine.tokenizer, length, mark, inputs) for length in (most, 10_000))
        uncut = [one.tokens == other.tokens for one, other in zip(read, whole, strict=True)]
        assert uncut == [length <= most for length in engine.lengths(inputs)] and len(set(uncut)) == 2
    folder = str(run.paths.export.resolve())
    done = subprocess.run(
        [sys.executable, "-c", ALONE.format(folder=folder)],
        cwd=folder,
        input=json.dumps(inputs[:5]),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    close(expected[:5], json.loads(done.stdout))
    assert {path.name for path in Path(folder).iterdir()} == {
        "model.onnx", "tokenizer.json", "export.json", "requirements.txt", "Dockerfile", "synthesis"
    }  # fmt: skip
    assert [path.name for path in run.paths.data.iterdir() if path.name.startswith(".")] == []


def drawn(logits: np.ndarray, true: Calibration) -> np.ndarray:
    """Labels that are as likely as the calibration says."""
    chances = true.apply(logits).cumsum(1)
    return (np.random.default_rng(1).random((len(logits), 1)) > chances[:, :-1]).sum(1)


@pytest.mark.parametrize(
    ("labels", "true"),
    [(3, Calibration(0.5)), (3, Calibration(3.0)), (2, Calibration(2.0, 0.3)), (2, Calibration(0.7))],
)
def test_a_calibration_is_found_again(labels, true):
    logits = np.random.default_rng(0).normal(size=(20_000, labels)).astype("float32") * 2
    found = fit(logits, drawn(logits, true))
    assert found.temperature == pytest.approx(true.temperature, rel=0.05)
    assert found.threshold == pytest.approx(true.threshold, abs=0.02) and (found.threshold == 0.5) == (true[1] == 0.5)
    assert fit(logits, drawn(logits, true), move=False).threshold == 0.5
    assert fit(logits, logits.argmax(1)) == fit(logits[:0], np.empty(0, int)) == Calibration(), "nothing to fit it on"


def test_a_threshold_needs_more_than_chance():
    """Of many small sets of rows without a lean, about one in twenty shows one by chance."""
    random, moved = np.random.default_rng(0), 0
    for _ in range(100):
        logits = random.normal(size=(60, 2))
        moved += fit(logits, (random.random(60) > softmax(logits, axis=1)[:, 0]).astype(int)).threshold != 0.5
    assert CERTAIN == 3.84 and moved <= 12


def test_the_likeliest_label_is_the_one_that_the_threshold_gives():
    chances = np.array([[0.9, 0.1], [0.71, 0.29], [0.69, 0.31], [0.2, 0.8], [1.0, 0.0]])
    answers = Calibration(1.0, 0.3).apply(logs(chances))
    assert answers.argmax(1).tolist() == [0, 0, 1, 1, 0] and np.allclose(answers.sum(1), 1) and answers[4, 1] == 0
    assert np.allclose(Calibration().apply(logs(chances)), chances)


@pytest.mark.slow
def test_int8_is_refused_when_its_answers_differ(models, tmp_path, monkeypatch):  # noqa: F811
    student = finetuned(models["bert"], "classification")
    run = made("classification", student, rows("classification", 30, 30))
    monkeypatch.setattr(export, "LEAST", 1.01)
    with pytest.raises(UserError, match=r"`t`: int8 answers as the student does to \d+\.\d% of selection rows only"):
        export.export(run, int8=True)
    assert not run.paths.export.exists()
    monkeypatch.setattr(export, "LEAST", 0)
    small = export.export(run, int8=True)
    assert small["int8"] == 1 and small["agreement"] > 0.5 and Engine(run.paths.export).facts["int8"]


def test_a_student_that_cannot_be_exported_is_told(models, tmp_path, monkeypatch):  # noqa: F811
    run = made("classification", finetuned(models["bert"], "classification"), rows("classification", 10, 9))
    monkeypatch.delattr("synthesis.students.classifier.FineTuned.graph")
    with pytest.raises(UserError, match="a student of kind classifier cannot be exported: use `synthesis predict`"):
        export.export(run, int8=False)
    shutil.rmtree(run.paths.student)
    with pytest.raises(UserError, match=r"data/t/student is missing: .* run `dvc repro evaluate@t`"):
        export.export(run, int8=False)


def test_the_image_has_all_that_the_service_imports():
    """The Dockerfile copies what the export holds, and its packages are those that are imported."""
    text = (ROOT / "synthesis/service/Dockerfile").read_text()
    copied = {word for line in text.splitlines() if line.startswith("COPY") for word in line.split()[1:-1]}
    assert copied == {"requirements.txt", "synthesis", "export.json", "tokenizer.json", "model.onnx"}
    named = (ROOT / "pyproject.toml").read_text()
    assert all(f'"{name}"' in named for name in export.PACKAGES)
