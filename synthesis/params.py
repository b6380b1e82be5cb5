"""params.yaml and its checks. All errors are reported at once, by key."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from synthesis import UserError

FILE = Path("params.yaml")
EXTRAPOLATED = (
    "extrapolations",
    "contrasts",
)  # values of method.add for which the teacher is shown the mined rows themselves
Name = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_]*$")


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), defer_build=True)


class Round(Section):
    q: int = Field(ge=0)
    next: int


class GoldSource(Section):
    """Where a task's gold rows come from and how its columns and labels are called there."""

    source: str
    test: str | None
    columns: dict[str, str]
    labels: dict[str, str | None]
    budget: int | None = Field(ge=1)
    test_rows: int | None = Field(ge=1)
    overlap: Literal["error", "drop"]
    conflicts: Literal["error", "drop"] = "error"
    unanswerable: Literal["error", "drop"] = "error"

    @property
    def names(self) -> list[str]:
        """The names of the labels that `labels` gives, each once."""
        return [name for name in dict.fromkeys(self.labels.values()) if name is not None]


class Card(Section):
    """What the cards of rows and student say and nothing else can know."""

    language: str | None = None
    license: str | None = None
    gold_license: str | None = None
    student_license: str | None = None


class Corpus(Section):
    """Texts that pairs of question and answer are made of, without a teacher."""

    source: str
    column: str = "text"
    pairs: int | None = Field(default=None, ge=1)
    processes: int | None = Field(default=None, ge=1)


class Harm(Section):
    """Files of tests of language, which a student that writes takes before and after training."""

    lambada: str | None = None
    hellaswag: str | None = None
    storycloze: str | None = None
    limit: int | None = Field(default=None, ge=2)

    @property
    def tests(self) -> dict[str, str]:
        """By test its file, of those that there are."""
        return self.model_dump(exclude={"limit"}, exclude_none=True)

    @model_validator(mode="after")
    def names_a_test(self):
        if not self.tests:
            raise ValueError("name the file of at least one test (lambada, hellaswag, storycloze), or leave it empty")
        return self


class Task(Section):
    kind: str
    gold: GoldSource
    seed_rows: int = Field(ge=1)
    templates: str | None
    words: dict[str, str] = {}
    answers: Literal["gold", "extracted"] | None = None
    corpus: Corpus | None = None
    harm: Harm | None = None
    writes: Literal["target", "source", "both"] | None = None
    metric: Literal["chrf", "bleu", "rouge_l", "exact_match", "f1"] | None = None
    student: dict = {}
    card: Card = Card()
    pool: str | None = None


class Gold(Section):
    protocol: Literal["honest", "paper"]
    selection: float = Field(gt=0, lt=1)
    budget: int | None = Field(ge=1)


class Transfer(Section):
    """Seed data of another teacher or project."""

    file: str | None
    into: Literal["rounds", "final"]
    where: str | None = None


class Replay(Section):
    """General text that a student that writes learns beside its rows, so that it does not forget its language."""

    file: str
    column: str = "text"
    share: float = Field(gt=0, lt=1)


class Method(Section):
    """S3, or one of the methods that it is compared with: what is mined, what is made of it, what is learned."""

    seed: Literal["prompts", "generate", "annotate", "both"] = "prompts"
    rationales: bool
    rationales_per_label: int = Field(ge=1)
    rationales_per_request: int = Field(ge=1)
    rationales_per_prompt: int = Field(ge=1)
    examples: int = Field(default=0, ge=0)
    mine: Literal["errors", "gold", "loss", "clusters", "helpful", "nothing"]
    mined: list[Annotated[int, Field(ge=0)]] | None
    influence: bool
    add: Literal["extrapolations", "contrasts", "feedback", "copies"]
    extrapolations_per_error: int = Field(ge=1)
    additional_rows: Annotated[int, Field(ge=1)] | list[Annotated[int, Field(ge=0)]] | None = None
    rows_per_request: int = Field(default=1, ge=1)
    replacements: float = Field(ge=0)
    min_gain: float | None
    score_below: float | None = Field(gt=0, le=1)
    label: Literal["teacher", "agree", "soft"] = "teacher"
    weight: Literal["dimp", "mmd"] | None = None
    learn: Literal["best", "synthetic", "gold", "gold-repeated", "both", "balanced", "mix", "shuffled"]
    ratio: float = Field(default=0.5, ge=0, le=1)
    on_top: bool = False
    replay: Replay | None = None
    folds: int = Field(ge=2)
    tune: list[dict] | None
    transfer: Transfer

    @model_validator(mode="after")
    def fits_together(self):
        if self.rationales_per_prompt > self.rationales_per_label:
            raise ValueError("rationales_per_prompt must not exceed rationales_per_label")
        if (self.mine == "helpful") != (self.add == "feedback"):
            raise ValueError("mine: helpful and add: feedback belong together, one is nothing without the other")
        if self.mine == "helpful" and not self.influence:
            raise ValueError("mine: helpful needs influence: true, which measures what helped")
        if self.additional_rows is not None and self.add not in EXTRAPOLATED:
            raise ValueError(f"additional_rows is shared over rows that are extrapolated, and add is {self.add}")
        if self.label == "soft" and self.weight == "dimp":
            raise ValueError(
                "weight: dimp weighs the labels of the teacher, and label: soft puts others in their place"
            )
        if self.replay and self.learn in ("best", "gold"):
            raise ValueError(
                f"replay is not learned by the student of the gold baseline, which may ship with learn: {self.learn}: "
                "set learn: mix, with ratio: 0 for gold rows alone"
            )
        return self

    def additional(self, q: int) -> int | None:
        """How many rows round q shall bring, where that is given."""
        return self.additional_rows[q] if isinstance(self.additional_rows, list) else self.additional_rows


class Filters(Section):
    """What keeps a synthetic row out of the training data: see synthesis/filters."""

    script: bool
    question: bool
    lead_in: bool
    length: float | None = Field(ge=1)
    parent: float | None = Field(gt=0, le=1)
    duplicate: bool
    near_duplicate: float | None = Field(ge=0.6, le=1)


class Verify(Section):
    """Whose word decides whether a row is of the label that the teacher was asked for."""

    teacher: Literal["drop", "relabel", "likelihood"] | None
    student: Literal["drop"] | None
    confidence: float = Field(gt=0, lt=1)


class Template(Section):
    """The template teacher."""

    parser: Literal["pattern", "spacy"]


class Budget(Section):
    """What the answers of the whole pipeline may cost, stored ones included. Empty fields set no limit."""

    requests: int | None = Field(default=None, ge=1)
    tokens: int | None = Field(default=None, ge=1)
    dollars: float | None = Field(default=None, gt=0)


class Tuning(Section):
    """How a local teacher is fine-tuned on gold rows."""

    steps: int = Field(default=60, ge=1)
    batch: int = Field(default=8, ge=1)
    learning_rate: float = Field(default=5.0e-5, gt=0)
    max_tokens: int = Field(default=512, ge=8)
    lora: int | None = Field(default=None, ge=0)


class Teacher(Section):
    """Who answers and how: all of it can change an answer."""

    provider: str = Field(pattern=r"^[a-z][a-z_-]*$")
    model: str
    system: str | None
    temperature: float | None = Field(ge=0)
    top_p: float | None = Field(gt=0, le=1)
    max_tokens: int | None = Field(ge=1)
    stop: list[Annotated[str, Field(min_length=1)]] = []
    extra: dict
    attempts: int = Field(ge=1)
    min_words: int = Field(default=2, ge=0)
    tune: Literal["gold"] | None = None
    tuning: Tuning = Tuning()

    @model_validator(mode="after")
    def can_be_tuned(self):
        if self.tune and self.provider != "transformers":
            raise ValueError(
                f"tune: {self.tune} fine-tunes a model on this machine (provider: transformers), and the provider is "
                f"{self.provider}: leave tune empty; `synthesis tune --export` writes the rows for an endpoint"
            )
        return self

    @field_validator("extra")
    @classmethod
    def extra_adds(cls, extra):
        if taken := extra.keys() & {"model", "messages", "n", "stream"}:
            raise ValueError(f"`{min(taken)}` cannot stand here: each request asks one model for one whole answer")
        return extra


class Engine(Section):
    """Who asks: this process, or tasks of a Ray cluster."""

    kind: Literal["local", "ray"] = "local"
    address: str | None = None
    shards: int = Field(default=4, ge=1)


class Asking(Section):
    """How the teacher is asked, and when a stage stops: none of it changes an answer."""

    base_url: str | None
    concurrency: int = Field(ge=1)
    timeout: float = Field(gt=0)
    requests_per_minute: int | None = Field(default=None, ge=1)
    tokens_per_minute: int | None = Field(default=None, ge=1)
    budget: Budget | None = None
    max_rejected: float | None = Field(default=0.5, gt=0, le=1)
    launcher: str | None = None
    engine: Engine = Engine()

    @field_validator("launcher")
    @classmethod
    def launcher_names_both_files(cls, launcher):
        words = shlex.split(launcher or "")  # "No closing quotation" is a ValueError
        for place in ("{requests}", "{answers}") if words else ():
            if not any(place in word for word in words):
                raise ValueError(f"the command must have {place} where it shall be told that file")
        return launcher


class Student(Section):
    kind: str
    model: str
    max_tokens: int = Field(ge=8)
    seeds: int = Field(ge=1)
    steps: int = Field(ge=1)
    min_epochs: int = Field(ge=0)
    batch: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    warmup: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    max_new_tokens: int = Field(default=64, ge=1)
    beams: int = Field(default=1, ge=1)
    lora: int | None = Field(default=None, ge=1)

    @model_validator(mode="before")
    @classmethod
    def steps_not_epochs(cls, content):
        if isinstance(content, dict) and "epochs" in content:
            raise ValueError("`epochs` is no longer a parameter: set `steps`, as many for any number of rows, instead")
        return content

    def changed(self, changes: dict) -> Student:
        """These settings with others in their place. Raises ValidationError."""
        return Student.model_validate({**self.model_dump(), **changes})


class Baseline(Section):
    """The student that learns gold rows alone."""

    tune: list[dict] | None
    shares: list[Annotated[float, Field(gt=0, lt=1)]] = Field(min_length=1)
    draws: int = Field(ge=1)


class Coverage(Section):
    sample: int = Field(ge=4)


class Params(Section):
    tasks: list[str] = Field(min_length=1)
    rounds: list[Round] = Field(min_length=1)
    prompts: str = Name
    seed: int = Field(ge=0)
    task: dict[str, Task]
    gold: Gold
    method: Method
    filters: Filters
    verify: Verify
    teacher: Teacher
    asking: Asking
    template: Template
    student: Student
    baseline: Baseline
    coverage: Coverage

    @model_validator(mode="before")
    @classmethod
    def former_places(cls, content):
        """What `asking` holds stood under `teacher` once, and is still read there, where it wins."""
        if isinstance(content, dict) and isinstance(teacher := content.get("teacher"), dict):
            moved = teacher.keys() & Asking.model_fields.keys()
            asking = (content.get("asking") or {}) | {key: teacher[key] for key in moved}
            rest = {key: value for key, value in teacher.items() if key not in moved}
            content = content | {"teacher": rest, "asking": asking}
        return content

    @field_validator("rounds")
    @classmethod
    def rounds_follow(cls, rounds):
        for place, entry in enumerate(rounds):
            if (entry.q, entry.next) != (place, place + 1):
                raise ValueError(f"entry {place} must be {{q: {place}, next: {place + 1}}}: rounds count up from 0")
        return rounds

    @model_validator(mode="after")
    def every_round_has_its_count(self):
        for key in ("mined", "additional_rows"):
            counts = getattr(self.method, key)
            if isinstance(counts, list) and len(counts) < len(self.rounds):
                raise ValueError(f"method.{key} has {len(counts)} counts for {len(self.rounds)} rounds")
        return self

    @model_validator(mode="after")
    def best_can_be_judged(self):
        if self.method.learn == "best" and self.gold.protocol == "paper" and sees_validation(self):
            raise ValueError(
                "method.learn: best has no gold row to judge by, as the teacher sees them all, or labels or weights of "
                "its rows come from them: set gold.protocol: honest; or method.examples: 0, method.label: teacher, no "
                "method.add: feedback, no method.weight and no teacher.tune; or what is learned"
            )
        return self

    @model_validator(mode="after")
    def generating_is_tuned_for(self):
        if self.method.seed in ("generate", "both") and not self.teacher.tune:
            raise ValueError(
                f"method.seed: {self.method.seed} asks a teacher that was tuned on gold rows: set teacher.tune: gold, "
                "or method.seed: prompts or annotate"
            )
        return self

    @model_validator(mode="after")
    def settings_can_be_changed(self):
        changes = {f"task.{name}.student": task.student for name, task in self.task.items()}
        for key, tune in {"method.tune": self.method.tune, "baseline.tune": self.baseline.tune}.items():
            changes |= {f"{key} entry {place}": each for place, each in enumerate(tune or [])}
        for key, each in changes.items():
            try:
                self.student.changed(each)
            except ValidationError as error:
                raise ValueError(f"{key}: {messages(error)}") from None
        return self

    @model_validator(mode="after")
    def tasks_exist(self):
        for name in self.tasks:
            if name not in self.task:
                raise ValueError(f"tasks names `{name}`, which is not under `task:` (there: {', '.join(self.task)})")
        return self

    def one(self, name: str) -> Task:
        """The task called `name`. Raises UserError when there is none."""
        if name not in self.task:
            raise UserError(f"params.yaml has no task `{name}` (there: {', '.join(self.task)})")
        return self.task[name]


def sees_validation(params: Params) -> bool:
    """Whether rows owe more to validation rows than to their own parent or context.

    The teacher was shown others, or what helped with them, or has been tuned on them; or they decided what rows are
    labelled, whether they stay or how much they count. Which rows were mined is none of that: what was made of a row is
    left out where that row is asked about. Selection rows have picked a tuned teacher's checkpoint, one of a few, and
    taught it nothing.
    """
    method = params.method
    shown = method.examples > 0 or method.add == "feedback" or params.teacher.tune is not None
    return shown or method.label != "teacher" or method.weight is not None


def load(file: Path = FILE) -> Params:
    """Read and check params.yaml. Raises one UserError that lists every key that is wrong."""
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)
    except FileNotFoundError:
        raise UserError(f"{file} is missing here: run this from the repository's root") from None
    except yaml.YAMLError as error:
        raise UserError(f"{file} is not YAML: {' '.join(str(error).split())}") from None
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{file}: {messages(error)}") from None


def messages(error: ValidationError) -> str:
    """Every error of a check, by key, in one line."""
    return "; ".join(map(_message, error.errors()))


def _message(error: dict) -> str:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return f"{key} is missing"
    if error["type"] == "extra_forbidden":
        return f"{key} is not a parameter (a misspelt name?)"
    if error["type"] == "string_type" and error["input"] is not None:
        return f"{key} is {error['input']!r}, which YAML does not read as a string: write it in quotes"
    message = error["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    return f"{key}: {message}" if key else message
