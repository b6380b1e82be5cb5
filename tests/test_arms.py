"""Arms: other values of method.* in the same pipeline, and what stands in them for what S3 does."""

import json

import numpy as np
import pandas as pd
import pytest

from synthesis import files as table
from synthesis.measures.influence import influence
from synthesis.params import Task as Settings
from synthesis.students.base import Examples, Lesson
from synthesis.tasks.classification import Task
from tests import words_student

TASK = Task("t", Settings.model_construct(words={}))


def read(repository, name: str) -> pd.DataFrame:
    return table.read(repository.folder / "data/reviews" / name)


def metric(repository, name: str) -> dict:
    return json.loads((repository.folder / "metrics/reviews" / name).read_text())


def steps(repository, q: int, *names: str) -> None:
    for name in names:
        repository.stage(name, "reviews", str(q))


def same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    return one[["id", "text", "label"]].equals(other[["id", "text", "label"]])


@pytest.mark.slow
def test_seed_only_ends_before_the_first_extrapolation(repository):
    """And shares with S3 all that comes before."""
    repository.set({"method.mine": "nothing"})
    assert repository.repro("combine@reviews-round1")[0] == "mine@reviews-round0"
    assert "baseline@reviews" not in repository.stale()
    assert metric(repository, "round0/extrapolate.json")["calls"] == 0
    assert metric(repository, "round1/train.json")["converged"] == 1
    assert same(read(repository, "round2/train.parquet"), read(repository, "round0/train.parquet"))


def test_goldgen_takes_any_rows_in_the_given_numbers(repository):
    repository.set({"method.mine": "gold", "method.mined": [30, 7]})
    predictions = read(repository, "round0/predictions.parquet").query("split == 'validation'").set_index("id")
    for q, count in ((0, 30), (1, 7)):
        steps(repository, q, "mine", "extrapolate")
        mined = read(repository, f"round{q}/errors.parquet")
        assert len(mined) == len(set(mined.id)) == count == metric(repository, f"round{q}/mine.json")["mined"]
        assert set(mined.id) <= set(predictions.index)
        assert read(repository, f"round{q + 1}/additional.parquet").parent.tolist() == mined.id.tolist()
    right = predictions.loc[read(repository, "round0/errors.parquet").id].eval("label == predicted")
    assert right.any() and not right.all()


def test_mined_gold_rows_are_added_themselves(repository):
    repository.set({"method.add": "copies"})
    steps(repository, 0, "extrapolate")
    repository.stage("combine", "reviews", "1")
    errors, added = read(repository, "round0/errors.parquet"), read(repository, "round1/additional.parquet")
    assert added[["parent", "text", "label"]].to_numpy().tolist() == errors[["id", "text", "label"]].to_numpy().tolist()
    assert set(added.model) == {"gold"}
    assert set(added.id) <= set(read(repository, "round1/train.parquet").id)
    assert metric(repository, "round0/extrapolate.json")["calls"] == 0


def test_progen_shows_what_helped(repository):
    repository.set({"method.mine": "helpful", "method.add": "feedback", "method.influence": True})
    steps(repository, 0, "train", "mine", "extrapolate")
    train, helped = read(repository, "round0/train.parquet"), read(repository, "round0/influence.parquet")
    assert helped.id.tolist() == train.id.tolist()
    assert (helped.influence > 0).any() and (helped.influence < 0).any()
    mined, added = read(repository, "round0/errors.parquet"), read(repository, "round1/additional.parquet")
    assert len(mined) == len(added) == metric(repository, "round0/mine.json")["wrong"]
    assert mined.label.tolist() == added.label.tolist()
    assert 0 < (mined.examples.map(len) > 0).mean() < 1
    good = train.merge(helped[helped.influence > 0], on="id")
    for row in mined.itertuples():
        assert set(row.examples) <= set(good[good.label == row.label].text)


@pytest.mark.parametrize(
    ("learn", "synthetic", "gold"), [("synthetic", 1, 0), ("gold", 0, 120), ("both", 1, 120), ("shuffled", 1, 0)]
)
def test_what_the_final_student_learns(repository, learn, synthetic, gold):
    repository.set({"method.learn": learn})
    for name in ("choose", "evaluate"):
        repository.stage(name, "reviews")
    told = metric(repository, "final.json")
    assert told["gold_rows"] == gold
    assert told["synthetic_rows"] == synthetic * len(read(repository, "round2/train.parquet"))
    assert told["rows"] == told["gold_rows"] + told["synthetic_rows"]
    if learn == "shuffled":
        assert abs(told["test"]["accuracy"] - 0.5) < 0.25


def test_gold_rows_are_repeated_until_they_are_as_many_as_synthetic_ones(repository):
    repository.set({"method.learn": "gold-repeated"})
    for name in ("choose", "evaluate"):
        repository.stage(name, "reviews")
    told = metric(repository, "final.json")
    assert (told["synthetic_rows"], told["gold_rows"]) == (0, len(read(repository, "round2/train.parquet")))


def test_the_baseline_learns_all_gold_rows_with_settings_that_these_pick(repository):
    """A prior of 10,000 rows of each label makes naive Bayes useless."""
    repository.set({"student.weight_decay": 10000.0, "baseline.tune": [{}, {"weight_decay": 0.5}]})
    repository.stage("baseline", "reviews")
    told = metric(repository, "baseline.json")
    assert told["rows"] == told["records"] == 120, "validation and selection"
    assert told["picked"] == {"weight_decay": 0.5}
    assert told["test"] and not told.keys() & {"validation", "selection"}, "it is asked about what it has not learned"


def test_a_task_has_settings_of_its_own(repository):
    repository.stage("evaluate", "reviews")
    usual = metric(repository, "final.json")
    repository.set({"student.weight_decay": 10000.0, "task.reviews.student": {"weight_decay": 0.01}})
    assert {"train@reviews-round0", "evaluate@reviews", "baseline@reviews", "report@reviews"} <= repository.stale()
    repository.stage("evaluate", "reviews")
    assert metric(repository, "final.json") == usual


def test_settings_are_chosen_on_selection(repository):
    """A prior of 10,000 rows of each label makes naive Bayes useless; what is tried first wins when all are equal."""
    repository.set({"student.weight_decay": 10000.0, "method.tune": [{"weight_decay": 10000.0}, {"weight_decay": 0.5}]})
    repository.stage("evaluate", "reviews")
    tuned = metric(repository, "final.json")
    repository.set({"method.tune": None, "student.weight_decay": 0.5})
    repository.stage("evaluate", "reviews")
    assert metric(repository, "final.json")["test"] == tuned["test"]


def test_transfer(repository, tmp_path):
    """Table 5: another project's rows as seed data, with rounds of its own or with the additions of ours."""
    words = ("fine", "dull", "warm", "cold")
    texts = [f"What a {word} film this is, and how {word} its long second half" for word in words]
    theirs = pd.DataFrame({"text": texts, "label": ["positive", "negative"] * 2})
    file = tmp_path / "theirs.jsonl"
    theirs.to_json(file, orient="records", lines=True)
    ours = read(repository, "round2/train.parquet")
    repository.set({"method.transfer.file": str(file), "method.transfer.into": "final"})
    repository.stage("evaluate", "reviews")
    assert metric(repository, "final.json")["rows"] == 4 + int((ours["round"] > 0).sum())
    known = read(repository, "gold/test.parquet")[["text", "label"]].head(3)
    pd.concat([theirs, known]).to_json(file, orient="records", lines=True)
    told = repository.stage("evaluate", "reviews").stderr
    assert "theirs.jsonl: 3 of 7 rows also stand in test or selection and are left out" in told
    assert metric(repository, "final.json")["rows"] == 4 + int((ours["round"] > 0).sum())
    known.to_json(file, orient="records", lines=True)
    told = repository.stage("evaluate", "reviews", ok=False).stderr
    assert "3 of 3 rows also stand in test or selection: give method.transfer.file other rows" in told
    theirs.to_json(file, orient="records", lines=True)
    repository.set({"method.transfer.into": "rounds"})
    repository.stage("seed", "reviews")
    repository.stage("combine", "reviews", "0")
    assert read(repository, "round0/train.parquet").text.tolist() == theirs.text.tolist()
    assert metric(repository, "seed.json")["calls"] == 0
    theirs.assign(label="so so").to_json(file, orient="records", lines=True)
    told = repository.stage("seed", "reviews", ok=False)
    assert told.returncode == 1
    assert "row 1: unknown label `so so` (known: negative, positive)" in told.stderr


def test_budget_for_all_tasks(repository):
    repository.set({"gold.budget": 60})
    repository.stage("gold", "reviews")
    assert metric(repository, "gold.json")["validation"] == 45


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"method.mine": "helpful"}, "belong together"),
        ({"method.mine": "helpful", "method.add": "feedback"}, "needs influence"),
        ({"method.mined": [3]}, "method.mined has 1 counts for 2 rounds"),
        ({"method.tune": [{"learning_rat": 1}]}, "method.tune entry 0: learning_rat is not a parameter"),
        (
            {"baseline.tune": [{}, {"epochs": 3}]},
            "baseline.tune entry 1: `epochs` is no longer a parameter: set `steps`",
        ),
        ({"task.rte.student": {"learning_rat": 1}}, "task.rte.student: learning_rat is not a parameter"),
        ({"method.learn": "something"}, "method.learn"),
    ],
)
def test_values_that_do_not_fit(fresh, params, told):
    fresh.set(params)
    done = fresh.stage("gold", "reviews", ok=False)
    assert done.returncode == 1 and told in done.stderr


def test_influence_is_what_retraining_without_a_row_shows():
    """Leave-one-out on a regression whose optimum is known to machine precision."""
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    points = {name: rng.normal(size=(count, 2)) + 0.3 for name, count in (("train", 60), ("gold", 40))}
    tables = {}
    for name, place in points.items():
        truth = np.where(place @ [1.0, 0.5] + rng.normal(scale=0.8, size=len(place)) > 0, "b", "a")
        tables[name] = pd.DataFrame({"id": range(len(place)), "text": list(map(tuple, place)), "label": truth})

    class Linear:
        names = ("a", "b")

        def __init__(self, rows):
            strength = 1 / (5e-3 * 2 * len(rows))  # the damping is a prior on both labels' weights
            self.fit = LogisticRegression(C=strength, tol=1e-10).fit(rows.text.tolist(), rows.label)

        def predict(self, inputs):
            return self.fit.predict_proba(inputs)

        def represent(self, inputs):
            return np.array(inputs)

    def loss(rows):
        shares = Linear(rows).predict(tables["gold"].text.tolist())
        return 1 - shares[np.arange(40), (tables["gold"].label == "b").astype(int)].mean()

    train = tables["train"]
    told = influence(Linear(train), TASK, train, tables["gold"])
    left_out = [(loss(train.drop(i)) - loss(train)) * len(train) for i in train.index]
    assert np.corrcoef(told, left_out)[0, 1] > 0.97


def test_influence_finds_rows_with_wrong_labels():
    good, bad = ["warm", "bright", "fine", "lovely"], ["cold", "dull", "poor", "stale"]
    texts = [f"{one} {two} film" for words in (good, bad) for one in words for two in words]
    labels = ["positive"] * 16 + ["negative"] * 16
    rows = pd.DataFrame({"id": range(32), "text": texts, "label": labels})
    wrong = [3, 20]
    rows.loc[wrong, "label"] = ["negative", "positive"]
    gold = pd.DataFrame({"id": range(8), "text": [f"{w} film" for w in good + bad], "label": labels[12:20]})
    settings = type("Settings", (), {"weight_decay": 0.0})
    learned, selection = (Examples(part.text.tolist(), part.label.tolist()) for part in (rows, gold))
    [student] = words_student.fit(Lesson(learned, settings, ["negative", "positive"], selection))
    assert set(np.argsort(influence(student, TASK, rows, gold))[:2]) == set(wrong)
