"""Which settings gold rows pick, and what they are asked about for it."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from synthesis import params
from synthesis.students import base, lesson, tuning
from synthesis.tasks import classification
from tests.test_student import settings

FOLDS = 4
TASK = classification.Task("t", params.Task.model_construct(kind="classification", words={}))


class Recorder:
    """A kind of student that is right about a share of rows, by its learning rate, and records what it is given."""

    ANSWERS = ("label",)

    def __init__(self):
        self.lessons, self.asked = [], []

    def fit(self, taught: base.Lesson):
        self.lessons.append(taught)
        rate = taught.settings.learning_rate

        class Student:
            def predict(_, inputs):
                self.asked.append(inputs)
                right = np.array([int(text.split()[0]) / 1000 < rate for text in inputs])
                truth = np.array([text.endswith("good") for text in inputs])
                return np.eye(2)[np.where(right, truth, ~truth).astype(int)]

        return [Student()]


def table(start: int, count: int) -> pd.DataFrame:
    numbers = range(start, start + count)
    labels = [("bad", "good")[number % 2] for number in numbers]
    texts = [f"{number} is {label}" for number, label in zip(numbers, labels, strict=True)]
    return pd.DataFrame({"id": numbers, "text": texts, "label": labels})


@pytest.fixture
def kind(monkeypatch):
    recorder = Recorder()
    monkeypatch.setattr(lesson, "plugins", SimpleNamespace(load=lambda *_: recorder))
    return recorder


def pick(gold, *rates):
    changes = [{"learning_rate": rate} for rate in rates]
    picked, _ = tuning.best_for_gold(TASK, gold, settings("m", "any"), changes, FOLDS)
    return picked.learning_rate


@pytest.mark.parametrize("same", [False, True])
def test_gold_rows_take_turns(kind, same):
    """Selection rows, too, and each once where they are validation rows as well, as in the protocol of the paper."""
    gold = {"validation": table(0, 200 if same else 80), "selection": table(0, 200) if same else table(80, 40)}
    assert pick(gold, 0.02, 0.019) == 0.02
    rows = set(gold["validation"].text) | set(gold["selection"].text)
    for taught, asked in zip(kind.lessons, kind.asked, strict=True):
        assert not set(taught.learned.inputs) & set(asked), "learned rows are not asked about"
        assert set(taught.learned.inputs) | set(asked) == rows
        assert not taught.selection, "nothing picks a checkpoint"
        assert not taught.watched
    for turn in (kind.asked[::2], kind.asked[1::2]):
        assert sorted(text for part in turn for text in part) == sorted(rows), "each once"


def test_what_is_far_behind_is_not_tried_on_all_rows(kind):
    gold = {"validation": table(0, 900), "selection": table(900, 100)}
    assert pick(gold, 0.9, 0.2) == 0.9
    assert len(kind.lessons) == FOLDS + 1


def test_the_scores_are_of_rows_that_were_not_learned(kind):
    gold = {"validation": table(0, 900), "selection": table(900, 100)}
    _, scores = tuning.best_for_gold(TASK, gold, settings("m", "any", learning_rate=0.3), [], FOLDS)
    assert sorted(scores.index) == list(range(1000))
    assert scores.mean() == 0.3


def test_what_is_the_only_choice_is_picked(kind):
    gold = {"validation": table(0, 80), "selection": table(80, 40)}
    assert pick(gold) == 5e-3
    assert pick(gold, 0.5) == 0.5
    assert len(kind.lessons) == 2 * FOLDS, "what it scores is wanted all the same"


def test_the_first_of_equals_is_picked(kind):
    gold = {"validation": table(0, 80), "selection": table(80, 40)}
    assert pick(gold, 0.8, 0.9) == 0.8
