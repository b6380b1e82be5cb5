"""Better loops than S3's own: what each value of method.* does, on teachers and gold rows with planted faults."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from synthesis import UserError
from synthesis import files as table
from synthesis.additions import turns
from synthesis.mining import Findings, mine
from synthesis.params import Task as Settings
from synthesis.students.cross_fit import GoldProbe
from synthesis.tasks import classification, span_qa
from tests import planted
from tests.planted import LABELS

TASK = classification.Task("t", Settings.model_construct(kind="classification", words={}))


@pytest.fixture
def words(tmp_path, monkeypatch):
    """Prompts and an empty folder of data; probes read bags of words."""
    (tmp_path / "prompts").symlink_to(Path("prompts").resolve())
    (tmp_path / "params.yaml").symlink_to(Path("params.yaml").resolve())
    monkeypatch.chdir(tmp_path)
    planted.use_words(monkeypatch)


def read(repository, name: str) -> pd.DataFrame:
    return table.read(repository.folder / "data/reviews" / name)


def metric(repository, name: str) -> dict:
    return json.loads((repository.folder / "metrics/reviews" / name).read_text())


# So many additional rows


@hypothesis(derandomize=True, deadline=None)
@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=20), st.integers(0, 60), st.integers(0, 60))
def test_turns_are_shared_out_evenly_and_more_begin_with_the_same(shares, count, more):
    order = turns(shares, count + more)
    assert order[:count] == turns(shares, count)
    for place, share in enumerate(shares):  # Sainte-Laguë: each has about its part, and one of all turns
        assert order.count(place) <= share / min(shares) * (min(map(order.count, range(len(shares)))) + 1) + 1
    even = turns([1.0] * len(shares), count)
    assert even == [turn % len(shares) for turn in range(count)]


def test_no_mined_row_has_no_turn():
    assert turns([], 5) == []


def test_additional_rows_are_shared_over_the_errors_and_more_ask_only_for_more(repository):
    mined = read(repository, "round0/errors.parquet")
    written = {}
    for count in (len(mined) + 3, 2 * len(mined) + 1):
        repository.set({"method.additional_rows": count})
        repository.stage("extrapolate", "reviews", "0")
        told = metric(repository, "round0/extrapolate.json")
        written[count] = read(repository, "round1/additional.parquet")
        assert told["wanted"] == count == told["accepted"]
        first = written[count].head(count)
        assert first.parent.tolist() == [mined.id[place % len(mined)] for place in range(count)]
        assert not written[count].duplicated(["request", "sample"]).any()
    few, many = (rows.head(len(mined) + 3)[["request", "sample", "text"]] for rows in written.values())
    assert few.equals(many)


# Rows by the student's loss


def predictions(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Of a student that is mostly right about the truth, and knows nothing of labels that differ from it."""
    sure = np.clip(np.random.default_rng(seed).normal(0.75, 0.2, len(rows)), 0.01, 0.99)
    positive = np.where(rows.truth == "positive", sure, 1 - sure)
    return TASK.predictions(rows, np.column_stack([1 - positive, positive]), list(LABELS))


def found(rows: pd.DataFrame, seed: int = 0, **more) -> Findings:
    gold = rows[["id", "text", "label"]]
    return Findings(0, predictions(rows, seed), gold, gold.head(0), pd.DataFrame(), list(LABELS), **more)


@pytest.mark.parametrize("seed", range(2))
def test_rows_of_high_loss_are_mined_and_mislabelled_ones_are_not(words, seed):
    """Of the gold rows 15% are mislabelled: among the errors they are a third or more."""
    rows = planted.told_by_words(160, seed, "gold", wrong=0.15)
    wrong = set(rows.id[rows.label != rows.truth])
    errors, mined = (mine(planted.run({"method.mine": how}), found(rows, seed)) for how in ("errors", "loss"))
    assert len(mined) == len(errors), "as many as there are errors"
    assert errors.id.isin(wrong).mean() > 0.3
    assert mined.id.isin(wrong).mean() < errors.id.isin(wrong).mean() / 3
    assert (mined.loss.diff().dropna() <= 0).all()
    right = mined.predicted == mined.label
    assert right.any(), "rows that it gets right, but only just"
    assert mined[right].loss.min() > TASK.losses(predictions(rows, seed)).median()


def test_so_many_rows_of_high_loss_as_are_asked_for(words):
    rows = planted.told_by_words(60, 1, "gold")
    mined = mine(planted.run({"method.mine": "loss", "method.mined": [7, 3]}), found(rows))
    assert len(mined) == 7 and mined.index.is_unique
    again = mine(planted.run({"method.mine": "loss", "method.mined": [7, 3]}), found(rows))
    assert again.equals(mined)


def test_the_loss_of_an_answer_without_probabilities_is_what_its_score_lacks():
    task = span_qa.Task("q", Settings.model_construct(kind="span_qa", words={}))
    told = pd.DataFrame({"predicted": ["the mill", "a mill of old", "Ann"], "answers": [["mill"]] * 3})
    assert task.losses(told).round(3).tolist() == [0, 0.5, 1]


def test_a_gold_row_is_judged_by_the_others_and_what_was_made_of_it_as_well(words):
    """The row is mislabelled: a probe that had learned it would bear it out more."""
    rows = planted.told_by_words(120, 0, "gold", wrong=0.1)
    run, odd = planted.run(), rows[rows.label != rows.truth]
    gold = GoldProbe(TASK, rows, run.student)
    made = odd.assign(parent=odd.id, id="round1-" + odd.id, text=odd.text + " more")
    unrelated = gold.probabilities(made.assign(parent=""))
    own = [LABELS.index(label) for label in odd.label]
    assert (gold.probabilities(made)[range(len(odd)), own] < unrelated[range(len(odd)), own]).all()
    assert gold.contradicted(odd).mean() > 0.7 > 0.1 > gold.contradicted(rows[rows.label == rows.truth]).mean()


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"method.additional_rows": [5]}, "method.additional_rows has 1 counts for 2 rounds"),
        ({"method.additional_rows": 5, "method.add": "copies"}, "additional_rows is shared over rows that are"),
        ({"method.additional_rows": 0}, "method.additional_rows"),
    ],
)
def test_values_that_do_not_fit(params, told):
    with pytest.raises(UserError, match=told):
        planted.run(params)
