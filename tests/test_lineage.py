"""From a row back to the one answer that it was made of."""

import hashlib
import json

import pytest

from synthesis import files
from synthesis.commands.lineage import text
from tests.llm_server import Server

RAW = 'Sure, here is a review:\n\n"A dull\x1b[2J film, and a long one."'


def lineage(repository, *words, **env) -> dict:
    return json.loads(repository.command("lineage", *words, "--json", **env).stdout)


def read(repository, name: str):
    return files.read(repository.folder / "data" / name)


def test_an_extrapolated_row_leads_to_the_wrong_answer(repository):
    row = read(repository, "reviews/round2/additional.parquet").iloc[0]
    found = lineage(repository, row.id)
    assert list(found) == ["gold", "student", "prompt", "teacher", "row", "fate"]
    error = read(repository, "reviews/round1/errors.parquet").set_index("id").loc[row.parent]
    assert found["gold"] == {"id": row.parent, "text": error.text, "label": error.label}
    assert found["student"]["round"] == 1
    assert found["student"]["predicted"] == error.predicted != error.label
    assert found["student"]["probability"] == pytest.approx(error.probability)
    assert error.text in found["prompt"]["text"]
    assert hashlib.sha256(found["prompt"]["text"].encode()).hexdigest() == row.prompt
    assert found["teacher"]["answer"] == row.text, "rules need no cleaning"
    assert found["teacher"]["source"].startswith("made again")


def test_rows_of_every_kind(side_by_side):
    for task, name in (("rte", "round1"), ("adversarial_qa", "round1"), ("adversarial_qa", "seed")):
        found = lineage(side_by_side, f"{name}-0", task)
        assert found["row"]["id"] == f"{name}-0"
        assert found["teacher"]["source"].startswith("made again")
        assert ("student" in found) == (name == "round1")


def test_a_row_that_nobody_was_asked_for_says_so(repository):
    repository.set({"method.add": "copies"})
    repository.stage("extrapolate", "reviews", "0")
    repository.stage("combine", "reviews", "1")
    steps = lineage(repository, "round1-0")
    assert steps["prompt"]["text"].startswith("none: the row is one of gold")
    assert steps["teacher"]["source"] == "it was asked for no answer" and steps["teacher"]["answer"] is None
    assert steps["gold"]["text"] == steps["row"]["text"]


def test_an_answer_that_was_asked_for_twice_and_cleaned(repository):
    """The first answer is empty, the second wrapped: the row points at the second, byte for byte."""
    with Server() as server:
        space = server.space(texts=[" ", RAW])
        repository.set({"teacher.provider": "openai", "asking.base_url": space.url})
        repository.stage("seed", "reviews", OPENAI_API_KEY="k")
        repository.stage("combine", "reviews", "0")
    found = lineage(repository, "seed-3")
    assert found["teacher"]["answer"] == RAW
    assert (found["teacher"]["sample"], found["teacher"]["attempt"]) == (0, 1)
    assert found["row"]["text"] == "A dull\x1b[2J film, and a long one."
    assert found["fate"]["reason"] == "duplicate"
    assert list(found["rationales"]) == found["row"]["rationales"]
    rationales = read(repository, "reviews/rationales.parquet")
    assert {named["request"] for named in found["rationales"].values()} <= set(rationales.request)
    assert "kept" in lineage(repository, "seed-0")["fate"]

    prompt = found["prompt"]["text"]
    repository.edit("prompts/reviews/s3/seed.md", "Now suppose", "Suppose")
    assert lineage(repository, "seed-3")["prompt"]["text"] == prompt, "the store has what was asked"
    elsewhere = repository.folder.parent / "other.sqlite"
    away = lineage(repository, "seed-3", TEACHER_STORE=str(elsewhere))
    assert away["teacher"]["answer"] is None
    assert "does not have it" in away["teacher"]["source"]
    assert not elsewhere.exists()


def test_a_terminal_is_shown_escapes():
    shown = text({"teacher": {"answer": RAW, "sample": 0}})
    assert "\x1b" not in shown
    assert r'        "A dull\x1b[2J film' in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["seed-400"], "seed.parquet has no row `seed-400` (near: seed-"),
        (["round9-1"], "`round9-1` is no row of reviews"),
        (["review"], "`review` is no row of reviews"),
        (["seed-1", "nothing"], "params.yaml has no task `nothing`"),
    ],
)
def test_unknown_rows(repository, words, message):
    done = repository.command("lineage", *words, ok=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
