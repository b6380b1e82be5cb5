"""What the teacher will be asked and what that costs, before anything is spent.

What exists is used: labels, rationales and errors of earlier runs, rendered by the real prompts; answers in the
response store; the length and pace of answers in the last run, and its error rate. The rest is assumed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from math import ceil

import pandas as pd

from synthesis import files
from synthesis.method import additions, seeding
from synthesis.params import EXTRAPOLATED
from synthesis.run import Run
from synthesis.teacher import plans, spending
from synthesis.teacher.exports import REPLY
from synthesis.teacher.loop import rows
from synthesis.teacher.request import Provider, Reply, Request
from synthesis.teacher.store import Store
from synthesis.tuning.lessons import exchanges

CHARACTERS = 4  # of a token, in English
ERROR_RATE = 0.2  # of validation rows, where no round has been mined
EXAMPLES = 200  # validation rows that are rendered to learn the length of a prompt
LABELLED = "annotate", "both"  # values of method.seed by which unlabelled rows are annotated
LABELS = ["label", "other label"]  # stand in for those of a gold file that has not been read
RATIONALE = "a reason of about so many words"  # stands in for one that is not written yet
SECONDS = {"template": 0.0, "openai": 5.0}  # for one answer, where no run has shown it


@dataclass(frozen=True)
class Tokens:
    """Tokens of prompts and of answers; the latter are None when nothing limits them."""

    prompts: int
    answers: int | None

    def __add__(self, other: Tokens) -> Tokens:
        known = self.answers is not None and other.answers is not None
        return Tokens(self.prompts + other.prompts, self.answers + other.answers if known else None)

    def dollars(self, price: tuple[float, float] | None) -> float | None:
        """What they cost. price: of one token of a prompt and of an answer, None when unknown."""
        known = price is not None and self.answers is not None
        return price[0] * self.prompts + price[1] * self.answers if known else None


@dataclass(frozen=True)
class Line:
    """One stage: its requests, those of them that are stored, and what they use and cost. None is unknown.

    to_spend: dollars that are not spent yet. assumed: something that it was made of does not exist yet. bound: the
    tokens of answers are the most that there can be.
    """

    task: str
    stage: str
    requests: int
    stored: int
    tokens: Tokens
    dollars: float | None
    to_spend: float | None
    seconds: float | None
    assumed: bool
    bound: bool


class Estimate:
    """The teacher's stages of one task. Raises UserError as the stages do.

    store: None for a teacher whose answers are not kept. rows: of seed data, in proportion to the task's; none stored.
    uncounted: whether rounds count as none, since nobody knows yet how many gold rows there are to be mined.
    """

    def __init__(self, run: Run, provider: Provider, store: Store | None, rows: int | None = None):
        self.run, self.provider, self.store, self.rows = run, provider, store, rows
        self.uncounted, self.known_labels = False, run.paths.labels.is_file()
        if self.known_labels:
            self.labels = files.read_json(run.paths.labels)
        else:
            self.labels = run.settings.gold.names or (LABELS if run.task.can("labels") else [])
        contexts = _table(run.paths.contexts)
        self.contexts = pd.DataFrame([self.row()]) if contexts is None else contexts

    def lines(self) -> list[Line]:
        """One for each stage, and one for each verification."""
        writing = [*self.seeds(), *(self.extrapolate(entry.q) for entry in self.run.params.rounds)]
        if self.run.params.verify.teacher in ("drop", "relabel"):
            writing = [each for line in writing for each in (line, self.verify(line))]
        tuning = [self.tune()] if self.run.params.teacher.tune else []
        return [*tuning, self.rationales(), *writing]

    # What is asked

    def rationales(self) -> Line:
        """Of the first turn: a teacher that repeats itself is asked up to two times more."""
        if not plans.wants_rationales(self.run):
            return self.line("rationales", [], assumed=False)
        method = self.run.params.method
        each = ceil(method.rationales_per_label / method.rationales_per_request)
        return self.line("rationales", plans.rationales(self.run, self.labels * each), assumed=not self.known_labels)

    def tune(self) -> Line:
        """Tokens that the teacher learns, of prompts and of answers. It asks nobody and costs nothing but time."""
        gold, tuning = _table(self.run.paths.gold("validation")), self.run.params.teacher.tuning
        stand_in = self.row() | {self.run.task.truth: [self.row()[self.run.task.targets[0]]]}
        if self.run.task.can("labels"):
            stand_in = self.row()
        rows = pd.DataFrame([stand_in]) if gold is None else gold
        learned, system = exchanges(self.run, rows, self.labels), self.run.params.teacher.system or ""
        times = tuning.steps * tuning.batch / len(learned)
        prompts = sum(ceil(len(system + each.request.prompt) / CHARACTERS) for each in learned)
        tokens = Tokens(round(times * prompts), round(times * sum(ceil(len(e.answer) / CHARACTERS) for e in learned)))
        log = self.log("tune")
        seconds = tuning.steps * log["seconds"] / log["steps"] if log else None
        name = self.run.task.name
        return Line(name, "tune", 0, 0, tokens, 0.0, 0.0, seconds, assumed=gold is None, bound=False)

    def seeds(self) -> list[Line]:
        """One for the rows that the teacher writes, and one for those that it annotates, if there are such."""
        way, rows = self.run.params.method.seed, self.rows or self.run.settings.seed_rows
        lines = [] if way == "annotate" else [self.seed(rows // 2 if way == "both" else rows)]
        return lines + ([self.annotate(rows - rows // 2 if way == "both" else rows)] if way in LABELLED else [])

    def annotate(self, count: int) -> Line:
        """A question about each unlabelled row; none where the provider sees the probabilities of labels."""
        task = self.run.task.annotator
        if self.labels and hasattr(self.provider, "log_likelihoods"):
            return self.line("seed annotations", [], assumed=False)
        asked = plans.seed_requests if task.annotating == "seed" else partial(plans.verification, labels=self.labels)
        return self.line("seed annotations", asked(replace(self.run, task=task), [self.row()]), count, assumed=True)

    def seed(self, count: int) -> Line:
        transfer, reasons = self.run.params.method.transfer, _table(self.run.paths.rationales)
        if transfer.file and transfer.into == "rounds":
            return self.line("seed", [], assumed=False)
        assumed = reasons is None
        if assumed:
            each = self.run.params.method.rationales_per_label if plans.wants_rationales(self.run) else 0
            written = [(label, RATIONALE) for label in self.labels for _ in range(each)]
            reasons = pd.DataFrame(written, columns=["label", "rationale"])
        run = self.run
        if run.params.method.seed != "prompts":
            run, reasons = seeding.plain(run), reasons.head(0)
        planned = min(count, self.run.settings.seed_rows)  # of more, these are examples
        requests = plans.seed(run, self.labels, reasons, self.contexts, self.examples(), planned).requests
        many = round(len(requests) * count / max(planned, 1)) if self.rows else None
        return self.line("seed", requests, many, assumed=assumed or bool(self.rows))

    def extrapolate(self, q: int) -> Line:
        stage, method, mined = f"extrapolate {q}", self.run.params.method, _table(self.run.paths.errors(q))
        if mined is not None:
            return self.line(stage, additions.plan(self.run, mined, self.contexts, q).requests, assumed=False)
        if method.mine == "nothing" or method.add == "copies":
            return self.line(stage, [], assumed=False)
        gold = _table(self.run.paths.gold("validation"))
        errors = [self.row()] if gold is None else gold.head(EXAMPLES).to_dict("records")
        errors = [{**row, "predicted": self.mistake(row)} for row in errors]
        count = method.mined[q] if method.mined else round(self.error_rate() * self.validation_rows(gold))
        if method.add in EXTRAPOLATED:
            pair = 2 if method.add == "contrasts" else 1
            each = ceil(method.extrapolations_per_error * pair / additions.per_request(method))
            rows = method.additional(q)
            count = count * each if rows is None else ceil(rows / additions.per_request(method))
        return self.line(stage, additions.extrapolation_requests(self.run, errors), count, assumed=True)

    def verify(self, line: Line) -> Line:
        """The blind question about each of the rows that a stage writes."""
        method, each = self.run.params.method, 1  # rows of an answer
        if line.stage == "seed" and method.seed == "prompts":
            each = method.rows_per_request
        if line.stage.startswith("extrapolate") and method.add in EXTRAPOLATED:
            each = additions.per_request(method)
        request = plans.verification(self.run, [self.row()], self.labels)
        return self.line(f"verify {line.stage}", request, line.requests * each, assumed=True)

    def row(self) -> dict:
        """Stands in for a gold row, before there are any."""
        targets = {"label": (self.labels or LABELS)[0], "answer": "word", "answer_start": 0, "target": "word " * 20}
        task = self.run.task
        return dict.fromkeys(task.columns, "word " * 50) | {name: targets[name] for name in task.targets}

    def mistake(self, row: dict):
        """What a student could have answered: another label, if there are any."""
        target = self.run.task.targets[0]
        return next((label for label in self.labels if label != row[target]), row[target])

    def validation_rows(self, gold: pd.DataFrame | None) -> int:
        """How many there are, or will be."""
        if gold is not None:
            return len(gold)
        settings = self.run.params.gold
        share = 1.0 if settings.protocol == "paper" else 1 - settings.selection
        budget = settings.budget or self.run.settings.gold.budget
        self.uncounted = not budget
        return round((budget or 0) * share)

    def examples(self) -> pd.DataFrame:
        """The gold rows that seed prompts may show; before there are any, rows of each label that stand in for them."""
        gold = _table(self.run.paths.gold("validation"))
        if gold is not None and len(gold):
            return gold
        row = self.row() | dict.fromkeys(self.run.task.given, "other " * 50)
        stand_ins = [row | {"label": label} for label in self.labels] or [row]
        return pd.DataFrame(stand_ins * self.run.params.method.examples)

    def error_rate(self) -> float:
        """The share of wrong validation rows in the latest round that was mined."""
        metrics = (self.run.paths.metrics / f"round{entry.q}" / "mine.json" for entry in self.run.params.rounds[::-1])
        return next((files.read_json(file)["rate"] for file in metrics if file.is_file()), ERROR_RATE)

    # What it uses

    def line(self, stage: str, requests: list[Request], count: int | None = None, *, assumed: bool) -> Line:
        """What the requests of a stage use. Where only their `count` is known, they are examples."""
        total = len(requests) if count is None else count
        stored = self.stored(requests) if count is None else []
        new = total - len(stored)
        spent = sum(stored, Tokens(0, 0))
        each, measured = self.answer_tokens(stage, stored)
        answers = None if new and each is None else round(new * (each or 0))
        needed = Tokens(round(new * self.prompt_tokens(requests)), answers)
        price = self.provider.price
        return Line(
            self.run.task.name,
            stage,
            total,
            len(stored),
            spent + needed,
            dollars=(spent + needed).dollars(price),
            to_spend=needed.dollars(price),
            seconds=self.seconds(stage, new),
            assumed=assumed,
            bound=bool(new) and not measured,
        )

    def stored(self, requests: list[Request]) -> list[Tokens]:
        """What those requests used that the response store answers."""
        if not self.store:
            return []
        answers = ((row, self.store.entry(row.key, row.sample, 0)) for row in rows(self.provider, requests))
        return [
            Tokens(*Reply(**{name: entry[name] for name in REPLY}).tokens(row.size)) for row, entry in answers if entry
        ]

    def prompt_tokens(self, requests: list[Request]) -> float:
        """Tokens of a prompt, the mean over the requests. Rules read none."""
        if not requests or not self.provider.stored:
            return 0
        system = self.run.params.teacher.system or ""
        return sum(ceil(len(system + request.prompt) / CHARACTERS) for request in requests) / len(requests)

    def answer_tokens(self, stage: str, stored: list[Tokens]) -> tuple[float | None, bool]:
        """Tokens of an answer, and whether they were measured, on the stored ones or in the stage's last run.

        Otherwise they are the most that there can be; None when there is no limit. Rules write none.
        """
        if not self.provider.stored:
            return 0, True
        if stored:
            return sum(used.answers for used in stored) / len(stored), True
        metrics = spending.files(self.run.task.name, self.run.params)
        for usage in (spending.usage(metrics[name]) for name in self.runs(stage)):
            if usage["tokens_out"]:
                return usage["tokens_out"] / usage["calls"], True
        return self.run.params.teacher.max_tokens, False

    def seconds(self, stage: str, new: int) -> float | None:
        """At the pace of the stage's last run, else at SECONDS an answer, and within the limits of params.yaml."""
        provider, limit = self.run.params.teacher.provider, self.run.params.asking.requests_per_minute
        slowest = new * 60 / limit if limit else 0.0
        for name in self.runs(stage):
            log = self.log(name)
            if log and log["asked"]:
                return max(new * log["seconds"] / log["asked"], slowest)
        if new and provider not in SECONDS:
            return None
        return max(ceil(new / self.provider.concurrency) * SECONDS.get(provider, 0.0), slowest)

    def log(self, name: str) -> dict | None:
        """What the last run of a stage has noted of its pace; None where it has not run here."""
        file = self.run.paths.logs / f"{name}.json"
        return files.read_json(file) if file.is_file() else None

    def runs(self, stage: str) -> list[str]:
        """The names under which a stage is booked: the one, or that of each round, the latest first."""
        names = spending.files(self.run.task.name, self.run.params)
        return [name for name in names if name.rstrip("0123456789") == stage.split()[0]][::-1]


def _table(file) -> pd.DataFrame | None:
    """An earlier stage's table, None when it has not run."""
    return files.read(file) if file.is_file() else None


def total(lines: list[Line]) -> Line:
    """The sum; unknown where any part is."""

    def add(values: list) -> float | None:
        return None if None in values else sum(values)

    return Line(
        "total",
        "",
        sum(line.requests for line in lines),
        sum(line.stored for line in lines),
        sum((line.tokens for line in lines), Tokens(0, 0)),
        dollars=add([line.dollars for line in lines]),
        to_spend=add([line.to_spend for line in lines]),
        seconds=add([line.seconds for line in lines]),
        assumed=any(line.assumed for line in lines),
        bound=any(line.bound for line in lines),
    )
