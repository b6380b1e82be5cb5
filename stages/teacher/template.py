"""The template teacher: rule-based synthesis, for runs without an LLM.

What it can say stands in `templates/<name>.yaml`, how it composes in the module of `writer/` that the file names. It is
free, offline and repeatable, and plainer than an LLM: good for tests, demonstrations and baselines.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path

import yaml

from stages.pipeline import table
from stages.pipeline.paths import Paths
from stages.pipeline.stage import UserError
from stages.teacher import language
from stages.teacher.request import Reply, Request, digest

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Reading:
    """What a writer may read: any text through the parser, and the contexts that seed rows are conditioned on."""

    parser: str
    contexts: Path | None = None

    def sentences(self, text: str) -> list[language.Sentence]:
        return language.parse(text, self.parser)

    @cached_property
    def others(self) -> list[str]:
        """Each context once. The first column of the table is the text, whatever the task calls it."""
        if self.contexts is None or not self.contexts.is_file():
            return []
        return table.read(self.contexts).iloc[:, 0].drop_duplicates().tolist()


class Provider:
    """Rule-based synthesis: see `stages/teacher/templates/`."""

    concurrency = 1
    stored = False  # free and repeatable: nothing to keep
    price = (0.0, 0.0)

    def __init__(self, templates: str, seed: int, reading: Reading | None = None):
        self.templates = load(templates)
        self.write = _writer(self.templates).write
        self.reading = reading or Reading("pattern")
        self.model = f"template/{templates}"
        self.seed = seed

    def body(self, request: Request) -> dict:
        return {"model": self.model, "step": request.step, "slots": request.slots, "seed": self.seed}

    async def answer(self, body: dict, sample: int, attempt: int) -> Reply:
        if body["step"] == "verify":
            raise UserError(
                "the template teacher writes by rules and cannot judge: leave verify.teacher empty in params.yaml, or "
                "set teacher.provider to openai"
            )
        label = body["slots"].get("label")
        if "labels" in self.templates and label not in self.templates["labels"] and "answer" not in body["slots"]:
            known = ", ".join(self.templates["labels"])
            raise UserError(
                f"{self.model}.yaml has no label {label!r}, only {known}: "
                "give the label one of these names under the task's gold.labels, or one as its word under words"
            )
        rng = random.Random(digest([body, sample, attempt]))
        return Reply(self.write(self.templates, body["step"], body["slots"], rng, self.reading), model=self.model)

    async def close(self) -> None:
        pass


@cache
def load(name: str) -> dict:
    """A file of templates as its writer prepares it. Raises UserError when there is none."""
    path = TEMPLATES / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in TEMPLATES.glob("*.yaml")))
        raise UserError(f"no template grammar {name!r} in {TEMPLATES}, only {known}")
    templates = yaml.safe_load(path.read_text(encoding="utf-8"))
    return _writer(templates).prepare(templates)


def _writer(templates: dict):
    return import_module(f"stages.teacher.writer.{templates['writer']}")


def provider(params, task: str) -> Provider:
    """The provider for a task. Raises UserError when the task has no templates."""
    templates = params.one(task).templates
    if templates is None:
        raise UserError(
            f"params.yaml: task.{task}.templates is empty, and the template teacher needs a grammar of "
            "stages/teacher/templates/: name one, or set teacher.provider to openai"
        )
    return Provider(templates, params.seed, Reading(params.template.parser, Paths(task).contexts))
