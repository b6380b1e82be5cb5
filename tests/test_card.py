"""The dataset card, and what leaves for the hub."""

import base64
import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pandas as pd
import pytest

from synthesis import UserError, card, files, params
from synthesis.models.load import fingerprint
from synthesis.publish import lay_out, lay_out_student
from synthesis.report import recipe
from synthesis.run import Run
from synthesis.service.engine import FORMAT
from synthesis.students import saved
from synthesis.students.calibration import Calibration
from tests.conftest import ROOT
from tests.test_export import finetuned, probe
from tests.test_student import models  # noqa: F401

TOKEN = "hf_secret0123456789"
FILES = ["README.md", "default/train.parquet", "rejected/rejected.parquet"]


@pytest.fixture
def inside(monkeypatch):
    """Enter a repository and return the run of a task there."""

    def enter(repository, task: str) -> Run:
        monkeypatch.chdir(repository.folder)
        return Run.of(task)

    return enter


def test_card_says_what_the_rows_are(all_kinds):
    text = (all_kinds.folder / "data/adversarial_qa/README.md").read_text()
    rows = files.read(all_kinds.folder / "data/adversarial_qa/round2/train.parquet")
    assert f"{len(rows)} synthetic rows" in text
    assert "- question-answering\n" in text
    assert "`context` of every row was taken from the gold rows" in text
    for column in rows.columns:
        assert f"`{column}`" in text
    assert (all_kinds.folder / "prompts/adversarial_qa/s3/extrapolate.md").read_text().splitlines()[0] in text
    assert "Gold text inside" not in (all_kinds.folder / "data/reviews/README.md").read_text()


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("owner/name:config:train", "owner/name:config:train"),
        ("data/gold/reviews/reviews.csv", "data/gold/reviews/reviews.csv"),
        ("/home/me/rows.csv", "rows.csv"),
        ("../customer/rows.csv", "rows.csv"),
        ("data/../../customer/rows.csv", "rows.csv"),
    ],
)
def test_a_card_does_not_tell_where_the_users_own_files_lie(place, told):
    assert recipe.public(place) == told


def test_a_card_does_not_claim_an_audit_that_found_nothing_to_audit(repository, inside):
    run = inside(repository, "reviews")
    cues = files.read(run.paths.leaks)
    assert "No leak is known" in card.render(run) or (cues.alarm == 1).any()
    run.paths.leaks.unlink()
    files.write(cues.head(0), run.paths.leaks)
    text = card.render(run)
    assert "No leak is known" not in text and "The rows were not searched for leaks" in text


def test_what_is_published_loads_as_the_card_says(all_kinds, inside, tmp_path):
    from datasets import load_dataset

    lay_out(tmp_path / "hub", inside(all_kinds, "adversarial_qa"), True)
    for name in ("default", "rejected", "gold"):
        loaded = load_dataset(str(tmp_path / "hub"), name, cache_dir=str(tmp_path / "cache"))
        for split, rows in loaded.items():
            assert rows.num_rows == len(files.read(tmp_path / "hub" / card.table_path(name, split))) > 0


def test_gold_text_stays(repository, inside, tmp_path):
    run = inside(repository, "reviews")
    gold = files.read("data/reviews/gold/validation.parquet")
    copied = files.read("data/reviews/seed.parquet").head(1).assign(text=gold.text[0].upper())
    files.write(copied.assign(rejected="equals the row"), "data/reviews/round2/rejected.parquet")
    lay_out(tmp_path / "one", run, False)
    assert [path.name for path in (tmp_path / "one").iterdir() if path.is_dir()] == ["default"], "nothing else is left"
    with pytest.raises(UserError, match="is the card of other rows"):
        add(copied)
        lay_out(tmp_path / "two", run, False)
    repository.stage("card", "reviews")
    with pytest.raises(UserError, match=r"row `seed-0` is a gold row word for word \(1 are\)"):
        lay_out(tmp_path / "three", run, False)
    lay_out(tmp_path / "four", run, True)
    assert gold.equals(files.read(tmp_path / "four/gold/validation.parquet"))


def add(rows: pd.DataFrame) -> None:
    file = "data/reviews/round2/train.parquet"
    files.write(pd.concat([rows, files.read(file)]), file)


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as a commit of small files needs."""

    def do_GET(self):
        there = [{"type": "file", "path": path, "oid": "", "size": 0} for path in self.server.there]
        self.respond(there if "/tree/" in self.path else {}, self.server.status)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.seen.append((self.path, self.headers["authorization"], body))
        root = f"http://127.0.0.1:{self.server.server_port}"
        if "/preupload/" in self.path:
            offered = [{"path": file["path"], "uploadMode": "regular"} for file in json.loads(body)["files"]]
            self.respond({"files": [file | {"shouldIgnore": False} for file in offered]})
        elif "/commit/" in self.path:
            self.respond({"commitUrl": f"{root}/datasets/o/n/commit/1", "commitOid": "1", "success": True})
        else:
            self.respond({"url": f"{root}/datasets/o/n", "warnings": [], "errors": []}, self.server.status)

    def respond(self, value, status=200):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub():
    server = HTTPServer(("127.0.0.1", 0), Hub)
    server.seen, server.there, server.status = [], [], 200
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_publish(repository, hub, tmp_path):
    env = {"HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}", "HF_HOME": str(tmp_path), "HF_TOKEN": ""}
    done = repository.command("publish", "reviews", "o/n", "--dry-run", **env)
    assert [line.split()[-1] for line in done.stdout.splitlines()] == [*FILES, "o/n"]
    done = repository.command("publish", "reviews", "o/n", ok=False, **env)
    assert done.stderr == "error: the hub wants a token: `hf auth login`, or HF_TOKEN in the environment\n"
    assert hub.seen == []

    done = repository.command("publish", "reviews", "o/n", **{**env, "HF_TOKEN": TOKEN})
    assert done.stdout.splitlines()[-1].endswith("/datasets/o/n/commit/1")
    created = next(json.loads(body) for path, _, body in hub.seen if path == "/api/repos/create")
    assert (created["visibility"], created["type"]) == ("private", "dataset")
    commit = next(body for path, _, body in hub.seen if path.startswith("/api/datasets/o/n/commit/"))
    entries = [json.loads(line) for line in commit.splitlines()]
    sent = {
        entry["value"]["path"]: base64.b64decode(entry["value"]["content"])
        for entry in entries
        if entry["key"] == "file"
    }
    assert sent["default/train.parquet"] == (repository.folder / "data/reviews/round2/train.parquet").read_bytes()
    assert sorted(sent) == FILES
    assert {key for _, key, _ in hub.seen} == {f"Bearer {TOKEN}"}

    hub.status = 403
    done = repository.command("publish", "reviews", "o/n", ok=False, **{**env, "HF_TOKEN": TOKEN})
    assert done.returncode == 1
    assert done.stderr.startswith("error: o/n: ") and len(done.stderr.splitlines()) == 1
    assert TOKEN not in done.stderr


def test_what_an_earlier_student_left_does_not_stay_beside_it(repository, hub, tmp_path):
    env = {"HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}", "HF_HOME": str(tmp_path), "HF_TOKEN": TOKEN}
    hub.there = [".gitattributes", "README.md", "LICENSE", "student.json", "probe.safetensors", "onnx/model.onnx"]
    repository.command("publish", "reviews", "o/n", "--student", **env)
    commit = next(body for path, _, body in hub.seen if path.startswith("/api/models/o/n/commit/"))
    entries = [json.loads(line) for line in commit.splitlines()]
    deleted = [entry["value"]["path"] for entry in entries if entry["key"] == "deletedFile"]
    assert deleted == ["probe.safetensors", "onnx/model.onnx"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["reviews", "name"], "is not owner/name"),
        (["reviews", "o/n/m"], "error: `o/n/m`"),
        (["r", "o/n"], "no task `r`"),
    ],
)
def test_publish_says_what_is_wrong(repository, words, message):
    done = repository.command("publish", *words, "--dry-run", ok=False)
    assert done.returncode == 1
    assert message in done.stderr


def test_cells_stay_cells():
    assert card.cell("a|b\n<b> \\") == "a\\|b &lt;b> \\\\"


def test_a_student_is_published_so_that_a_pipeline_loads_it(repository, inside, models, tmp_path):  # noqa: F811
    """It answers as `predict` does, calibrated, without knowing of it; and the card says what the run's numbers are."""
    from transformers import pipeline

    run = inside(repository, "reviews")
    shutil.rmtree(run.paths.student)
    labels = ["negative", "positive"]
    saved.save(finetuned(models["bert"], "classification", labels), run.task, run.paths.student)
    saved.calibrate(run.paths.student, "reviews", Calibration(0.5, 0.4))
    lay_out_student(tmp_path / "hub", run, "me/reviews")
    kept = saved.facts(run.paths.student, "reviews")
    student, published = saved.load(run.paths.student, kept.student), pipeline("text-classification", tmp_path / "hub")
    texts = files.read(run.paths.gold("test")).text.tolist()[:10]
    expected = saved.Calibrated(student, kept).predict(texts)
    answers = published(texts, top_k=None, truncation=True)
    found = [[{one["label"]: one["score"] for one in answer}[label] for label in labels] for answer in answers]
    assert np.allclose(found, expected, atol=1e-5) and not np.allclose(found, student.predict(texts), atol=1e-3)
    text = (tmp_path / "hub" / "README.md").read_text()
    final = files.read_json("metrics/reviews/final.json")
    low, value, high = (100 * final["test"][key] for key in ("low", "accuracy", "high"))
    assert f"| {final['synthetic_rows']} | {final['gold_rows']} | {value:.1f} [{low:.1f}, {high:.1f}] |" in text
    [writer] = set(files.read(run.paths.train(2)).model)
    for said in ('pipeline("text-classification", "me/reviews"', writer, files.sha256(run.paths.train(2)), "leak",
                 "What ships has learned", "## Licences"):  # fmt: skip
        assert said in text, said


def test_a_student_that_no_pipeline_loads(repository, inside, models, tmp_path):  # noqa: F811
    done = repository.command("publish", "reviews", "me/reviews", "--student", "--dry-run").stdout
    assert "student.json" in done and "README.md" in done and done.endswith("nothing was sent to me/reviews\n")
    run = inside(repository, "reviews")
    shutil.rmtree(run.paths.student)
    saved.save(probe(models["bert"], "classification"), run.task, run.paths.student)
    message = "a student of kind probe is published as ONNX, and data/reviews/export is missing: run `synthesis export"
    with pytest.raises(UserError, match=message):
        lay_out_student(tmp_path / "hub", run, "me/reviews")
    run.paths.export.mkdir()
    made_of = {"format": FORMAT, "student": fingerprint(str(run.paths.student))}
    files.write_json(made_of, run.paths.export / "export.json")
    files.write_text("a folder of this machine", run.paths.export / "synthesis/__pycache__/engine.cpython-311.pyc")
    lay_out_student(tmp_path / "hub", run, "me/reviews")
    onnx = tmp_path / "hub/onnx"
    assert [file.name for file in onnx.rglob("*") if file.is_file()] == ["export.json"], "no code that was compiled"
    assert "Engine" in (tmp_path / "hub/README.md").read_text()


def test_recipe_names_no_folder_of_this_machine(tmp_path):
    settings = params.load(ROOT / "params.yaml").model_dump()
    settings["method"]["learn"] = "mix"
    for name, rest in {"transfer": {"into": "rounds"}, "replay": {"share": 0.2}}.items():
        settings["method"][name] = {"file": str(tmp_path / f"{name}.parquet"), **rest}
    told = recipe.settings(Run.of("reviews", params.Params.model_validate(settings)))
    assert "transfer.parquet" in told and "replay.parquet" in told and str(tmp_path) not in told
