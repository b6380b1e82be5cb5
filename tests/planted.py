"""Planted effects, in the test's own process: gold rows, teachers and students whose faults are known."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from synthesis import files
from synthesis.comparison.study import override
from synthesis.run import Run
from synthesis.students import probe
from synthesis.teacher import ask
from synthesis.teacher.request import Reply, Request
from tests import words_embedding

LABELS = ("negative", "positive")
WORDS = 60  # that tell a label, half of them each
TOPICS = 4  # groups of words about which nothing else is said


def told_by_words(count: int, seed: int, name: str, wrong: float = 0.0) -> pd.DataFrame:
    """Rows of four words that tell their label and four that do not. wrong: the share of rows with another label.

    `truth` is the label that the words tell.
    """
    random, rows = np.random.default_rng(seed), []
    for place in range(count):
        label = place % 2
        words = [*(f"word{2 * n + label}" for n in random.integers(0, WORDS // 2, 4)), *_noise(random)]
        told = label if random.random() >= wrong else 1 - label
        rows.append([f"{name}-{place}", " ".join(random.permutation(words)), LABELS[told], LABELS[label]])
    return pd.DataFrame(rows, columns=["id", "text", "label", "truth"])


def _noise(random) -> list[str]:
    return [f"noise{n}" for n in random.integers(0, 200, 4)]


def truth(text: str) -> str:
    """The label that most of a text's words tell."""
    told = [int(number) % 2 for number in re.findall(r"word(\d+)", text)]
    return LABELS[2 * sum(told) > len(told)]


def use_words(monkeypatch) -> None:
    """Probes read bags of words."""
    for name in ("embed", "parameters"):
        monkeypatch.setattr(probe, name, getattr(words_embedding, name))


def run(changes: dict | None = None) -> Run:
    """The demo's task with a probe, and with other parameters."""
    usual = {"student.kind": "probe", "method.rationales": False, "filters.lead_in": False, "filters.length": None}
    content = yaml.safe_load((Path(__file__).parent.parent / "params.yaml").read_text())
    return Run.of("reviews", override(content, usual | {"teacher.stop": []} | (changes or {}), "test"))


def write_gold(run: Run, validation: pd.DataFrame, selection: pd.DataFrame, test: pd.DataFrame) -> None:
    """As the stage `gold` would have."""
    for split, rows in {"validation": validation, "selection": selection, "test": test}.items():
        files.write(rows[["id", "text", "label"]], run.paths.gold(split))
    files.write_json(list(LABELS), run.paths.labels)
    files.write(pd.DataFrame(), run.paths.contexts)


def teach(monkeypatch, answer) -> list[str]:
    """Have a function answer: of a prompt and its slots, and of the sample. Returns the prompts as they are asked."""
    asked = []

    class Provider:
        concurrency, stored, price, news = 1, False, (0.0, 0.0), ""

        def body(self, request: Request) -> dict:
            return {"prompt": request.prompt, "slots": request.slots}

        async def answer(self, body: dict, sample: int, attempt: int) -> Reply:
            asked.append(body["prompt"])
            return Reply(answer(body["slots"], sample * 10 + attempt), model="planted")

        async def close(self) -> None:
            pass

    monkeypatch.setattr(ask, "provider", lambda run: Provider())
    return asked
