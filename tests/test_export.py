"""`synthesis export`: students of every kind answer as they did, without torch and transformers."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from synthesis import UserError, export, files, params
from synthesis.paths import Paths
from synthesis.run import Run
from synthesis.service.engine import Engine
from synthesis.students import saved
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


def finetuned(model, kind):
    import torch
    from transformers import AutoModelForQuestionAnswering, AutoModelForSequenceClassification

    from synthesis.models.load import load_model, load_tokenizer
    from synthesis.students.classifier import FineTuned
    from synthesis.students.reader import Reader

    torch.manual_seed(0)
    tokenizer = load_tokenizer(model, 40)
    if kind == "span_qa":
        return Reader(load_model(AutoModelForQuestionAnswering, model), tokenizer)
    labels = {"id2label": dict(enumerate(NAMES)), "label2id": {name: place for place, name in enumerate(NAMES)}}
    return FineTuned(NAMES, load_model(AutoModelForSequenceClassification, model, **labels), tokenizer)


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


def made(kind: str, student, asked: pd.DataFrame, learned: bool = False) -> Run:
    """What `dvc repro` leaves of a task `t`, in the working folder."""
    task = KINDS[kind].Task("t", params.Task.model_construct(kind=kind, words={}, gold=Gold()))
    run = Run(task, None, Paths("t"))
    saved.save(student, task, run.paths.student)
    files.write(asked, run.paths.gold("selection"))
    files.write(pd.DataFrame({"split": ["test"] if learned else ["selection", "test"]}), run.paths.final_predictions)
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
    run = made(kind, student, asked, learned=True)
    inputs = run.task.inputs(asked)
    expected = student.predict(inputs)
    close(expected, saved.load(run.paths.student, saved.facts(run.paths.student, "t").student).predict(inputs))
    measured = export.export(run, int8=False)
    assert measured["metrics"]["agreement"] == 1 and measured["metrics"]["largest_difference"] < 2e-5
    assert measured["metrics"]["temperature"] == 1, "selection rows were learned"
    engine = Engine(run.paths.export)
    together = engine.predict(inputs)
    close(expected, together)
    single = [engine.predict([one])[0] for one in inputs[:9]]  # whatever else is asked at the same time
    close(together[:9], np.array(single) if isinstance(together, np.ndarray) else single)
    assert len(engine.predict([])) == 0
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


@pytest.mark.parametrize("true", [0.5, 3.0])
def test_the_temperature_is_found_again(tmp_path, monkeypatch, true):
    """Labels are drawn from the softmax of logits / true, so that this is what makes them likeliest."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    logits = random.normal(size=(20_000, 3)).astype("float32") * 2
    raised = np.exp(logits / true)
    chances = (raised / raised.sum(1, keepdims=True)).cumsum(1)
    drawn = (random.random((20_000, 1)) > chances[:, :2]).sum(1)
    run = Run(type("T", (), {"name": "t"}), None, Paths("t"))
    files.write(pd.DataFrame({"label": np.array(NAMES)[drawn]}), run.paths.gold("selection"))
    files.write(pd.DataFrame({"split": ["selection"]}), run.paths.final_predictions)
    assert export.temperature(run, logits, NAMES) == pytest.approx(true, rel=0.05)
    files.write(pd.DataFrame({"label": np.array(NAMES)[logits.argmax(1)]}), run.paths.gold("selection"))
    assert export.temperature(run, logits, NAMES) == 1, "all are right, and none is too sure"
    files.write(pd.DataFrame({"split": ["test"]}), run.paths.final_predictions)
    assert export.temperature(run, logits, NAMES) == 1, "they were learned"


@pytest.mark.slow
def test_int8_is_refused_when_its_answers_differ(models, tmp_path, monkeypatch):  # noqa: F811
    student = finetuned(models["bert"], "classification")
    run = made("classification", student, rows("classification", 30, 30))
    monkeypatch.setattr(export, "LEAST", 1.01)
    with pytest.raises(UserError, match=r"`t`: int8 answers as the student does to \d+\.\d% of selection rows only"):
        export.export(run, int8=True)
    assert not run.paths.export.exists()
    monkeypatch.setattr(export, "LEAST", 0)
    small = export.export(run, int8=True)["metrics"]
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
