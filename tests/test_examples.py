"""Few-shot prompts: gold rows that seed prompts show (method.examples)."""

import hashlib
import json
from types import SimpleNamespace

import pandas as pd
import pytest

from synthesis import files
from synthesis.paths import Paths
from synthesis.run import Run
from synthesis.tasks import classification
from synthesis.teacher import plans
from synthesis.teacher.request import Request
from tests.test_context_kinds import QA, QNLI, RTE, described

TOPIC = classification.Task("topic", described("classification"))
TEXTS = [f"text {i}" for i in range(12)]
LABELS, PREMISES = ["in", "out"] * 6, ["one", "two", "three"] * 4
GOLD = {
    "topic": pd.DataFrame({"id": TEXTS, "text": TEXTS, "label": LABELS}),
    "rte": pd.DataFrame({"id": TEXTS, "premise": PREMISES, "hypothesis": TEXTS, "label": LABELS}),
    "qa": pd.DataFrame({"id": TEXTS, "context": PREMISES, "question": TEXTS, "answer": "x"}),
}
PROMPTS = {
    "topic": "{% if examples %}{{ examples | join('; ') }}: {% endif %}{{ label }}",
    "rte": "{% if examples %}{{ examples | join('; ') }}: {% endif %}{{ premise }} {{ label }}",
    "qa": "{% if examples %}{{ examples | join('; ') }}: {% endif %}{{ context }} {{ answer }}",
}
ROWS = {
    "topic": [{"label": label, "rationales": []} for label in ["in", "out"] * 8],
    "rte": [{"label": label, "premise": premise} for premise in ("one", "two", "four") for label in ("in", "out")],
    "qa": [{"context": context, "answer": "x"} for context in ("one", "two", "four")],
}
TASKS = {"topic": TOPIC, "rte": RTE, "qa": QA}


@pytest.fixture(autouse=True)
def prompts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in PROMPTS.items():
        files.write_text(text, f"prompts/{name}/s3/seed.md")


def run(name: str, examples: int, seed: int = 13) -> Run:
    params = SimpleNamespace(prompts="s3", seed=seed, method=SimpleNamespace(examples=examples))
    return Run(TASKS[name], params, Paths(name))


def shown(name: str, examples: int, rows: list[dict] | None = None, first: int = 0, **more) -> list[list[str]]:
    """The examples of each seed prompt."""
    asked = run(name, examples, **more)
    rows = plans.with_examples(asked, ROWS[name] if rows is None else rows, GOLD[name], first)
    requests = plans.seed_requests(asked, rows)
    for request in requests:
        assert request.prompt.startswith("; ".join(request.slots.get("examples", ())))
    return [request.slots.get("examples", []) for request in requests]


@pytest.mark.parametrize("name", TASKS)
def test_they_are_gold_rows_of_the_same_label_about_something_else(name):
    gold = GOLD[name].set_index(TASKS[name].written, drop=False)
    for row, texts in zip(ROWS[name], shown(name, 3), strict=True):
        assert len(set(texts)) == 3
        if "label" in row:
            assert set(gold.label[texts]) == {row["label"]}
        assert row.get(TASKS[name].group) not in set(gold.loc[texts, TASKS[name].group])


def test_each_row_has_its_own_and_keeps_them():
    drawn = shown("topic", 2)
    assert len({tuple(texts) for texts in drawn}) > 8
    assert shown("topic", 2, ROWS["topic"][:5]) == drawn[:5], "however many rows there are"
    assert shown("topic", 2, ROWS["topic"][5:7], first=5) == drawn[5:7]
    assert shown("topic", 2, seed=14) != drawn


def test_fewer_gold_rows_than_wanted_are_all_shown():
    assert [sorted(texts) for texts in shown("topic", 20)[:2]] == [sorted(TEXTS[::2]), sorted(TEXTS[1::2])]


@pytest.mark.parametrize("name", TASKS)
def test_without_examples_a_prompt_leaves_that_part_out(name):
    [request, *_] = plans.seed_requests(run(name, 0), plans.with_examples(run(name, 0), ROWS[name], GOLD[name]))
    assert ":" not in request.prompt and "examples" not in request.slots


def test_a_prompt_without_a_place_for_them_stays_as_it_is():
    files.write_text("{{ label }}", "prompts/topic/s3/seed.md")
    none, some = (
        plans.seed_requests(run("topic", n), plans.with_examples(run("topic", n), ROWS["topic"], GOLD["topic"]))
        for n in (0, 4)
    )
    assert none == some


@pytest.mark.parametrize(
    ("task", "slots"),
    [
        (TOPIC, {"label": "in"}),
        (RTE, {"label": "in", "premise": "Ada left in 1931."}),
        (QNLI, {"label": "in", "premise": "Ada left in 1931."}),
        (QA, {"context": "Ada left in 1931.", "answer": "1931"}),
    ],
)
def test_an_answer_that_repeats_an_example_is_no_synthetic_row(task, slots):
    request = Request("seed", "", slots | {"examples": ["When did Ada come?", "When did Ada go?"]})
    assert task.check("when did Ada go ?", request)[1] == "equals an example"
    assert task.check("When did Ada leave?", request)[1] is None


def test_words_of_an_example_are_no_echo_of_the_prompt():
    example = 'She said: "It\'s a long way from here to there, and back"'
    request = Request("seed", f"Like this:\n{example}", {"premise": "Ada left.", "label": "in", "examples": [example]})
    assert RTE.check("It's a long way from here to there, she says.", request)[1] is None


# In the pipeline


def test_seed_prompts_show_gold_rows_and_only_seed_data_depend_on_it(repository):
    repository.set({"method.examples": 3})
    assert repository.repro("seed@reviews", "baseline@reviews") == ["seed@reviews"]
    gold = files.read(repository.folder / "data/reviews/gold/validation.parquet")
    row = files.read(repository.folder / "data/reviews/seed.parquet").iloc[7]
    estimate = repository.command("estimate").stdout
    assert "reviews  seed" in estimate
    repository.stage("combine", "reviews", "0")
    found = json.loads(repository.command("lineage", "seed-7", "--json").stdout)
    prompt = found["prompt"]["text"]
    assert hashlib.sha256(prompt.encode()).hexdigest() == row.prompt
    assert set(gold.label[[text in prompt for text in gold.text]]) == {row.label}
    assert sum(text in prompt for text in gold.text) == 3


def test_seed_data_follow_the_gold_rows_that_prompts_show(repository):
    repository.set({"method.examples": 3})
    repository.repro("seed@reviews")
    repository.edit("data/gold/reviews/reviews.csv", "film", "movie")
    idle = ["ask@reviews", "tune@reviews"]  # which read gold rows, have nothing to do, and come in any order
    assert sorted(repository.repro("seed@reviews")) == sorted(["gold@reviews", *idle, "seed@reviews"])
