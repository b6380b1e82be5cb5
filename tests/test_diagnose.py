"""The diagnosis: which errors are mended, which stay, and which gold rows are worth a second look."""

import csv
import json
import random

import numpy as np
import pandas as pd
import pytest

from synthesis.measures import errors
from synthesis.params import Method
from synthesis.params import Task as Settings
from synthesis.tasks import classification, span_qa

TASK = classification.Task("t", Settings.model_construct(words={}))
SPAN = span_qa.Task("t", Settings.model_construct(answers="gold"))
METHOD = Method.model_construct(score_below=None)
PLAIN = {
    "positive": ["clever", "seamless", "rich", "lavish", "crisp", "powerful", "exciting", "believable"],
    "negative": ["weak", "dead", "sloppy", "endless", "dreary", "thin", "annoying", "sappy"],
}


def predictions(q: int, positive: list[float], labels: str = "nnnpp") -> pd.DataFrame:
    """What a student says of validation rows a, b, ...: each row's probability of `p`."""
    rows = pd.DataFrame({"id": list("abcdefgh")[: len(labels)], "label": list(labels)})
    rows = rows.assign(round=q, seed=0, split="validation")
    rows["predicted"] = np.where(np.array(positive) > 0.5, "p", "n")
    return rows.assign(**{"p(n)": 1 - np.array(positive), "p(p)": positive})


ROUNDS = {
    "0": predictions(0, [0.1, 0.9, 0.8, 0.2, 0.9]),  # b, c and d are wrong
    "1": predictions(1, [0.7, 0.9, 0.1, 0.2, 0.9]),  # a, b and d
    "final": predictions(2, [0.2, 0.9, 0.6, 0.9, 0.1]),  # b, c and e
}


def test_what_each_round_mends_and_breaks():
    wrong = errors.find_wrong(TASK, ROUNDS, METHOD)
    assert errors.count_changes(wrong) == {
        "0": {"wrong": 3},
        "1": {"wrong": 3, "fixed": 1, "persisting": 2, "new": 1},
        "final": {"wrong": 3, "fixed": 2, "persisting": 1, "new": 2},
    }
    assert errors.status(wrong).to_dict() == {
        "a": "wavering", "b": "wrong", "c": "wavering", "d": "fixed", "e": "broken",
    }  # fmt: skip


def test_doubt_is_how_sure_students_are_of_another_answer():
    doubt, _ = errors.doubt(TASK, ROUNDS)
    assert doubt.round(4).to_dict() == {"a": 0.2333, "b": 0.9, "c": 0.4667, "d": 0.5333, "e": 0.3}
    _, bar = errors.doubt(TASK, {"0": ROUNDS["0"]})
    assert bar == pytest.approx((0.9 + 0.9) / 5), "rows a and e are right"


def test_only_the_first_seeds_student_counts():
    history = pd.concat([ROUNDS["0"], ROUNDS["0"].assign(seed=1), ROUNDS["0"].assign(split="test"), ROUNDS["1"]])
    students = errors.by_student(history, ROUNDS["final"], "validation")
    assert list(students) == ["0", "1", "final"]
    assert [len(rows) for rows in students.values()] == [5, 5, 5]


def test_errors_are_counted_by_kind_and_group():
    groups = pd.DataFrame({"label": list("nnnpp"), "length": ["short", "long", "long", "long", "short"]})
    groups = groups.set_index(pd.Index(list("abcde"), name="id"))
    counts = errors.count_errors(TASK, ROUNDS["final"], groups, METHOD)
    assert (counts["rows"], counts["wrong"], counts["mistakes"]) == (5, 3, {"n as p": 2, "p as n": 1})
    assert counts["by_label"] == {"n": {"rows": 3, "wrong": 2}, "p": {"rows": 2, "wrong": 1}}
    assert counts["by_length"] == {"long": {"rows": 3, "wrong": 2}, "short": {"rows": 2, "wrong": 1}}


def test_spans_are_doubted_by_score_and_f1():
    answers = [["the mill"], ["1912"], ["Ann Bell"], ["Ann Bell"]]
    rows = pd.DataFrame({"id": list("abcd"), "seed": 0, "answers": answers, "start": 0})
    rows["predicted"], rows["score"] = ["a mill", "in May 1912", "Ann Lee", "mill"], [0.9, 0.6, 0.8, 0.5]
    doubt, _ = errors.doubt(SPAN, {"final": rows})
    assert doubt.round(4).to_dict() == {"a": 0.0, "b": 0.3, "c": 0.4, "d": 0.5}
    assert SPAN.mistakes(rows[1:]).tolist() == ["too long", "beside it", "elsewhere"]


def test_groups_are_named_and_repeatable():
    sea = [f"The ship sailed over the sea to harbour {i}" for i in range(30)]
    kitchen = [f"Bake the bread in a hot oven for {i} minutes, then let it cool down for a while" for i in range(30)]
    texts, others = pd.Series(sea + kitchen), pd.Series(["A ship at sea", "Bread from the oven", "!!!"])
    topics, joined = errors.group_topics(texts, others)
    assert topics.nunique() == 3 and not set(topics[:30]) & set(topics[30:])
    assert joined[0] in set(topics[:30]) and joined[1] in set(topics[30:])
    assert {"sea", "sailed", "harbour", "ship"} >= set(topics[0].split(", "))
    again, _ = errors.group_topics(texts, others)
    assert again.tolist() == topics.tolist()
    lengths, theirs = errors.group_lengths(texts, others)
    assert lengths[:30].unique().tolist() == ["9 words or less"]
    assert theirs.unique().tolist() == ["9 words or less"]


@pytest.mark.parametrize("texts", [["!!!"], ["the"], ["a film", "a film"], ["one two", "??", "three"]])
def test_few_or_wordless_rows_are_one_cluster(texts):
    topics, _ = errors.group_topics(pd.Series(texts), pd.Series(texts))
    assert topics.nunique() == 1


def test_every_kind_is_diagnosed(all_kinds):
    for task in ("reviews", "rte", "adversarial_qa"):
        metrics = json.loads((all_kinds.folder / f"metrics/{task}/diagnose.json").read_text())
        rows = pd.read_parquet(all_kinds.folder / f"data/{task}/diagnosis.parquet")
        gold = pd.read_parquet(all_kinds.folder / f"data/{task}/gold/validation.parquet")
        mined = pd.read_parquet(all_kinds.folder / f"data/{task}/round0/errors.parquet")
        assert rows.id.tolist() == gold.id.tolist()
        assert set(rows.id[rows.wrong_0]) == set(mined.id)
        for student, counts in metrics["students"].items():
            assert counts["wrong"] == rows[f"wrong_{student}"].sum()
        for split in ("validation", "test"):
            assert metrics[split]["wrong"] == sum(group["wrong"] for group in metrics[split]["by_length"].values())
        assert metrics["suspects"] == len(pd.read_parquet(all_kinds.folder / f"data/{task}/suspects.parquet"))


@pytest.mark.slow
def test_mislabelled_rows_are_suspected(fresh):
    """One gold row in ten gets the other label. The reviews are plain, so that a small student can tell."""
    draw, labels = random.Random(0), list(PLAIN)
    drawn = set(draw.sample(range(400), 40))
    with (fresh.folder / "data/gold/reviews/reviews.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "text", "label"])
        for i in range(400):
            first, second, third = draw.sample(PLAIN[labels[i % 2]], 3)
            text = f"Film {i} was {first} and {second} and {third}"
            writer.writerow([i, text, labels[(i + (i in drawn)) % 2]])
    fresh.set({"task.reviews.gold.budget": 300, "task.reviews.seed_rows": 300, "rounds": [{"q": 0, "next": 1}]})
    fresh.repro("diagnose@reviews")
    suspects, gold = (
        pd.read_parquet(fresh.folder / "data/reviews" / name)
        for name in ("suspects.parquet", "gold/validation.parquet")
    )
    flipped, among = (rows.id.astype(int).isin(drawn).mean() for rows in (gold, suspects))
    assert len(suspects) >= 5 and among > 3 * flipped
    assert suspects.doubt.is_monotonic_decreasing and suspects["rank"].tolist() == list(range(1, len(suspects) + 1))
