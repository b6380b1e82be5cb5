"""A task of one's own, from a file of gold rows to the gold baseline."""

import csv
import json

import pytest

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
    for place in ("prompts/tickets/s3/*.md", "params.yaml", "teacher.provider", "dvc repro"):
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
