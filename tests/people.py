"""Gold rows of the tasks beside the demo, for tests of the pipeline: facts about people who never were."""

import json
from pathlib import Path

GIVEN = ["Anna", "Boris", "Carlos", "Diana", "Elena", "Frank", "Helen", "Ivan", "Laura", "Martin"]
FAMILY = ["Almer", "Bixby", "Corvin", "Dunmore", "Eskola", "Farrow", "Gantz", "Holm"]
TOWNS = ["Aldport", "Brenna", "Cormoran", "Dellwick", "Estmouth", "Fenburg"]


def facts(count: int) -> list[dict]:
    return [
        {
            "name": f"{GIVEN[i % len(GIVEN)]} {FAMILY[i // len(GIVEN) % len(FAMILY)]}",
            "town": TOWNS[i % len(TOWNS)],
            "year": str(1800 + i),
            "workers": str(20 + i),
        }
        for i in range(count)
    ]


def context(fact: dict) -> str:
    return (
        f"{fact['name']} was born in {fact['town']} in {fact['year']}. "
        f"The family owned a mill there, which employed {fact['workers']} workers and burned down twice."
    )


def rte(count: int) -> list[dict]:
    """Premise, hypothesis, label: 0 for what follows."""
    return [
        {
            "sentence1": context(fact),
            "sentence2": f"{fact['name']} was born in {fact['town'] if i % 2 == 0 else 'Zell'}.",
            "label": i % 2,
        }
        for i, fact in enumerate(facts(count))
    ]


def questions(count: int) -> list[dict]:
    """SQuAD's rows as the hub has them."""
    rows = []
    for i, fact in enumerate(facts(count)):
        key, question = [("year", "When was {} born?"), ("town", "Where was {} born?")][i % 2]
        text = context(fact)
        answers = {"text": [fact[key]], "answer_start": [text.index(fact[key])]}
        rows.append({"id": f"q{i}", "context": text, "question": question.format(fact["name"]), "answers": answers})
    return rows


ROWS = {"rte": rte, "adversarial_qa": questions}


def add(repository, count: int = 60) -> dict:
    """Write the gold files of the tasks into a repository; the params that make a small run of them."""
    changes = {"tasks": ["reviews", *ROWS]}
    for task, rows in ROWS.items():
        file = Path("data/gold") / task / "gold.jsonl"
        (repository.folder / file).parent.mkdir(parents=True, exist_ok=True)
        (repository.folder / file).write_text("".join(json.dumps(row) + "\n" for row in rows(count)))
        small = {"source": file.as_posix(), "test": None, "budget": 38, "test_rows": 20}
        changes |= {f"task.{task}.gold.{key}": value for key, value in small.items()}
        changes[f"task.{task}.seed_rows"] = 24
    repository.set(changes)
    return changes
