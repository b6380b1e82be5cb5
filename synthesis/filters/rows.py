"""A table as the filters compare it: each view of its texts is made once, when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

import numpy as np
import pandas as pd

from synthesis.filters import grams
from synthesis.tasks.base import Task
from synthesis.tasks.cells import listed
from synthesis.tasks.words import normalised


class Rows:
    def __init__(self, table: pd.DataFrame, task: Task):
        self.table, self.task = table, task
        self.ids = table["id"].tolist()
        self.reasons = table["rejected"].tolist() if "rejected" in table else [""] * len(table)
        self.twins = [""] * len(table)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def left(self) -> Iterator[int]:
        """The places of the rows that nothing has left out."""
        return (place for place, reason in enumerate(self.reasons) if not reason)

    def leave_out(self, found: Iterable[tuple[int, str, str]]) -> None:
        for place, reason, twin in list(found):
            self.reasons[place], self.twins[place] = reason, twin

    @cached_property
    def versions(self) -> Rows:
        """These rows; where the teacher writes what has several right answers, a row for each of them."""
        answers = self.table.get(self.task.truth)
        if self.task.written not in self.task.targets or answers is None:
            return self
        written = {self.task.written: answers.map(listed)}
        return Rows(self.table.assign(**written).explode(self.task.written, ignore_index=True), self.task)

    @cached_property
    def prints(self) -> list[str]:
        """Of a row's columns and of what the teacher wrote, without case and white space."""
        return self.task.fingerprints(self.table, whole=True).tolist()

    @cached_property
    def inputs(self) -> list[str]:
        """Of a row's columns, without case and white space."""
        return self.task.fingerprints(self.table).tolist()

    @cached_property
    def texts(self) -> list[str]:
        """What the teacher wrote, as words set apart by one space, without case and punctuation."""
        return [normalised(text) for text in self.table[self.task.written]]

    @cached_property
    def words(self) -> tuple[np.ndarray, np.ndarray]:
        """A number for each word of all texts, one text after another, and how many words each text has."""
        return grams.words(self.texts)

    @cached_property
    def bands(self) -> np.ndarray:
        """(rows, BANDS): texts that agree in one of these may be nearly the same."""
        return grams.bands(self.texts)

    def scope(self, columns: list[str]) -> np.ndarray:
        """A number for each row, the same for rows that agree in these columns."""
        if not columns:
            return np.zeros(len(self), np.uint64)
        return pd.util.hash_pandas_object(self.table[columns].astype(str), index=False).to_numpy()
