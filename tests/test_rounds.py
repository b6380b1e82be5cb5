"""The loop: what each round hands to the next, and when it stops."""

import json

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthesis import files as table
from synthesis.measures.compute import by_the_paper, compute
from synthesis.measures.scores import bootstrap, score_splits
from synthesis.params import Task as Settings
from synthesis.tasks.base import Material
from synthesis.tasks.classification import Task

TASK = Task("t", Settings.model_construct(words={"in": "is in"}))


def read(repository, name: str) -> pd.DataFrame:
    return table.read(repository.folder / "data/reviews" / name)


def metric(repository, name: str) -> dict:
    return json.loads((repository.folder / "metrics/reviews" / name).read_text())


def test_seed_rows_follow_algorithm_1(reproduced):
    rationales, seed = read(reproduced, "rationales.parquet"), read(reproduced, "seed.parquet")
    assert rationales.groupby("label").size().to_dict() == {"negative": 20, "positive": 20}
    assert not rationales.duplicated(["label", "rationale"]).any()
    assert seed.label.value_counts().to_dict() == {"negative": 20, "positive": 20}
    by_label = rationales.groupby("label").rationale.apply(set)
    for row in seed.itertuples():
        assert len(set(row.rationales)) == 3
        assert set(row.rationales) <= by_label[row.label]
    assert seed.request.str.fullmatch("[0-9a-f]{64}").all()


def test_plain_prompt_without_rationales(repository):
    repository.set({"method.rationales": False})
    assert "rationales@reviews" in repository.repro("seed@reviews")
    assert read(repository, "rationales.parquet").empty
    assert not any(len(drawn) for drawn in read(repository, "seed.parquet").rationales)


def test_every_error_is_extrapolated_with_its_own_label(reproduced):
    for q in (0, 1):
        predictions = read(reproduced, f"round{q}/predictions.parquet")
        validation = predictions[predictions.split == "validation"]
        wrong = validation[validation.predicted != validation.label]
        errors, additional = (
            read(reproduced, f"round{q}/errors.parquet"),
            read(reproduced, f"round{q + 1}/additional.parquet"),
        )
        assert set(errors.id) == set(wrong.id)
        first = additional[additional.replaces == ""]
        assert first.parent.tolist() == errors.id.tolist()
        assert first.label.tolist() == errors.label.tolist()
        assert not (first.text == errors.text).any()
        assert (errors.margin >= 0).all()


def test_data_is_the_seed_and_all_additions(reproduced):
    """D_train = D_seed and the additions of every round (Alg. 2, line 4), less what was rejected."""
    parts = [read(reproduced, "seed.parquet")] + [read(reproduced, f"round{q}/additional.parquet") for q in (1, 2)]
    kept = read(reproduced, "round2/train.parquet")
    rejects = read(reproduced, "round2/rejected.parquet")
    assert sorted([*kept.id, *rejects.id]) == sorted(pd.concat(parts).id)
    assert (rejects.rejected != "").all()
    assert len(kept) == metric(reproduced, "round2/combine.json")["rows"]


def test_history_holds_each_students_predictions_once(reproduced):
    history = read(reproduced, "round2/history.parquet")
    assert history["round"].unique().tolist() == [0, 1]
    assert not history.duplicated(["round", "seed", "split", "id"]).any()


@pytest.mark.slow
def test_converged_rounds_pass_through(repository):
    """A gain that is asked for and does not come ends the loop: later rounds neither call nor train."""
    two = [{"q": 0, "next": 1}, {"q": 1, "next": 2}]
    repository.set({"method.min_gain": 1.1, "rounds": [*two, {"q": 2, "next": 3}]})
    repository.repro()
    assert metric(repository, "round0/mine.json")["mined"] > 0
    for q in (1, 2):
        assert metric(repository, f"round{q}/mine.json")["mined"] == 0
        assert metric(repository, f"round{q}/extrapolate.json")["calls"] == 0
        train = metric(repository, f"round{q}/train.json")
        assert train["converged"] == (q > 1)
        assert (train["flops"] > 0) == (q == 1)
    assert read(repository, "round3/train.parquet").equals(read(repository, "round1/train.parquet"))
    assert read(repository, "round3/history.parquet")["round"].unique().tolist() == [0, 1]
    fits = [metric(repository, name) for name in ("round0/train.json", "round1/train.json", "final.json")]
    told = metric(repository, "compute.json")
    assert told["s3"]["fits"] == 3
    assert told["s3"]["flops"] == sum(fit["flops"] for fit in fits)
    assert told["zerogen"]["flops"] == fits[-1]["flops"]
    report = (repository.folder / "reports/reviews.md").read_text()
    assert report.count("converged") == 1


def test_several_training_seeds(repository):
    repository.set({"student.seeds": 3})
    repository.stage("evaluate", "reviews")
    predictions = read(repository, "predictions.parquet")
    assert predictions.seed.unique().tolist() == [0, 1, 2]
    assert metric(repository, "final.json")["test"]["deviation"] == 0, "naive Bayes has nothing random"


def test_seed_plan_grows_without_changing_what_was_there():
    reasons = {"in": list("abcdef"), "out": list("uvwxyz")}
    material = Material(["in", "out"], reasons, each=3, seed=13)
    few, many = (list(TASK.seed_rows(n, material)) for n in (10, 25))
    assert many[:10] == few


def test_label_words_stand_in_prompts():
    assert TASK.seed_slots({"label": "in", "rationales": []})["label"] == "is in"
    assert TASK.seed_slots({"label": "out", "rationales": []})["label"] == "out"


@given(st.lists(st.integers(0, 1), min_size=2, max_size=60))
@settings(derandomize=True, deadline=None)
def test_interval_holds_the_mean(scores):
    low, high = bootstrap(scores)
    assert 0 <= low <= sum(scores) / len(scores) <= high <= 1


def test_interval_against_the_normal_approximation():
    low, high = bootstrap([1] * 800 + [0] * 200)
    assert (low, high) == pytest.approx((0.8 - 1.96 * 0.01265, 0.8 + 1.96 * 0.01265), abs=0.003)


def test_appendix_b():
    """The paper's own numbers: 3.11e17 operations for S3 against 4.06e17 for ZeroGen, which learns more rows."""

    def fit(rows, epochs):
        records = rows * epochs
        return {"records": records, "tokens": 512 * records, "flops": by_the_paper(records)}

    told = compute([fit(51_200, 8), fit(64_000, 8)], fit(76_800, 8))
    assert told["s3"]["flops"] == told["s3"]["flops_by_the_paper"] == pytest.approx(3.11e17, rel=0.002)
    assert by_the_paper(200_000 * 10) == pytest.approx(4.06e17, rel=0.002)
    assert told["ratio_of_flops"] == 2.5, "at equal rows"


def test_scores_mean_and_deviation_over_seeds():
    predictions = pd.DataFrame(
        [
            {"seed": seed, "split": "test", "id": i, "label": "a", "predicted": "a" if i < right else "b"}
            for seed, right in ((0, 6), (1, 8))
            for i in range(10)
        ]
    )
    mark = score_splits(TASK, predictions)["test"]
    assert mark["accuracy"] == 0.7
    assert mark["deviation"] == pytest.approx(0.1414, abs=1e-4)
    assert mark["low"] <= 0.7 <= mark["high"]
