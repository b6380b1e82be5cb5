"""The dataset card, and what leaves for the hub."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pandas as pd
import pytest

from stages import dataset, publish
from stages.pipeline import params as parameters
from stages.pipeline import table
from stages.pipeline.stage import UserError

TOKEN = "hf_secret0123456789"
FILES = ["README.md", "default/train.parquet", "rejected/rejected.parquet"]


@pytest.fixture
def inside(monkeypatch):
    """Enter a repository, so that its stages can be called."""

    def enter(repository):
        monkeypatch.chdir(repository.folder)
        parameters.load.cache_clear()

    yield enter
    parameters.load.cache_clear()


def test_card_tells_what_the_rows_are(all_kinds):
    text = (all_kinds.folder / "data/adversarial_qa/README.md").read_text()
    rows = table.read(all_kinds.folder / "data/adversarial_qa/round2/train.parquet")
    assert f"{len(rows)} synthetic rows" in text
    assert "- question-answering\n" in text
    assert "`context` of every row was taken from the gold rows" in text
    for column in rows.columns:
        assert f"`{column}`" in text
    assert (all_kinds.folder / "prompts/adversarial_qa/s3/extrapolate.md").read_text().splitlines()[0] in text
    assert "Gold text inside" not in (all_kinds.folder / "data/reviews/README.md").read_text()


def test_what_is_published_loads_as_the_card_says(all_kinds, inside, tmp_path):
    from datasets import load_dataset

    inside(all_kinds)
    publish.lay_out(tmp_path / "hub", "adversarial_qa", True)
    for name in ("default", "rejected", "gold"):
        loaded = load_dataset(str(tmp_path / "hub"), name, cache_dir=str(tmp_path / "cache"))
        for split, rows in loaded.items():
            assert rows.num_rows == len(table.read(tmp_path / "hub" / dataset.file(name, split))) > 0


def test_gold_text_stays(repository, inside, tmp_path):
    inside(repository)
    gold = table.read("data/reviews/gold/validation.parquet")
    copied = table.read("data/reviews/seed.parquet").head(1).assign(text=gold.text[0].upper())
    for q in (0, 2):
        table.write(copied.head(0), f"data/reviews/round{q}/rejected.parquet")
    table.write(copied.assign(rejected="equals the row"), "data/reviews/round1/rejected.parquet")
    publish.lay_out(tmp_path / "one", "reviews", False)
    assert [path.name for path in (tmp_path / "one").iterdir() if path.is_dir()] == ["default"], "nothing else is left"
    with pytest.raises(UserError, match="is the card of other rows"):
        add(copied)
        publish.lay_out(tmp_path / "two", "reviews", False)
    repository.stage("card", "reviews")
    with pytest.raises(UserError, match=r"row `seed-0` is a gold row word for word \(1 are\)"):
        publish.lay_out(tmp_path / "three", "reviews", False)
    publish.lay_out(tmp_path / "four", "reviews", True)
    assert gold.equals(table.read(tmp_path / "four/gold/validation.parquet"))


def add(rows: pd.DataFrame) -> None:
    file = "data/reviews/round2/train.parquet"
    table.write(pd.concat([rows, table.read(file)]), file)


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as a commit of small files needs."""

    def do_GET(self):
        self.told([] if "/tree/" in self.path else {}, self.server.status)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.seen.append((self.path, self.headers["authorization"], body))
        root = f"http://127.0.0.1:{self.server.server_port}"
        if "/preupload/" in self.path:
            files = json.loads(body)["files"]
            self.told({"files": [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]})
        elif "/commit/" in self.path:
            self.told({"commitUrl": f"{root}/datasets/o/n/commit/1", "commitOid": "1", "success": True})
        else:
            self.told({"url": f"{root}/datasets/o/n", "warnings": [], "errors": []}, self.server.status)

    def told(self, value, status=200):
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
    server.seen, server.status = [], 200
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_publish(reproduced, hub, tmp_path):
    env = {"HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}", "HF_HOME": str(tmp_path), "HF_TOKEN": ""}
    done = reproduced.stage("publish", "reviews", "o/n", "--dry-run", **env)
    assert [line.split()[-1] for line in done.stdout.splitlines()] == [*FILES, "o/n"]
    done = reproduced.stage("publish", "reviews", "o/n", ok=False, **env)
    assert done.stderr == "error: the hub wants a token: `hf auth login`, or HF_TOKEN in the environment\n"
    assert hub.seen == []

    done = reproduced.stage("publish", "reviews", "o/n", **{**env, "HF_TOKEN": TOKEN})
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
    assert sent["default/train.parquet"] == (reproduced.folder / "data/reviews/round2/train.parquet").read_bytes()
    assert sorted(sent) == FILES
    assert {key for _, key, _ in hub.seen} == {f"Bearer {TOKEN}"}

    hub.status = 403
    done = reproduced.stage("publish", "reviews", "o/n", ok=False, **{**env, "HF_TOKEN": TOKEN})
    assert done.returncode == 1
    assert done.stderr.startswith("error: o/n: ") and len(done.stderr.splitlines()) == 1
    assert TOKEN not in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["reviews", "name"], "is not owner/name"),
        (["reviews", "o/n/m"], "error: `o/n/m`"),
        (["r", "o/n"], "no task `r`"),
    ],
)
def test_publish_says_what_is_wrong(reproduced, words, told):
    done = reproduced.stage("publish", *words, "--dry-run", ok=False)
    assert done.returncode == 1
    assert told in done.stderr


def test_cells_stay_cells():
    assert dataset.cell("a|b\n<b> \\") == "a\\|b &lt;b> \\\\"
