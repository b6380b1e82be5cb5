"""Verification: what a blind answer is taken for, and what becomes of the rows."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthesis import files as table
from synthesis.params import Task as Settings
from synthesis.tasks import span_qa
from synthesis.tasks.checks import parse_label
from tests.llm_server import Server

RTE = {"entailment": ("entailment", "correct"), "not_entailment": ("not_entailment", "wrong")}
QNLI = {"entailment": ("entailment", "in"), "not_entailment": ("not_entailment", "not in")}
NAMES = {**{label: (label,) for label in ("card_arrival", "card_payment", "reverted_card_payment?")}, "👍": ("👍",)}
SIGNS = {label: (label,) for label in ("C", "C++", "C#", "👍", "👎", "?")}
HINDI = {label: (label,) for label in ("लड़का", "लड़की")}
QUESTIONS = span_qa.Task("q", Settings.model_construct(kind="span_qa", words={}))


@pytest.mark.parametrize(
    ("names", "text", "label"),
    [
        (RTE, "Correct.", "entailment"),
        (RTE, "**wrong**", "not_entailment"),
        (RTE, "The statement is correct, because the text says so.", "entailment"),
        (RTE, "not_entailment", "not_entailment"),
        (RTE, "Not entailment", "not_entailment"),
        (RTE, "It is not correct", None),
        (RTE, "It isn't really correct", None),
        (RTE, "correct or wrong", None),
        (RTE, "correct\nThe opposite would be wrong.", "entailment"),
        (RTE, "I do not know", None),
        (RTE, "incorrect", None),
        (RTE, "", None),
        (QNLI, "in", "entailment"),
        (QNLI, "Not in", "not_entailment"),
        (QNLI, "The answer is not in the sentence.", "not_entailment"),
        (QNLI, "The answer isn’t in it", "not_entailment"),
        (QNLI, "It is in the sentence", "entailment"),
        (NAMES, "reverted card payment", "reverted_card_payment?"),
        (NAMES, "Card Payment", "card_payment"),
        (NAMES, "card", None),
        (NAMES, "👍", "👍"),
        (SIGNS, "It is written in C++.", "C++"),
        (SIGNS, "**C#**!", "C#"),
        (SIGNS, "I would say C.", "C"),
        (SIGNS, "C++ or C#", None),
        (SIGNS, "Label: 👎🏽", "👎"),
        (SIGNS, "The sign is “?”", "?"),
        (SIGNS, "not C++", None),
        (HINDI, "उत्तर: लड़की।", "लड़की"),
        (HINDI, "यह लड़का है", "लड़का"),
    ],
)
def test_blind_answers(names, text, label):
    assert parse_label(text, names) == label


cased = st.sampled_from([str.lower, str.upper, str.capitalize])


@given(
    st.sampled_from([(names, label) for names in (RTE, QNLI, NAMES, HINDI) for label in names]),
    st.sampled_from(["{}", "{}.", '"{}"', " {}\n", "**{}**", "({})", "Label: {}", "It is {}!", "{}\n\nSo it is."]),
    cased,
)
@settings(derandomize=True, deadline=None)
def test_a_label_is_found_in_any_dress(case, dress, cased):
    names, label = case
    for name in names[label]:
        assert parse_label(dress.format(cased(name)), names) == label


@given(st.text(), st.sampled_from([RTE, QNLI, NAMES]))
@settings(derandomize=True, deadline=None)
def test_any_text_is_a_label_or_none(text, names):
    assert parse_label(text, names) in {*names, None}


def test_blind_answers_to_questions():
    row = {"answer": "in the old mill", "answer_start": 3}
    assert QUESTIONS.judge("the old mill.", row, []) == row
    assert QUESTIONS.judge("Nobody knows", row, []) is None
    assert QUESTIONS.judge("The", {"answer": "the", "answer_start": 0}, []), "all articles, but the same"


def test_likelihoods_that_an_endpoint_does_not_tell_are_missed_before_anything_is_asked(fresh):
    fresh.set({"verify.teacher": "likelihood", "teacher.provider": "openai"})
    fresh.stage("gold", "reviews")
    done = fresh.stage("rationales", "reviews", ok=False, OPENAI_API_KEY="none", OPENAI_BASE_URL="http://127.0.0.1:9")
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: verify.teacher: likelihood needs the probabilities of a model")


def test_disagreement_drops_or_relabels(fresh):
    """Whatever the server is asked, it says `positive`: half of the seed rows were to be negative."""
    with Server() as server:
        space = server.space(text="A positive film, and a fine one.")
        fresh.set({"teacher.provider": "openai", "asking.base_url": space.url, "task.reviews.seed_rows": 10})
        fresh.set({"method.rationales": False, "verify.teacher": "drop", "method.replacements": 0.0})
        fresh.stage("gold", "reviews")
        fresh.stage("rationales", "reviews")

        def seed():
            fresh.stage("seed", "reviews", OPENAI_API_KEY="none")
            told = json.loads((fresh.folder / "metrics/reviews/seed.json").read_text())
            return told, table.read(fresh.folder / "data/reviews/seed.parquet")

        told, rows = seed()
        assert (told["rows"], told["verified"], told["disagreed"], told["relabelled"]) == (10, 10, 5, 0)
        assert told["calls"] == 20
        assert (rows.rejected == "teacher disagrees").tolist() == (rows.label == "negative").tolist()
        assert set(rows.blind) == {"A positive film, and a fine one."}
        fresh.set({"verify.teacher": "relabel"})
        told, rows = seed()
        log = json.loads((fresh.folder / "logs/reviews/seed.json").read_text())
        assert (log["asked"], told["calls"], told["disagreed"], told["relabelled"]) == (0, 20, 5, 5)
        assert set(rows.label) == {"positive"} and set(rows.asked) == {"positive", "negative"}
        assert not rows.rejected.any()


def test_a_verification_that_fails_is_no_disagreement(fresh):
    """The endpoint refuses what was written about one label: these rows are rejected, and no verdict is counted."""
    with Server() as server:
        rules = [["overall verdict", "positive"], ["negative review", "So dull that it hurts."]]
        refusal = {"only": "So dull", "rates": {"400": 1.0}, "code": "content_filter", "error": "filtered"}
        space = server.space(rules=rules, text="A fine film, all in all.", **refusal)
        fresh.set({"teacher.provider": "openai", "asking.base_url": space.url, "task.reviews.seed_rows": 10})
        fresh.set({"method.rationales": False, "verify.teacher": "drop", "method.replacements": 0.0})
        fresh.set({"asking.max_rejected": None})
        for stage in ("gold", "rationales", "seed"):
            fresh.stage(stage, "reviews", OPENAI_API_KEY="none")
    told = json.loads((fresh.folder / "metrics/reviews/seed.json").read_text())
    assert (told["rows"], told["verified"], told["disagreed"], told["accepted"]) == (10, 5, 0, 1)
    rows = table.read(fresh.folder / "data/reviews/seed.parquet")
    refused = rows.rejected.str.startswith("not verified: refused by the endpoint")
    assert refused.tolist() == (rows.label == "negative").tolist()


def test_the_template_teacher_cannot_judge(repository):
    repository.set({"verify.teacher": "drop"})
    done = repository.stage("seed", "reviews", ok=False)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("error: the template teacher")
    assert "verify.teacher" in done.stderr and "Traceback" not in done.stderr


def test_probes_that_did_not_learn_a_row_contradict_its_label(repository):
    """Four of 40 seed rows get the other label: most of them are out, and most of the others are not."""
    file = repository.folder / "data/reviews/seed.parquet"
    seed = table.read(file)
    wrong = table.read(repository.folder / "data/reviews/round0/train.parquet").id[:4]
    flipped = seed.label.map({"positive": "negative", "negative": "positive"})
    file.unlink()
    table.write(seed.assign(label=seed.label.mask(seed.id.isin(wrong), flipped)), file)
    repository.set({"verify.student": "drop", "verify.confidence": 0.5})
    repository.stage("combine", "reviews", "0")
    dropped = table.read(repository.folder / "data/reviews/round0/rejected.parquet")
    assert len(set(wrong) & set(dropped.id[dropped.rejected == "student disagrees"])) >= 3
    assert len(dropped) < len(seed) / 2
