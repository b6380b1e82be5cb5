"""The template teacher: rule-based synthesis, for runs without an LLM.

What it can say stands in `grammars/<name>.yaml`, which task.<name>.templates names; how it composes, in the module of
this folder that the grammar names as its writer. It is free, offline and repeatable, and plainer than an LLM: good for
tests, demonstrations and baselines.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType

import yaml

from synthesis import UserError, files, parsers, plugins
from synthesis.run import Run
from synthesis.teacher.request import Reply, Request, digest

GRAMMARS = Path(__file__).parent / "grammars"


def provider(run: Run) -> Provider:
    """The template teacher of a task. Raises UserError when the task names no grammar, or one that does not exist."""
    grammar = run.settings.templates
    if grammar is None:
        raise UserError(
            f"params.yaml: task.{run.task.name}.templates is empty, and the template teacher needs a grammar of "
            "synthesis/providers/template/grammars/: name one, or set teacher.provider to openai"
        )
    return Provider(grammar, run.params.seed, Reading(run.params.template.parser, run.paths.contexts))


@dataclass(frozen=True)
class Reading:
    """What a writer may read: any text through the parser, and the contexts that seed rows are written from."""

    parser: str
    contexts: Path | None = None

    def sentences(self, text: str) -> list[parsers.Sentence]:
        return parsers.parse(text, self.parser)

    @cached_property
    def others(self) -> list[str]:
        """Each context once. The first column of the table is the text, whatever the task calls it."""
        if self.contexts is None or not self.contexts.is_file():
            return []
        return files.read(self.contexts).iloc[:, 0].drop_duplicates().tolist()


class Provider:
    """Answers by the rules of a grammar, which draw at random from the request, its sample and its attempt."""

    concurrency = 1
    stored = False  # free and repeatable: nothing to keep
    news = ""
    price = (0.0, 0.0)

    def __init__(self, grammar: str, seed: int, reading: Reading | None = None):
        self.grammar = load(grammar)
        self.write = _writer(grammar, self.grammar).write
        self.reading = reading or Reading("pattern")
        self.model = f"template/{grammar}"
        self.seed = seed

    def body(self, request: Request) -> dict:
        """All that an answer depends on, but for the contexts and the parser."""
        return {"model": self.model, "step": request.step, "slots": request.slots, "seed": self.seed}

    async def answer(self, body: dict, sample: int, attempt: int) -> Reply:
        """One answer. Raises UserError when the grammar does not know the label, and for requests to judge."""
        if body["step"] == "verify":
            raise UserError(
                "the template teacher writes by rules and cannot judge: leave verify.teacher empty in params.yaml, or "
                "set teacher.provider to openai"
            )
        label, labels = body["slots"].get("label"), self.grammar.get("labels")
        if labels and label not in labels and "answer" not in body["slots"]:
            raise UserError(
                f"{self.model}.yaml has no label {label!r}, only {', '.join(labels)}: "
                "give the label one of these names under the task's gold.labels, or one as its word under words"
            )
        rng = random.Random(digest([body, sample, attempt]))
        texts = [self.write(self.grammar, step, slots, rng, self.reading) for step, slots in self.parts(**body)]
        listed = "\n".join(f"{place}. {' '.join(text.split())}" for place, text in enumerate(texts, 1))
        return Reply(listed if len(texts) > 1 else texts[0], model=self.model)

    def parts(self, step: str, slots: dict, **_) -> list[tuple[str, dict]]:
        """The step and the slots of each text that is asked for. The second of a contrast is a fresh one."""
        if step == "contrast":
            return [("extrapolate", slots), ("seed", slots | {"label": slots["predicted"]})]
        return [(step, slots)] * (1 if step == "rationale" else slots.get("count", 1))

    async def close(self) -> None:
        """Nothing is open."""


@cache
def load(name: str) -> dict:
    """A grammar as its writer prepares it. Raises UserError when there is no such file."""
    path = GRAMMARS / f"{name}.yaml"
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in GRAMMARS.glob("*.yaml")))
        raise UserError(f"no template grammar {name!r} in {GRAMMARS}, only {names}")
    grammar = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
    return _writer(name, grammar).prepare(grammar)


def _writer(name: str, grammar: dict) -> ModuleType:
    """The module with `prepare(grammar)`, and `write(grammar, step, slots, rng, reading)`, which returns the text."""
    return plugins.load(__name__, grammar["writer"], f"`writer` of the grammar {name}", ("clause", "rewording"))
