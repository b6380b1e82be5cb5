"""What is a text, and what is a label."""

import datetime
import unicodedata
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthesis import UserError
from synthesis.tasks import cells


def column(*values) -> pd.Series:
    return pd.Series(list(values), index=range(1, len(values) + 1), dtype=object)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "is empty"),
        (float("nan"), "is empty"),
        (pd.NaT, "is empty"),
        (pd.NA, "is empty"),
        ("", "is empty"),
        (" \u00a0\n", "is empty"),
        (5, "is 5, which is not a text"),
        (1.5, "is 1.5, which is not a text"),
        (True, "is True, which is not a text"),
        (b"bytes", "is b'bytes', which is not a text"),
        (["a"], "is ['a'], which is not a text"),
        ({"a": 1}, "is {'a': 1}, which is not a text"),
        (datetime.date(2024, 1, 1), "which is not a text"),
        ("a\0b", "holds a NUL character"),
        ("a\ud83d", "the lone surrogate U+D83D"),
    ],
)
def test_texts_that_are_none(value, said):
    with pytest.raises(UserError) as error:
        cells.check_texts(pd.DataFrame({"body": column("good", value)}), ["body"], "gold.jsonl")
    assert str(error.value).startswith("gold.jsonl row 2: `body` ") and said in str(error.value)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (["a", "b "], ["a", "b "]),
        ([["a"], np.array(["b"], dtype=object), ("c",)], ["a", "b", "c"]),
        ([1, np.int8(-1), [0]], ["1", "-1", "0"]),
        ([True, False], ["True", "False"]),
        ([1.0, 0.0], ["1", "0"]),
        ([1, 0.0, "1"], ["1", "0.0", "1"]),
    ],
)
def test_labels(values, labels):
    assert cells.spelled(column(*values), "gold.jsonl", "queue").tolist() == labels


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (["a", "b"], "is ['a', 'b'], and there must be one label a row"),
        ([], "is [], and there must be one label a row"),
        (np.array([1, 2]), "is [1, 2], and there must be one label a row"),
        ({"name": "a"}, "is {'name': 'a'}: labels are strings, whole numbers or booleans"),
        (0.5, "is 0.5: labels are"),
        (float("inf"), "is inf: labels are"),
        (b"a", "is b'a': labels are"),
        (Decimal(1), "is Decimal('1'): labels are"),
        (pd.Timestamp(0), ": labels are"),
        (None, "is empty"),
        (float("nan"), "is empty"),
        (pd.NaT, "is empty"),
        ([None], "is empty"),
        (" ", "is empty"),
        ("a\ud800", "lone surrogate"),
    ],
)
def test_labels_that_are_none(value, said):
    with pytest.raises(UserError) as error:
        cells.spelled(column("a", value), "gold.jsonl", "queue")
    assert str(error.value).startswith("gold.jsonl row 2: `queue` ") and said in str(error.value)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(st.lists(ANY, min_size=1, max_size=4))
@settings(derandomize=True, deadline=None)
def test_any_value_is_a_label_or_refused(values):
    try:
        labels = cells.spelled(column(*values), "gold.jsonl", "label")
    except UserError as error:
        assert "\n" not in str(error)
        assert str(error).startswith("gold.jsonl row ")
    else:
        for value, label in zip(values, labels, strict=True):
            [value] = value if isinstance(value, list) else [value]
            assert isinstance(value, str | bool | int | float)
            assert str(value) in (label, f"{label}.0") or float(value) == int(label)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("praise", "praise "),
        ("praise", "Praise"),
        ("very good", "very\u00a0good"),
        ("\u00e9loge", "e\u0301loge"),
        ("praise", "praise\u200b"),
        ("Straße", "STRASSE"),
        ("1", "1.0"),
        ("1", "01"),
        ("0", "-0"),
        ("1", "True"),
        ("false", "False"),
    ],
)
def test_labels_that_look_alike(one, other):
    for pair in ((one, other), (other, one)):
        with pytest.raises(UserError) as error:
            cells.check_distinct(column(*pair, "another"), "gold.csv", "task.t.gold.labels")
        assert f"`{one}`" in str(error.value) and f"`{other}`" in str(error.value)
        assert "task.t.gold.labels" in str(error.value) and '"another": "another"' in str(error.value)


@given(st.text(min_size=1, max_size=8), st.sampled_from(["upper", "NFC", "NFD", "blank"]))
@settings(derandomize=True, deadline=None)
def test_other_spellings_of_any_label(label, change):
    changed = {
        "upper": label.upper(),
        "blank": f" {label}\t",
        "NFC": unicodedata.normalize("NFC", label),
        "NFD": unicodedata.normalize("NFD", label),
    }[change]
    assert cells.look_alikes(column(label, changed)) == ([sorted({label, changed})] if label != changed else [])


@pytest.mark.parametrize(
    "labels", [["a", "b"], ["1", "10", "1.5"], ["C", "C++", "C#"], ["good", "no good"], ["é", "e"]]
)
def test_labels_that_are_different(labels):
    cells.check_distinct(column(*labels), "gold.csv", "key")
