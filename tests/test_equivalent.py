"""The gold equivalent, on planted learning curves."""

import numpy as np
import pandas as pd
import pytest

from synthesis.measures.equivalent import MOST, gold_equivalent

TEST = 4000  # rows


def right(accuracy: float, seed: int) -> np.ndarray:
    """Scores of which this share is 1, on rows in any order."""
    return np.random.default_rng(seed).permutation(np.arange(TEST) < round(accuracy * TEST)).astype(float)


def found(curve: dict[int, float], student: float, rows: int = 400, draws: int = 1) -> dict[str, int]:
    """curve: the accuracy by the number of gold rows, all of them last."""
    *parts, last = curve.items()
    table = [
        pd.DataFrame({"rows": count, "draw": draw, "id": range(TEST), "score": right(accuracy, 10 * count + draw)})
        for count, accuracy in parts
        for draw in range(draws)
    ]
    return gold_equivalent(pd.concat(table), right(last[1], 1), right(student, 2), rows)


@pytest.mark.parametrize(("student", "more"), [(0.75, 400), (0.80, 1200), (0.725, 166)])
def test_points_become_rows_by_the_slope_of_the_curve(student, more):
    """Five points each time that the gold rows double."""
    equivalent = found({100: 0.60, 200: 0.65, 400: 0.70}, student, draws=3)
    assert equivalent["rows"] == pytest.approx(more, rel=0.02)
    assert equivalent["low"] < more < equivalent["high"]


def test_what_is_not_better_is_worth_nothing():
    assert found({100: 0.60, 200: 0.65, 400: 0.70}, 0.68) == {"rows": 0, "low": 0, "high": 0}
    assert found({100: 0.60, 200: 0.65, 400: 0.70}, 0.70)["low"] == 0


def test_a_gain_that_gold_rows_do_not_bring_has_no_end():
    equivalent = found({100: 0.72, 200: 0.71, 400: 0.70}, 0.75)
    assert equivalent["rows"] == equivalent["high"] == MOST * 400


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    """Test rows are drawn anew, of students whose true accuracies are known."""
    hits = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        draws = {count: (random.random(500) < accuracy).astype(float) for count, accuracy in CURVE.items()}
        table = [pd.DataFrame({"rows": n, "draw": 0, "id": range(500), "score": draws[n]}) for n in (100, 200)]
        student = (random.random(500) < 0.75).astype(float)
        equivalent = gold_equivalent(pd.concat(table), draws[400], student, 400)
        hits += equivalent["low"] <= 400 <= equivalent["high"]
    assert hits >= 88


CURVE = {100: 0.60, 200: 0.65, 400: 0.70}
