"""Better loops than S3's own: what each value of method.* does, on teachers and gold rows with planted faults."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from synthesis import UserError, additions
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


def found(rows: pd.DataFrame, seed: int = 0) -> Findings:
    gold = rows[["id", "text", "label"]]
    return Findings(0, predictions(rows, seed), gold, gold.head(0), pd.DataFrame(), list(LABELS), pd.DataFrame())


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


# Clusters of errors


def about(topic: str, count: int, seed: int, name: str, right: bool = True) -> pd.DataFrame:
    """Rows with three words of a topic beside those that tell the label; right: whether the label is what they tell."""
    rows, random = planted.told_by_words(count, seed, name), np.random.default_rng(seed)
    rows.text = [f"{text} " + " ".join(f"{topic}{n}" for n in random.integers(0, 3, 8)) for text in rows.text]
    return rows if right else rows.assign(label=rows.label.map(dict(zip(LABELS, LABELS[::-1], strict=True))))


def answers(gold: pd.DataFrame, wrong: np.ndarray, q: int) -> pd.DataFrame:
    positive = np.where((gold.label == "positive") != wrong, 0.8, 0.2)
    return TASK.predictions(gold, np.column_stack([1 - positive, positive]), list(LABELS)).assign(round=q)


def test_a_cluster_gets_rows_by_what_the_last_round_mended_and_none_if_they_hurt_the_rest(words):
    """The rows of topic a mend much, those of b little; those of c have wrong labels."""
    gold = pd.concat([about(topic, 40, place, topic) for place, topic in enumerate("abc")], ignore_index=True)
    topic, number = gold.id.str[0].to_numpy(), gold.id.str[2:].astype(int).to_numpy()
    before = number < 9
    now = before & (number < np.select([topic == "a", topic == "b"], [1, 8], 4))
    parents = {name: gold.id[(topic == name) & before].tolist() * (8 if name == "c" else 2) for name in "abc"}
    train = pd.concat([
        planted.told_by_words(40, 9, "seed").assign(round=0, parent=""),
        *(about(name, len(parents[name]), 10 + place, "new", name != "c").assign(round=1, parent=parents[name])
          for place, name in enumerate("abc")),
    ])  # fmt: skip
    findings = Findings(1, answers(gold, now, 1), gold, train, pd.DataFrame(), [*LABELS], answers(gold, before, 0))
    run = planted.run({"method.mine": "clusters", "method.additional_rows": 40, "prompts": "s3"})
    mined = mine(run, findings)
    assert set(mined.id.str[0]) == {"a", "b"}, "rows like those of c made others worse"
    shares = mined.groupby(mined.id.str[0]).share.agg(["min", "max"])
    assert shares.loc["a", "min"] > 3 * shares.loc["b", "max"]
    rows = additions.plan(run, mined, pd.DataFrame(), 1).rows
    got = pd.Series([row["id"][0] for row in rows]).value_counts()
    assert len(rows) == 40 and got["a"] > 3 * got["b"] / 8, "by error"
    assert mine(run, findings).equals(mined)


def test_in_round_0_all_errors_count_alike(words):
    gold = pd.concat([about(topic, 30, place, topic) for place, topic in enumerate("ab")], ignore_index=True)
    wrong = gold.id.str[2:].astype(int).to_numpy() < np.where(gold.id.str[0] == "a", 15, 8)
    findings = Findings(0, answers(gold, wrong, 0), gold, gold.head(0), pd.DataFrame(), [*LABELS], pd.DataFrame())
    mined = mine(planted.run({"method.mine": "clusters"}), findings)
    assert mined.id.tolist() == gold.id[wrong].tolist() and set(mined.share) == {1.0}
    assert mined.groupby(mined.id.str[0]).cluster.nunique().tolist() == [1, 1]
    assert mined.cluster.nunique() == 2


def test_no_errors_are_no_clusters(words):
    gold = about("a", 20, 0, "a")
    told = answers(gold, np.zeros(20, bool), 0)
    findings = Findings(0, told, gold, gold.head(0), pd.DataFrame(), [*LABELS], pd.DataFrame())
    run = planted.run({"method.mine": "clusters", "method.additional_rows": 9})
    mined = mine(run, findings)
    assert mined.empty and not additions.plan(run, mined, pd.DataFrame(), 0).rows
