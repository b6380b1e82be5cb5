"""A task of one's own, from a file of gold rows to the gold baseline."""

import csv
import json
import shutil

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synthesis import UserError, params, scaffold
from synthesis.teacher.prompt import Prompt
from tests.conftest import ROOT

TEXTS = {
    "refund": ["money back please", "i want a refund", "refund my order", "give me my money back", "refund now please"],
    "where is it": [
        "where is my parcel",
        "parcel still not here",
        "track my parcel",
        "parcel is late",
        "no parcel yet",
    ],
    "naïve/odd: label": ["ça ne marche pas", "{{ braces }} here", "it's 'quoted'", "naïve question", "odd one, really"],
}

REVIEWS = "data/gold/reviews/reviews.csv"


@pytest.fixture
def tickets(fresh, tmp_path):
    file = tmp_path / "tickets.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["body", "queue", "more"])
        rows.writerows([f"{text} {i}", label, ""] for i in range(4) for label, texts in TEXTS.items() for text in texts)
    return file


def new_task(repository, file):
    return repository.command("new-task", "tickets", str(file), "--column", "text=body", "--column", "label=queue")


def lines(repository) -> list[str]:
    return [line.strip() for line in (repository.folder / "params.yaml").read_text().splitlines()]


def test_from_a_file_to_the_gold_baseline(fresh, tickets):
    before = lines(fresh)
    said = new_task(fresh, tickets).stdout
    assert "60 gold rows, text, label" in said
    git = "git add data/gold/tickets prompts/tickets params.yaml"
    for place in ("prompts/tickets/s3/*.md", "params.yaml", "`teacher`", "dvc repro", git):
        assert place in said
    assert set(before) <= set(lines(fresh)), "what was there stays, comments and all"
    fresh.change(tasks=["reviews", "tickets"])
    ran = fresh.repro("gold@tickets", "baseline@tickets")
    assert set(ran) == {"gold@tickets", "baseline@tickets"}
    metrics = json.loads((fresh.folder / "metrics/tickets/baseline.json").read_text())
    assert metrics["test"]["accuracy"] > 0.8
    assert fresh.repro("gold@tickets", "baseline@tickets") == []


def test_its_prompts_can_be_used_as_they_are(fresh, tickets):
    from synthesis.tasks.classification import Task
    from synthesis.teacher.prompt import Prompt

    new_task(fresh, tickets)
    slots = {"label": "refund", "count": 5, "rationales": ["anger"], "text": "{{ label }}", "predicted": "where is it"}
    for step in ("rationale", "seed", "extrapolate"):
        file = fresh.folder / f"prompts/tickets/s3/{step}.md"
        text, _ = Prompt.load(file, Task.variables[step], Task.required[step]).render(slots)
        assert "refund" in text
        assert "EDIT" not in text
    assert "{{ label }}" in text, "gold text is data, not template"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["Tickets!", "x.csv"], "`Tickets!` cannot name a task"),
        (["gold", "x.csv"], "`gold` cannot name a task"),
        (["teacher", "x.csv"], "`teacher` cannot name a task"),
        (["tickets"], "Missing argument 'GOLD': see `synthesis new-task --help`"),
        (["tickets", "nowhere.csv"], "nowhere.csv does not exist"),
        (["reviews", REVIEWS], "has a task `reviews` already"),
        (["other", REVIEWS, "--kind", "nonsense"], "task.other.kind is `nonsense`, which is not one of"),
        (["other", REVIEWS, "--column", "text"], "write OURS=THEIRS"),
        (["other", REVIEWS, "--column", "premise=text"], "a task of kind classification has only text, label"),
        (
            ["other", REVIEWS, "--column", "text=body"],
            "no column `body` (there: id, text, label): say which by --column text=",
        ),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_left(fresh, words, said):
    before = fresh.run("git", "status", "--short").stdout
    done = fresh.command("new-task", *words, ok=False)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert fresh.run("git", "status", "--short").stdout == before


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with what `scaffold.create` needs, which is the working folder."""
    shutil.copytree(ROOT / "prompts/_new", tmp_path / "prompts/_new")
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(file, rows: list[dict]) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


@pytest.mark.parametrize("variant", ["s3", "short", "mine"])
def test_prompts_for_small_models_are_there_too(place, variant):
    params = (place / "params.yaml").read_text().replace("prompts: short", f"prompts: {variant}")
    (place / "params.yaml").write_text(params)
    file = written(place / "gold.jsonl", [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}])
    task, _, folder = scaffold.create("mine", file, "classification", {})
    assert folder.as_posix() == f"prompts/mine/{variant}"
    prompts = {
        step: Prompt.load(folder / f"{step}.md", names, task.required[step]) for step, names in task.variables.items()
    }
    assert ("rationales" in prompts["seed"].variables) == (variant != "short")
    assert "examples" in prompts["seed"].variables


def test_files_of_the_user_are_left_alone(place):
    file = written(place / "data/gold/mine/gold.jsonl", [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}])
    (place / "data/gold/mine/README.md").write_text("guidelines")
    scaffold.create("mine", file, "classification", {})
    assert (place / "data/gold/mine/README.md").read_text() == "guidelines"
    before = (place / "params.yaml").read_text()
    (place / "data/gold/other").mkdir()
    (place / "data/gold/other/gold.jsonl").write_text("the user's own")
    with pytest.raises(UserError, match=r"data/gold/other/gold.jsonl exists already and is another file"):
        scaffold.create("other", file, "classification", {})
    assert (place / "data/gold/other/gold.jsonl").read_text() == "the user's own"
    assert (place / "params.yaml").read_text() == before
    assert not (place / "prompts/other").exists()


KINDS = [
    "no",
    "on",
    "Yes",
    "off",
    "y",
    "~",
    "null",
    "true",
    "1",
    "0x1F",
    "1_000",
    "1e3",
    "1.5e+3",
    "190:20:30",
    "=",
    "<<",
]
KINDS += [
    "2024-01-01",
    "2024-01-01 10:00:00",
    ".inf",
    "0777",
    "- a",
    "a: b",
    "a #b",
    "*a",
    "&a",
    "!a",
    "{a",
    "%a",
    "a\nb",
]


@given(st.sampled_from(KINDS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
@settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_name_is_read_as_it_was_written(place, name):
    (place / "params.yaml").write_text("task:\n  other: {}  # with a comment\n")
    section = {"columns": {"label": name}, "labels": {name: name}}
    scaffold.add("mine", section)
    assert yaml.safe_load((place / "params.yaml").read_text(encoding="utf-8"))["task"] == {"mine": section, "other": {}}


@pytest.mark.parametrize("name", ["no", "on", "y", "off", "null", "true"])
def test_any_name_of_a_task_is_read_as_it_was_written(place, name):
    scaffold.create(name, str(ROOT / REVIEWS), "classification", {})
    assert params.load().task[name].gold.source == f"data/gold/{name}/reviews.csv"


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([0, 1, 1], {"0": "0", "1": "1"}),
        (["no", "yes", "on"], {}),
        ([1, 1.0, "2"], {}),
    ],
)
def test_numbers_are_to_be_named(place, labels, names):
    rows = [{"text": str(number), "label": label} for number, label in enumerate(labels)]
    task, *_ = scaffold.create("mine", written(place / "gold.jsonl", rows), "classification", {})
    assert params.load().task["mine"].gold.labels == task.settings.gold.labels == names


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"text": "b", "label": ["x", "y"]},
            "gold.jsonl row 2: `label` is ['x', 'y'], and there must be one label a row",
        ),
        ({"text": 7, "label": "x"}, "gold.jsonl row 2: `text` is 7, which is not a text"),
        ({"text": "b"}, "gold.jsonl row 2: `label` is empty"),
    ],
)
def test_cells_that_no_setting_mends(place, row, said):
    before = (place / "params.yaml").read_text()
    file = written(place / "gold.jsonl", [{"text": "a", "label": "x"}, row])
    with pytest.raises(UserError) as error:
        scaffold.create("mine", file, "classification", {})
    assert said in str(error.value)
    assert (place / "params.yaml").read_text() == before
    assert not (place / "data/gold/mine").exists()


def test_unanswerable_questions_are_left_to_the_stage(place):
    rows = [
        {"context": "Ada built it.", "question": f"Who{mark}", "answer": a} for mark, a in (("?", ["Ada"]), ("", []))
    ]
    scaffold.create("mine", written(place / "gold.jsonl", rows), "span_qa", {})
    assert params.load().task["mine"].gold.unanswerable == "error"


def test_a_setting_without_quotes_is_named(place):
    text = (place / "params.yaml").read_text()
    (place / "params.yaml").write_text(text.replace("        label: label\n", "        label: no\n", 1))
    with pytest.raises(UserError, match=r"task.reviews.gold.columns.label is False.*write it in quotes"):
        params.load()


def test_one_column_of_the_file_for_two_of_the_task(place):
    file = written(place / "gold.jsonl", [{"question": "Ada built it. Who?", "answer": "Ada"}] * 2)
    scaffold.create("mine", file, "span_qa", {"context": "question"})
    assert params.load().task["mine"].gold.columns["context"] == "question"
