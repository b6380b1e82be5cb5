"""Replacements: rejected rows are asked for anew until as many are accepted as are wanted, but not for ever."""

import json
import shutil

import pandas as pd
import pytest

from synthesis import files as table
from tests.llm_server import Server

GOOD, EMPTY, FOREIGN = "Film {n} was fine.", " ", "Фильм {n} скучный."
KEY = ["request", "sample"]  # of an answer; each row has one attempt


@pytest.fixture(scope="module")
def server():
    with Server() as server:
        yield server


@pytest.fixture
def llm(repository, server):
    """The repository, whose teacher is an endpoint with two seed prompts, one a label; and that endpoint."""
    space = server.space(text=GOOD)
    repository.set({"prompts": "short", "teacher.provider": "openai", "teacher.attempts": 1, "filters.length": None})
    repository.set({"asking.base_url": space.url, "asking.concurrency": 1, "task.reviews.seed_rows": 20})
    return repository, space


def stage(repository, *words: str) -> str:
    """Run a stage of the task. What it warns of, if anything."""
    done = repository.stage(words[0], "reviews", *words[1:], OPENAI_API_KEY="none")
    return "".join(line for line in done.stderr.splitlines() if line.startswith("warning: "))


def read(repository, name: str) -> pd.DataFrame:
    return table.read(repository.folder / "data/reviews" / name)


def metric(repository, name: str) -> dict:
    return json.loads((repository.folder / "metrics/reviews" / name).read_text())


def counts(repository, name: str = "seed.json") -> tuple[int, int, int]:
    """Of a teacher's stage, rows: asked for, wanted and accepted."""
    told = metric(repository, name)
    return told["rows"], told["wanted"], told["accepted"]


def test_a_teacher_of_whose_answers_a_quarter_is_rejected_reaches_the_target(llm):
    repository, space = llm
    space.tell(texts=[GOOD, EMPTY, GOOD, GOOD, FOREIGN, GOOD, GOOD, GOOD] * 4)
    assert stage(repository, "seed") == ""
    rows = read(repository, "seed.parquet")
    # Of the first 10 of each label 3 are rejected, of the next 3 one, of the next one none.
    assert counts(repository) == (len(rows), 20, 20) == (28, 20, 20)
    assert rows.id.tolist() == [f"seed-{i}" for i in range(28)], "rejected rows stay, and their ids count on"
    assert (rows.replaces[:20] == "").all()
    assert (rows.rejected == "empty").sum() == 4, "of the teacher's checks; the filters' reasons stand elsewhere"
    named = rows.set_index("id")
    for row in rows[20:].itertuples():
        assert row.label == named.label[row.replaces]
    assert not rows.duplicated(KEY).any()
    assert {label: set(part["sample"]) for label, part in rows.groupby("label")} == {
        "negative": set(range(14)), "positive": set(range(14)),
    }  # fmt: skip

    stage(repository, "combine", "0")
    told = metric(repository, "round0/combine.json")
    assert told["new"] == 20 and told["rejected"] == {"empty": 4, "other script": 4}
    assert read(repository, "round0/train.parquet").label.value_counts().to_dict() == {"negative": 10, "positive": 10}

    paid = (repository.folder / "data/reviews/seed.parquet").read_bytes()
    stage(repository, "seed")
    assert (repository.folder / "data/reviews/seed.parquet").read_bytes() == paid
    assert space.stats["calls"] == 28, "all of them out of the response store"
    repository.set({"task.reviews.seed_rows": 28})
    stage(repository, "seed")
    assert set(read(repository, "seed.parquet").text) > set(rows.text), "first rows of the longer plan, now"


def test_halves_of_characters_that_json_escapes_make_are_no_reason_to_lose_the_rows(llm):
    repository, space = llm
    space.tell(text=r'{"review": "Film {n} was fine \ud83d \u0000 as I said."}')
    stage(repository, "seed")
    assert counts(repository) == (20, 20, 20)
    assert read(repository, "seed.parquet").text.str.fullmatch(r"Film \d+ was fine \?  as I said\.").all()


def test_rounds_and_their_replacements_share_no_answer(llm):
    """Errors that persist are asked about again, with the same prompt: here all of them do."""
    repository, space = llm
    repository.set({"method.extrapolations_per_error": 2})
    same = "It was a film."
    space.tell(texts=[GOOD, same, GOOD, EMPTY, same, GOOD, GOOD, FOREIGN, GOOD, GOOD])
    rows = []
    for q in (0, 1):
        assert stage(repository, "extrapolate", str(q)) == ""
        stage(repository, "combine", str(q + 1))
        rows.append(read(repository, f"round{q + 1}/additional.parquet"))
        asked, wanted, accepted = counts(repository, f"round{q}/extrapolate.json")
        assert asked == len(rows[q]) > wanted == accepted == metric(repository, f"round{q + 1}/combine.json")["new"]
        assert wanted == 2 * len(read(repository, "round0/errors.parquet"))
        shutil.copyfile(*(repository.folder / f"data/reviews/round{r}/errors.parquet" for r in (0, 1)))
    assert set(rows[0].request) == set(rows[1].request)
    assert not pd.concat(rows).duplicated(KEY).any()
    assert rows[1]["sample"].tolist()[:wanted] == [2, 3] * (wanted // 2)
    for row in rows[0].itertuples():
        assert not row.replaces or row.parent == rows[0].set_index("id").parent[row.replaces]


def test_feedback_is_replaced_as_well(llm):
    """Rows of ProGen's prompts, of which those without examples are seed prompts."""
    repository, space = llm
    repository.set({"prompts": "s3", "method.mine": "helpful", "method.add": "feedback", "method.influence": True})
    mined = pd.DataFrame({"label": ["negative", "positive"] * 3, "examples": [[]] * 6})
    (repository.folder / "data/reviews/round0/errors.parquet").unlink()
    table.write(mined, repository.folder / "data/reviews/round0/errors.parquet")
    space.tell(texts=[GOOD, EMPTY])
    stage(repository, "extrapolate", "0")
    assert counts(repository, "round0/extrapolate.json") == (8, 6, 6)
    rows = read(repository, "round1/additional.parquet")
    assert not rows.duplicated(KEY).any() and rows["sample"].between(1_000_000, 1_000_003).all()


def test_there_is_a_bound_and_beyond_it_a_warning(llm):
    repository, space = llm
    space.tell(texts=[GOOD, FOREIGN] * 20)
    repository.set({"method.replacements": 0.25})
    assert stage(repository, "seed") == (
        "warning: reviews seed: 13 of 20 wanted rows are accepted, after 25 were asked for. Most frequent reason: "
        "`other script`, 12 times (see docs/data.md). Change the prompt (seed.md), the teacher or filters, or raise "
        "method.replacements"
    )
    assert counts(repository) == (25, 20, 13) and space.stats["calls"] == 25
    stage(repository, "combine", "0")
    assert metric(repository, "round0/combine.json")["new"] == 13
    repository.set({"method.replacements": 0.0})
    assert stage(repository, "seed") == "", "no replacement is wanted"
    assert counts(repository) == (20, 20, 10)


def test_a_teacher_that_writes_only_rubbish_is_asked_one_turn(llm):
    repository, space = llm
    space.tell(text=FOREIGN)
    told = stage(repository, "seed")
    assert told.startswith("warning: reviews seed: 0 of 20 wanted rows are accepted, after 20 were asked for.")
    assert told.endswith("Change the prompt (seed.md), the teacher or filters")
    assert counts(repository) == (20, 20, 0) and space.stats["calls"] == 20
    repository.set({"task.reviews.seed_rows": 3})
    stage(repository, "seed")
    assert counts(repository) == (6, 3, 0), "three bad rows may be chance, six are not"


def test_what_cannot_be_had_does_not_stop_the_stage(llm):
    """A turn of replacements may be rejected as a whole, though a stage of which half is rejected stops."""
    repository, space = llm
    space.tell(texts=[GOOD, GOOD, EMPTY] * 5 + [EMPTY] * 5)
    repository.set({"task.reviews.seed_rows": 30})
    assert "20 of 30 wanted rows are accepted, after 40 were asked for" in stage(repository, "seed")


def test_a_prompt_that_the_endpoint_refuses_is_not_asked_again(llm):
    repository, space = llm
    space.tell(only="negative", script=["400"] * 40, error="content policy", code="content_policy_violation")
    told = stage(repository, "seed")
    assert "10 of 20 wanted rows are accepted, after 20 were asked for" in told and "refused by the endpoint" in told
    assert space.stats["calls"] == 20


def test_rows_that_the_teacher_takes_for_others_are_replaced_and_verified(llm):
    """It says `positive` whatever it is asked: half of the seed rows were to be negative."""
    repository, space = llm
    repository.set({"verify.teacher": "drop", "task.reviews.seed_rows": 6})
    space.tell(text="Film {n} is positive.")
    assert "3 of 6 wanted rows are accepted, after 12 were asked for" in stage(repository, "seed")
    told = metric(repository, "seed.json")
    assert (told["verified"], told["disagreed"], told["relabelled"], told["calls"]) == (12, 9, 0, 24)
    assert (read(repository, "seed.parquet").blind != "").all()
    repository.set({"verify.teacher": "relabel"})
    assert stage(repository, "seed") == ""
    assert counts(repository) == (6, 6, 6)


def test_filters_that_look_at_all_rows_agree_in_both_stages(llm):
    """Whether a beginning is a lead-in depends on how many rows have it, and a probe on what others learn."""
    repository, space = llm
    texts = ["Here it is: film {n} was fine.", GOOD, "The {n}th film bored me.", GOOD, "I saw film {n}, alas."]
    space.tell(texts=texts * 6)
    repository.set({"verify.student": "drop", "verify.confidence": 0.51})
    stage(repository, "seed")
    stage(repository, "combine", "0")
    told = metric(repository, "round0/combine.json")
    assert counts(repository)[2] == told["new"]
    assert told["rejected"].keys() == {"lead-in", "student disagrees"}


def test_lineage_of_a_replacement(llm):
    """With examples, which are drawn anew for each wanted row, its prompt is that of the row that it replaces."""
    repository, space = llm
    repository.set({"method.examples": 2, "prompts": "s3"})
    space.tell(rates={"truncated": 0.3})
    stage(repository, "seed")
    stage(repository, "combine", "0")
    row = read(repository, "seed.parquet").iloc[-1]
    found = json.loads(repository.command("lineage", row.id, "--json").stdout)
    assert found["row"]["replaces"] == row.replaces != ""
    first = json.loads(repository.command("lineage", row.replaces, "--json").stdout)
    assert found["prompt"] == first["prompt"] and not found["prompt"]["text"].startswith("unknown")
    assert found["teacher"]["sample"] > first["teacher"]["sample"]
