"""What the teacher will be asked and what that costs, for the current params, before anything is spent.

    python -m stages.estimate [TASK ...]

What exists is used: labels, rationales and errors of earlier runs, rendered by the real prompts; answers in the
response store; the error rate of the latest round. What does not is assumed, and marked by ~.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from importlib import import_module
from math import ceil

import pandas as pd

from stages import task as tasks
from stages import teacher
from stages.pipeline import params as parameters
from stages.pipeline import table
from stages.pipeline.paths import Paths
from stages.pipeline.stage import run
from stages.teacher import spending
from stages.teacher.asking import rows
from stages.teacher.prompt import Prompt
from stages.teacher.request import Request
from stages.teacher.store import Store

CHARACTERS = 4  # of a token, in English
ERROR_RATE = 0.2  # of validation rows, where no round tells
RATIONALE = "a reason of about so many words"  # stands for one that is not written yet
SECONDS = {"template": 0.0, "openai": 5.0}  # for one answer, where no run tells
SHOWN = 200  # validation rows that are rendered to learn the length of a prompt
HEAD = ["task", "stage", "requests", "stored", "tokens in", "tokens out", "dollars", "to spend", "time"]


@dataclass
class Line:
    """One stage: its requests, those of them in the store, and what they use. None is unknown."""

    task: str
    stage: str
    requests: int
    stored: int
    tokens_in: int
    tokens_out: int | None
    dollars: float | None
    new: float | None  # dollars that are not spent yet
    seconds: float | None
    assumed: bool  # some input is not there yet
    bound: bool  # tokens_out is the most that there can be


class Estimate:
    """The stages of one task. Raises UserError as the stages do."""

    def __init__(self, name: str, params, store: Store | None):
        self.name, self.params, self.store = name, params, store
        self.paths, self.task = Paths(name), tasks.load(name, params)
        self.provider = teacher.provider(params, name)
        self.labels = _or(self.paths.labels, table.read_json) or list(params.one(name).gold.labels.values())
        self.known_labels = self.paths.labels.is_file()

    def lines(self) -> list[Line]:
        written = [self.seed()] + [self.extrapolate(entry.q) for entry in self.params.rounds]
        if self.params.verify.teacher:
            written = [each for line in written for each in (line, self.verify(line))]
        return [self.rationales(), *written]

    def rationales(self) -> Line:
        """Of the first turn: a teacher that repeats itself is asked up to two times more."""
        method = self.params.method
        if not (method.rationales and "rationale" in self.task.variables):
            return self.line("rationales", [], assumed=False)
        prompt = Prompt.of(self.task, self.params, "rationale")
        each = ceil(method.rationales_per_label / method.rationales_per_request)
        slots = {"count": method.rationales_per_request}
        requests = [prompt.request({"label": self.task.word(label), **slots}) for label in self.labels * each]
        return self.line("rationales", requests, assumed=not self.known_labels)

    def seed(self) -> Line:
        params, prompt = self.params, Prompt.of(self.task, self.params, "seed")
        written = _or(self.paths.rationales, table.read)
        if written is None:
            reasons = [RATIONALE] * params.method.rationales_per_label if params.method.rationales else []
            rationales = dict.fromkeys(self.labels, reasons)
        else:
            rationales = written.groupby("label").rationale.apply(list).to_dict()
        each = params.method.rationales_per_prompt
        contexts = _or(self.paths.contexts, table.read)
        if contexts is None:
            contexts = pd.DataFrame([self.filler()])
        count = params.one(self.name).seed_rows
        wanted = self.task.seeds(count, self.labels, rationales, each, params.seed, contexts)
        requests = [prompt.request(self.task.seed_slots(row)) for row in wanted]
        return self.line("seed", requests, assumed=written is None)

    def filler(self) -> dict:
        """A gold row's stand-in, before there are any."""
        targets = {"label": self.labels[0] if self.labels else "label", "answer": "word", "answer_start": 0}
        return dict.fromkeys(self.task.columns, "word " * 50) | {name: targets[name] for name in self.task.targets}

    def extrapolate(self, q: int) -> Line:
        method, mined = self.params.method, _or(self.paths.errors(q), table.read)
        if mined is not None:
            _, requests = import_module(f"stages.addition.{method.add}").plan(self.task, mined, self.params, q)
            return self.line(f"extrapolate {q}", requests, assumed=False)
        if method.mine == "nothing" or method.add == "copies":
            return self.line(f"extrapolate {q}", [], assumed=False)
        gold = _or(self.paths.gold("validation"), table.read)
        settings = self.params.one(self.name).gold
        budget = self.params.gold.budget or settings.budget or 0
        share = 1.0 if self.params.gold.protocol == "paper" else 1 - self.params.gold.selection
        count = len(gold) if gold is not None else round(budget * share)
        examples = [self.filler()] if gold is None else gold.head(SHOWN).to_dict("records")
        examples = [{**row, "predicted": row[self.task.targets[0]]} for row in examples]
        prompt = Prompt.of(self.task, self.params, "extrapolate")
        requests = [prompt.request(self.task.error_slots(row)) for row in examples]
        count = method.mined[q] if method.mined else round(self.rate() * count) * method.extrapolations_per_error
        return self.line(f"extrapolate {q}", requests, count, assumed=True)

    def verify(self, line: Line) -> Line:
        """The blind question about each of the rows that a stage writes."""
        request = Prompt.of(self.task, self.params, "verify").request(self.task.blind_slots(self.filler(), self.labels))
        return self.line(f"verify {line.stage}", [request], line.requests, assumed=True)

    def rate(self) -> float:
        """The share of wrong validation rows in the latest round that was mined."""
        mined = (self.paths.metrics / f"round{entry.q}" / "mine.json" for entry in self.params.rounds[::-1])
        return next((table.read_json(file)["rate"] for file in mined if file.is_file()), ERROR_RATE)

    def line(self, stage: str, requests: list[Request], count: int | None = None, *, assumed: bool) -> Line:
        """What the requests use; where only their `count` is known, they are examples."""
        provider, asked = self.provider, rows(self.provider, requests)
        stored = []
        if self.store and count is None:
            stored = [reply for row in asked if (reply := self.store.get(row.key, row.sample, 0))]
        total = len(requests) if count is None else count
        new = total - len(stored)
        length = sum(
            ceil(len(request.prompt + (self.params.teacher.system or "")) / CHARACTERS) for request in requests
        )
        length_in = length / max(len(requests), 1)
        measured = [reply.tokens_out for reply in stored]
        each_out = sum(measured) / len(measured) if measured else self.written(stage)
        bound = each_out is None and bool(new) and provider.stored
        each_out = self.params.teacher.max_tokens if each_out is None else each_out
        if not provider.stored:  # rules, no tokens
            length_in = each_out = 0
        out = None if new and each_out is None else round(new * (each_out or 0))
        used_in, used_out = sum(reply.tokens_in for reply in stored), sum(measured)
        fresh_in, price = round(new * length_in), provider.price

        def dollars(tokens_in, tokens_out):
            return None if price is None or tokens_out is None else price[0] * tokens_in + price[1] * tokens_out

        spend = dollars(fresh_in, out)
        return Line(
            self.name, stage, total, len(stored), used_in + fresh_in, None if out is None else used_out + out,
            None if spend is None else dollars(used_in, used_out) + spend, spend, self.seconds(stage, new), assumed,
            bound,
        )  # fmt: skip

    def usage(self, stage: str) -> dict:
        """What the stage used in its last run; of a later round's, what an earlier round's did."""
        files = spending.files(self.name, self.params)
        wanted = [file for name, file in files.items() if name.rstrip("0123456789") == stage.split()[0]]
        used = [spending.usage(file) for file in wanted]
        return next((each for each in used[::-1] if each["tokens_out"]), {})

    def written(self, stage: str) -> float | None:
        """Tokens of an answer in the stage's last run."""
        used = self.usage(stage)
        return used["tokens_out"] / (used["calls"] + used["cached"]) if used else None

    def seconds(self, stage: str, new: int) -> float | None:
        """At the pace of the last run, else at SECONDS an answer, and within the limits of params.yaml."""
        settings, used = self.params.teacher, self.usage(stage)
        slowest = new * 60 / settings.requests_per_minute if settings.requests_per_minute else 0.0
        if used.get("calls"):
            return max(new * used["seconds"] / used["calls"], slowest)
        if new and settings.provider not in SECONDS:
            return None
        return max(ceil(new / self.provider.concurrency) * SECONDS.get(settings.provider, 0.0), slowest)


def _or(file, read):
    return read(file) if file.is_file() else None


def total(lines: list[Line]) -> Line:
    """The sum; unknown where any part is."""

    def sums(name):
        values = [getattr(line, name) for line in lines]
        return None if None in values else sum(values)

    numbers = ("requests", "stored", "tokens_in", "tokens_out", "dollars", "new", "seconds")
    marks = {name: any(getattr(line, name) for line in lines) for name in ("assumed", "bound")}
    return Line("total", "", *map(sums, numbers), **marks)


def shown(line: Line) -> list[str]:
    """The cells of a line: ~ before what is assumed, <= before what is a bound."""
    about, most = "~" * line.assumed, "<=" if line.bound else "~" * line.assumed

    def money(value):
        return "unknown" if value is None else f"{most if value else ''}{value:.4f}"

    out = "unknown" if line.tokens_out is None else f"{most}{line.tokens_out:,}"
    time = "unknown" if line.seconds is None else f"~{int(line.seconds // 60)} min {line.seconds % 60:.0f} s"
    counts = [
        f"{about}{line.requests:,}",
        f"{line.stored:,}",
        f"{'~' * (line.requests > line.stored)}{line.tokens_in:,}",
    ]
    return [line.task, line.stage, *counts, out, money(line.dollars), money(line.new), time]


def beside(line: Line, budget) -> str:
    """The budget, and how much of it the estimate is."""
    parts = []
    for kind, used in (("dollars", line.dollars), ("requests", line.requests), ("tokens", _tokens(line))):
        limit = budget and getattr(budget, kind)
        if limit is not None:
            share = "unknown" if used is None else f"{used / limit:.0%}"
            told = f"${limit:g}" if kind == "dollars" else f"{limit:,} {kind}"
            parts.append(f"{told} (the estimate is {share} of it)")
    return f"budget: {', '.join(parts) or 'none'}"


def _tokens(line: Line) -> int | None:
    return None if line.tokens_out is None else line.tokens_in + line.tokens_out


def main(*names: str) -> None:
    """Print the estimate. Raises UserError as the stages do."""
    params = parameters.load()
    lines = []
    names = [name for name in names if name] or params.tasks
    if teacher.provider(params, names[0]).stored:
        with closing(Store()) as store:
            lines = [line for name in names for line in Estimate(name, params, store).lines()]
            store.read.clear()  # looking is no use
    else:
        lines = [line for name in names for line in Estimate(name, params, None).lines()]
    cells = [HEAD, *map(shown, [*lines, total(lines)])]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        words = [cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))]
        print("  ".join(words).rstrip())
    print(f"\n{params.teacher.provider} {params.teacher.model}; {beside(total(lines), params.teacher.budget)}")
    print(f"~ assumed: {CHARACTERS} characters a token; before a round is mined {ERROR_RATE:.0%} errors. <= at most:")
    print("answers of teacher.max_tokens. Answers that cannot be used, and are asked for again, come on top.")


if __name__ == "__main__":
    run(main)
