"""What the additions are like: beside their errors, and beside gold."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthesis import UserError, files
from synthesis.measures import coverage, quality
from synthesis.measures.coverage import distinct, grams, precision_recall, spacing, to_nearest
from tests import words_embedding
from tests.people import ROWS

LINE = np.array([[0.0, 0], [1, 0], [3, 0], [7, 0]])
MAP = """
import numpy as np
from synthesis.measures.coverage import tsne

points = np.random.default_rng(0).normal(size=(90, 40)).astype("float32")
print(tsne(np.concatenate([points, points[:30]])).tobytes().hex())
"""


@st.composite
def clouds(draw, fewest=4):
    """Points no two of which are the same, in any order."""
    places = draw(st.lists(st.tuples(*[st.integers(-40, 40)] * 2), min_size=fewest, max_size=12, unique=True))
    return np.array(places, dtype=float)


@pytest.fixture
def words(monkeypatch):
    for name in ("embed", "pieces"):
        monkeypatch.setattr(quality, name, getattr(words_embedding, name))


class Encoder:
    model, max_tokens = "words", 128


# Points


def test_distances_to_neighbours():
    assert to_nearest(LINE).tolist() == [1, 1, 2, 4]
    assert to_nearest(LINE, k=2).tolist() == [3, 2, 3, 6]
    assert to_nearest(np.array([[2.0, 0]]), LINE).tolist() == [1]
    assert spacing(LINE) == 1.5


def test_precision_and_recall_of_an_example():
    """With k = 1 the balls of LINE are [-1, 1], [0, 2], [1, 5], [3, 11]; those of `made` [4, 6], [5, 7], [6, 34]."""
    made = np.array([[5.0, 0], [6, 0], [20, 0]])
    precision, recall = precision_recall(LINE, made, k=1)
    assert precision == pytest.approx(2 / 3), "20 lies in no ball of LINE"
    assert recall == pytest.approx(1 / 4), "only 7 lies in a ball of `made`"


@settings(derandomize=True, deadline=None)
@given(clouds())
def test_a_set_covers_itself_and_nothing_far_away(points):
    assert precision_recall(points, points, k=3) == (1, 1)
    assert precision_recall(points, points + 1000, k=3) == (0, 0)


@settings(derandomize=True, deadline=None)
@given(clouds(), clouds(), clouds(), st.randoms(), st.sampled_from([0.5, 2, 64]))
def test_coverage_is_free_of_scale_and_order(gold, seed, final, random, scale):
    maps = {"gold": gold, "seed": seed, "final": final}
    swept = coverage.sweep(maps)
    mixed = {which: np.array(random.sample(list(places), len(places))) * scale for which, places in maps.items()}
    pd.testing.assert_frame_equal(coverage.sweep(mixed), swept)
    assert precision_recall(mixed["gold"], mixed["seed"], 3) == precision_recall(gold, seed, 3)
    assert all(rows.covered.is_monotonic_increasing for _, rows in swept.groupby("set"))
    assert swept.covered.between(0, 1).all()
    own = swept[(swept.set == "gold") & (swept.gamma == 1)].covered.item()
    assert own >= 0.5, "gamma 1 is the median of gold's own distances"


def test_samples_are_equal_and_repeatable():
    sizes = {"a": 9, "b": 6}
    rows = {which: pd.DataFrame({"text": [f"{which} {i}" for i in range(size)]}) for which, size in sizes.items()}
    rows["a"] = pd.concat([rows["a"]] * 2, ignore_index=True)
    one, other = (coverage.sample(rows, "text", 300, 13) for _ in range(2))
    assert {which: len(drawn) for which, drawn in one.items()} == {"a": 6, "b": 6}
    assert not one["a"].text.duplicated().any()
    assert one["a"].equals(other["a"])
    assert len(coverage.sample(rows, "text", 4, 13)["a"]) == 4
    with pytest.raises(UserError, match="the b data have 3"):
        coverage.sample({**rows, "b": rows["b"].head(3)}, "text", 300, 13)


def test_texts_without_a_word_have_no_vocabulary():
    texts = {
        "gold": ["good", "bad", "ugly", "fine"],
        "seed": ["😀", "🎉", "👍", "!"],
        "final": ["good", "so", "👍", "!"],
    }
    vectors = {name: np.arange(8.0).reshape(4, 2) for name in texts}
    found = coverage.numbers(vectors, texts)
    assert [found[name]["vocabulary"] for name in ("seed", "final")] == [0, 0], "no set has words to compare as many of"


@pytest.mark.slow
def test_the_map_is_the_same_on_every_processor():
    """Whatever the kernels of BLAS and of numpy, which sum and sort in different orders."""
    kernels = [{}, {"OPENBLAS_CORETYPE": "Nehalem"}, {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL"}]
    command = [sys.executable, "-W", "ignore", "-c", MAP]
    runs = [subprocess.run(command, env=os.environ | kernel, capture_output=True, check=True) for kernel in kernels]
    assert len({done.stdout for done in runs}) == 1


# Texts


def test_distinct_of_an_example():
    texts = ["The film, the FILM!", "It's dull"]
    assert grams(texts, 1) == [("the",), ("film",), ("the",), ("film",), ("it's",), ("dull",)]
    assert grams(texts, 2) == [("the", "film"), ("film", "the"), ("the", "film"), ("it's", "dull")], "none spans two"
    assert distinct(grams(texts, 1), 6) == pytest.approx(4 / 6)
    assert distinct(grams(texts, 1), 4) == 0.5
    assert distinct(grams(["one"], 2), 4) == 0


def test_pairs_of_an_example(words):
    pairs = quality.compare(["a b c", "x y"], ["a b d e", "x y"], Encoder)
    assert pairs.edit_distance.tolist() == [2, 0]
    assert pairs.length_error.tolist() == [3, 2]
    assert pairs.length_addition.tolist() == [4, 2]
    assert pairs.cosine.tolist() == pytest.approx([2 / 12**0.5, 1])
    assert pairs.cosine_others.tolist() == pytest.approx([0, 0], abs=1e-6)


WRITTEN = st.lists(st.text("abcdef ", min_size=1).filter(str.strip), min_size=2, max_size=6)


@settings(derandomize=True, deadline=None)
@given(WRITTEN, st.data())
def test_edit_distance_is_bounded_by_the_lengths(errors, data):
    additions = data.draw(st.permutations(errors))
    with pytest.MonkeyPatch.context() as patch:  # a fixture would last over all examples
        for name in ("embed", "pieces"):
            patch.setattr(quality, name, getattr(words_embedding, name))
        pairs, same = quality.compare(errors, additions, Encoder), quality.compare(errors, errors, Encoder)
    lengths = pairs[["length_error", "length_addition"]]
    longer, shorter = lengths.max(axis=1), lengths.min(axis=1)
    assert pairs.edit_distance.between(longer - shorter, longer).all()
    assert pairs.cosine.between(-1e-6, 1 + 1e-6).all()
    assert same.edit_distance.eq(0).all()
    assert same.cosine.to_numpy() == pytest.approx(1)


def test_no_pair_has_no_mean(words):
    assert quality.means(quality.compare([], [], Encoder)) == {"pairs": 0}
    assert "cosine_others" not in quality.means(quality.compare(["a"], ["a"], Encoder))


# Of the pipeline


def test_every_kind_has_its_numbers(all_kinds):
    for task in ("reviews", *ROWS):
        data, metrics = all_kinds.folder / "data" / task, all_kinds.folder / "metrics" / task
        train, pairs = files.read(data / "round2/train.parquet"), files.read(data / "quality.parquet")
        assert pairs.id.tolist() == train.id[train["round"] > 0].tolist()
        numbers = json.loads((metrics / "quality.json").read_text())
        assert numbers["pairs"] == len(pairs) == sum(part["pairs"] for part in numbers["by_round"].values()) > 0
        rejected = files.read(data / "round2/rejected.parquet")
        assert numbers["rejected"] == (rejected["round"] > 0).sum()
        stratum = "question_word" if task == "adversarial_qa" else "label"
        assert set(numbers[f"by_{stratum}"]) == set(pairs[stratum])

        points, numbers = (
            files.read(data / "coverage/points.parquet"),
            json.loads((metrics / "coverage.json").read_text()),
        )
        assert points.set.value_counts().to_dict() == dict.fromkeys(["gold", "seed", "final"], numbers["rows"])
        assert set(points.id[points.set == "final"]) <= set(train.id)
        assert set(points.id[points.set == "gold"]) <= set(files.read(data / "gold/validation.parquet").id)
        for which in ("seed", "final"):
            assert all(0 <= value <= 1 for value in numbers[which].values())
        assert (data / "coverage/map.png").read_bytes().startswith(b"\x89PNG")


def test_coverage_is_drawn_by_set(repository, tmp_path):
    sweep = "data/reviews/coverage/sweep.csv"
    repository.run("dvc", "plots", "show", "-o", str(tmp_path), sweep)
    page = (tmp_path / "index.html").read_text()
    sets = "gold", "seed", "final"
    assert [name for name in sets if f'"set": "{name}"' in page] == list(sets)
    assert '"field": "set"' in page
