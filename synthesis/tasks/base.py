"""The contract of a kind of task: what is read and written, how answers are checked, how a student is scored.

A kind is a module of this folder with a class `Task` that fills in this one. The rest of the library knows a task only
by what stands here. What only some kinds can do is a capability, asked for by its name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import pandas as pd

from synthesis import UserError
from synthesis.params import Method
from synthesis.params import Task as Settings
from synthesis.tasks.checks import folded, merged

CAPABILITIES = {
    "labels": "labels",  # one target, `label`, out of a set that is known beforehand
    "rationales": "rationales",  # its seed prompt can name reasons for a label
    "pairs": "questions with answers out of a text",
    "texts": "a student that writes texts",
    "writes": "columns to choose from",  # task.<name>.writes says which of them the teacher writes
}


ClassNames = Callable[[str], list[str]]  # of a column, the names that its file has for the labels 0, 1, ...


def unnamed(column: str) -> list[str]:
    """The ClassNames of a file that has none."""
    return []


@dataclass(frozen=True)
class Material:
    """What seed rows are planned from.

    rationales: by label. contexts: what `Task.contexts` returned. each: how many rationales a prompt names.
    phrases: of a text the phrases that can be an answer, as a parser finds them.
    """

    labels: list[str]
    rationales: dict[str, list[str]] = field(default_factory=dict)
    contexts: pd.DataFrame = field(default_factory=pd.DataFrame)
    each: int = 0
    seed: int | str = 0
    phrases: Callable[[str], list] | None = None


class Task(ABC):
    """One task of params.yaml."""

    capabilities: ClassVar[frozenset[str]] = frozenset()
    columns: tuple[str, ...]  # what the student reads; rows that agree in it are the same row
    targets: ClassVar[tuple[str, ...]]  # what the student learns to answer
    written: str  # the column or target that the teacher writes; the other columns are given to it
    min_words: int | None = None  # of an answer of the teacher, where it is not teacher.min_words
    optional: ClassVar[tuple[str, ...]] = ()  # columns and targets that a gold file may lack
    group: str  # the column of which no value stands in two splits: see `groups`
    annotating: ClassVar[str] = "verify"  # the prompt by which the teacher annotates unlabelled rows
    stratum: ClassVar[str]  # what gold rows are stratified and errors are counted by: see `strata`
    truth: ClassVar[str]  # the column of predictions, and of gold rows with several right answers, that holds these
    metric: str  # the score that decides
    paired_test: str  # the function of measures/paired.py that compares two students by this metric
    answer: ClassVar[str]  # what a student answers with: a `label`, a `span` of the context, or a `text`
    students: ClassVar[dict[str, str]]  # by student.kind: the module of synthesis/students that learns this kind
    left_out: ClassVar[str]  # what gold rows are called that `check_gold` leaves out because params.yaml says so
    category: ClassVar[str]  # as the Hugging Face hub calls such tasks
    variables: dict[str, set[str]]  # what each prompt may show
    required: dict[str, set[str]]  # and what it must show

    def __init__(self, name: str, settings: Settings):
        self.name, self.settings = name, settings

    @property
    def kind(self) -> str:
        return self.settings.kind

    @cached_property
    def writes(self) -> tuple[str, ...]:
        """All columns and targets that the teacher writes in one answer, `written` first."""
        return (self.written,)

    @property
    def given(self) -> list[str]:
        """The columns that the teacher is given; where it writes these all, the targets that it is given."""
        return [column for column in self.columns if column != self.written]

    @property
    def others(self) -> list[str]:
        """All columns and targets but those that the teacher writes."""
        return [field for field in self.fields if field not in self.writes]

    @property
    def fields(self) -> list[str]:
        """All columns and targets, in their order."""
        return [*self.columns, *self.targets]

    @property
    def pooled(self) -> tuple[str, ...]:
        """The columns that an unlabelled row has."""
        return self.columns

    @property
    def annotator(self) -> Task:
        """This task where unlabelled rows are annotated: what the teacher is given and writes may then be others."""
        return self

    def can(self, capability: str) -> bool:
        """Whether this kind of task has the capability, which is one of CAPABILITIES."""
        return capability in self.capabilities

    def require(self, capability: str, key: str, way_out: str) -> None:
        """Raise UserError when the parameter `key` needs a capability that this kind has not."""
        if not self.can(capability):
            raise UserError(
                f"{key} needs {CAPABILITIES[capability]}, and task `{self.name}`, of kind {self.kind}, has none: "
                f"{way_out}"
            )

    def word(self, label: str) -> str:
        """What the prompts call a label: <Y> in Table 1 of the paper."""
        return self.settings.words.get(label, label)

    def fingerprints(self, rows: pd.DataFrame, whole: bool = False) -> pd.Series:
        """A text for each row, equal for rows that are the same to the student but for case and white space.

        whole: that also agree in what the teacher writes, if that is a target.
        """
        names = dict.fromkeys([*self.columns, *(self.writes if whole else ())])
        columns = [(" ".join(text.lower().split()) for text in rows[column]) for column in names]
        return pd.Series(map("\n".join, zip(*columns, strict=True)), index=rows.index, dtype=object)

    # Gold rows

    @abstractmethod
    def check_gold(
        self, rows: pd.DataFrame, file: str, known: list[str] | None, class_names: ClassNames = unnamed
    ) -> pd.DataFrame:
        """The rows of a gold file, under this repository's names, ready to be learned.

        known: the labels of the file that was read before; None for the first file. Its columns are texts already;
        targets are as the file has them. Raises UserError that names the file and the row.
        """

    def new_labels(self, rows: pd.DataFrame, file: str, class_names: ClassNames = unnamed) -> dict[str, str | None]:
        """What `gold.labels` of a new task should say about its gold file; nothing where labels have names, or there
        are none.

        Raises UserError for targets that `check_gold` refuses whatever params.yaml says.
        """
        self.check_gold(rows, file, None)
        return {}

    def corrected(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows whose first target people have corrected, without what the prediction has left of the others."""
        return rows

    def new_settings(self, rows: pd.DataFrame) -> dict:
        """What a new task's section of params.yaml says beside that, of what only its kind has."""
        return {}

    def settle(self, rows: pd.DataFrame, file: str) -> tuple[pd.DataFrame, dict[str, int]]:
        """Gold rows of which no two are the same to the student, and how many went for which reason.

        Without labels rows that are the same are merged: the first one's target is learned, and all are right. Raises
        UserError when labels contradict each other, unless params.yaml says what is to become of them.
        """
        return merged(rows, self.fingerprints(rows), self.truth)

    def remarks(self, rows: pd.DataFrame) -> dict[str, int]:
        """How many gold rows there is something odd about that is no reason to leave them out; by what it is."""
        return {}

    def labels(self, rows: pd.DataFrame) -> list[str]:
        """The names of the labels, sorted; none for a kind without labels."""
        return []

    @abstractmethod
    def strata(self, rows: pd.DataFrame) -> pd.Series:
        """The stratum of each row."""

    def groups(self, rows: pd.DataFrame) -> pd.Series:
        """The group of each row, whatever its case and white space: rows of one stay on one side of every split."""
        return folded(rows[self.group])

    @abstractmethod
    def contexts(self, rows: pd.DataFrame) -> pd.DataFrame:
        """What seed rows are written from, taken from gold rows that the method may see; perhaps nothing."""

    # What the teacher is asked and what it answers

    @abstractmethod
    def seed_rows(self, count: int, material: Material) -> Iterator[dict]:
        """The given part of `count` seed rows. Row i does not depend on `count`: more rows ask only for more."""

    @abstractmethod
    def seed_slots(self, row: dict) -> dict:
        """What a seed prompt shows."""

    @abstractmethod
    def error_slots(self, error: dict) -> dict:
        """What an extrapolation prompt shows of a gold row that the student got wrong (Alg. 2, line 9)."""

    @abstractmethod
    def blind_slots(self, row: dict, labels: list[str]) -> dict:
        """What a verification prompt shows: the row without its targets."""

    def example(self, row: dict) -> str | dict:
        """What a seed prompt shows of a gold row among its `examples`."""
        return row[self.written]

    def words(self, labels: list[str]) -> list[str]:
        """What a verification prompt can be answered with, one for each label; none for a kind without labels."""
        return [self.word(label) for label in labels]

    @abstractmethod
    def verdicts(self, row: dict) -> list[str]:
        """All right answers to a verification prompt about a gold row."""

    def texts(self, row: dict) -> list[str]:
        """All that a teacher might have answered to have a gold row made of it: `complete` makes it again."""
        return [row[self.written]]

    @abstractmethod
    def judge(self, answer: str, row: dict, labels: list[str]) -> dict | None:
        """The targets that a blind answer gives to the row; None when it cannot be read, or is another answer."""

    @abstractmethod
    def check(self, text: str, request) -> tuple[str, str | None]:
        """The teacher's text, and the reason why it cannot be used, or None."""

    @abstractmethod
    def complete(self, row: dict, text: str) -> dict:
        """The columns and targets of a synthetic row: what was given and what the teacher wrote."""

    # What the student is asked and what it answers

    @abstractmethod
    def inputs(self, rows: pd.DataFrame) -> list:
        """What the student reads of each row: a text, or a pair of texts."""

    @abstractmethod
    def goals(self, rows: pd.DataFrame) -> list:
        """What the student should answer to each row."""

    @abstractmethod
    def predictions(self, rows: pd.DataFrame, answers, labels: list[str]) -> pd.DataFrame:
        """What the student answered to gold rows, as a table: id, the truth, predicted, and how sure it was."""

    @abstractmethod
    def scores(self, predictions: pd.DataFrame) -> pd.DataFrame:
        """One number a row and metric, whose mean over rows is the metric; the first column is `metric`."""

    def corpus_scores(self, predictions: pd.DataFrame) -> dict[str, dict]:
        """Scores of one student's texts taken together, which are no means over rows; none for most kinds.

        By metric: score, low and high (95%), in [0, 1], and whatever else must be told of it.
        """
        return {}

    def losses(self, predictions: pd.DataFrame) -> pd.Series:
        """How far off each prediction is, (rows,): by the metric, where a kind has nothing finer."""
        return 1 - self.scores(predictions)[self.metric]

    @abstractmethod
    def wrong(self, predictions: pd.DataFrame, method: Method) -> pd.Series:
        """Which predictions are errors, (rows,)."""

    @abstractmethod
    def details(self, predictions: pd.DataFrame) -> pd.DataFrame:
        """What is kept of each prediction beside a mined row: id, predicted, and how sure the student was."""

    @abstractmethod
    def examples(self, rows: pd.DataFrame) -> pd.DataFrame:
        """What is audited for leaks: id, group, label, the text that the teacher wrote, and further cues of this kind.

        `group` is the same for examples that hang together.
        """

    @abstractmethod
    def confidence(self, predictions: pd.DataFrame) -> pd.Series:
        """How sure the student was of each answer, between 0 and 1."""

    @abstractmethod
    def mistakes(self, predictions: pd.DataFrame) -> pd.Series:
        """What kind of mistake each wrong answer is, in words."""
