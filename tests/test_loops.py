"""Better loops than S3's own: what each value of method.* does, on teachers and gold rows with planted faults."""

import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from synthesis import files as table
from synthesis.additions import turns


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


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"method.additional_rows": [5]}, "method.additional_rows has 1 counts for 2 rounds"),
        ({"method.additional_rows": 5, "method.add": "copies"}, "additional_rows is shared over rows that are"),
        ({"method.additional_rows": 0}, "method.additional_rows"),
    ],
)
def test_values_that_do_not_fit(untouched, tmp_path, params, told):
    from synthesis import UserError
    from synthesis import params as parameters
    from tests.conftest import Repository

    (tmp_path / "params.yaml").write_bytes((untouched.folder / "params.yaml").read_bytes())
    Repository(tmp_path).set(params)
    with pytest.raises(UserError, match=told):
        parameters.load(tmp_path / "params.yaml")
