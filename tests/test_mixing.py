"""Mixtures of synthetic and gold rows at a ratio."""

import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from pydantic import ValidationError

from synthesis import UserError, params, tasks
from synthesis.method import mixing, replay
from synthesis.params import Method, Replay
from tests.conftest import ROOT

SETTINGS = params.load(ROOT / "params.yaml")
QUESTIONS, REVIEWS = (tasks.load(name, SETTINGS.one(name)) for name in ("webquestions", "reviews"))
RATIOS = [0, 0.1, 0.3, 0.5, 0.7, 0.9, 1]


def questions(lengths: list[int], name: str) -> pd.DataFrame:
    """Rows of so many words each, the answer's among them."""
    rows = [{"id": f"{name}-{place}", "source": " ".join(["word"] * (length - 1)), "target": "it"}
            for place, length in enumerate(lengths)]  # fmt: skip
    return pd.DataFrame(rows).assign(references=[["it"]] * len(rows))


def method(**changes) -> Method:
    return SETTINGS.method.model_copy(update=changes)


def mixed(synthetic, gold, seed=1, **changes) -> mixing.Mixture:
    return mixing.mix("mix", QUESTIONS, synthetic, gold, seed, method(**changes))


def count(rows: pd.DataFrame) -> int:
    return int(mixing._words(QUESTIONS, rows).sum())


SIZES = st.lists(st.integers(2, 12), min_size=1, max_size=30)


@hypothesis(max_examples=25, deadline=None)
@given(SIZES, SIZES, st.sampled_from(RATIOS), st.integers(0, 3))
def test_a_ratio_is_one_of_words_at_a_fixed_total(made, gold, ratio, seed):
    made, gold = questions(made, "seed"), questions(gold, "gold")
    mixture, total = mixed(made, gold, seed, ratio=ratio), count(gold)
    assert abs(count(mixture.synthetic) - ratio * total) <= 6.5, "half of the longest row"
    assert abs(count(mixture.gold) - (1 - ratio) * total) <= 6.5
    for rows in (mixture.synthetic, mixture.gold):
        times = rows.id.value_counts()
        assert times.empty or times.max() - times.min() <= 1
    again = mixed(made, gold, seed, ratio=ratio)
    assert again.rows.id.tolist() == mixture.rows.id.tolist()


def test_all_come_before_any_comes_again():
    made, gold = questions([5] * 4, "seed"), questions([5] * 10, "gold")
    times = mixed(made, gold, ratio=1).synthetic.id.value_counts()
    assert sorted(times) == [2, 2, 3, 3]
    assert mixed(made, gold, ratio=0.3).synthetic.id.nunique() == 3
    draws = {tuple(mixed(made, gold, seed, ratio=0.2).gold.id) for seed in range(5)}
    assert len(draws) == 5, "another seed draws other rows in another order"


def test_on_top_of_all_gold_rows():
    made, gold = questions([4] * 50, "seed"), questions([8] * 20, "gold")
    mixture = mixed(made, gold, ratio=0.5, on_top=True)
    assert mixture.gold.equals(gold[["id", "source", "target", "references"]])
    assert count(mixture.synthetic) == count(gold) / 2


@pytest.mark.parametrize("ratio", RATIOS)
def test_no_ratio_has_a_checkpoint_picked(ratio):
    """Else the one without gold rows would be trained otherwise than the rest."""
    made, gold = questions([4] * 9, "seed"), questions([8] * 9, "gold")
    assert mixed(made, gold, ratio=ratio).checkpoint(gold).empty
    assert len(mixing.mix("synthetic", QUESTIONS, made, gold, 1).checkpoint(gold)) == 9


def test_labels_are_no_words():
    rows = pd.DataFrame({"id": list("ab"), "text": ["one two three"] * 2, "label": ["positive", "negative"]})
    half = mixing.mix("mix", REVIEWS, rows, rows, 1, method(ratio=0.5))
    assert (len(half.synthetic), len(half.gold)) == (1, 1)
    assert mixing._words(REVIEWS, rows).tolist() == [3, 3]


def test_without_synthetic_rows_there_is_one_ratio():
    gold = questions([4] * 9, "gold")
    assert len(mixed(gold.head(0), gold, ratio=0).gold) == 9
    with pytest.raises(UserError, match=r"method\.ratio is 0\.3, and there are no synthetic rows"):
        mixed(gold.head(0), gold, ratio=0.3)


@pytest.mark.parametrize("ratio", [-0.1, 1.1, None])
def test_a_ratio_is_a_share(ratio):
    with pytest.raises(ValidationError):
        Method.model_validate(SETTINGS.method.model_dump() | {"ratio": ratio})


# Replay


@pytest.mark.parametrize("learn", ["best", "gold"])
def test_the_gold_baseline_replays_nothing(learn):
    wanted = SETTINGS.method.model_dump() | {"learn": learn, "replay": {"file": "x.parquet", "share": 0.2}}
    with pytest.raises(ValidationError, match="set learn: mix, with ratio: 0 for gold rows alone"):
        Method.model_validate(wanted)
    assert Method.model_validate(wanted | {"learn": "mix", "ratio": 0}).replay.share == 0.2


def general(folder, texts: list[str], **changes) -> Replay:
    pd.DataFrame({"text": texts}).to_parquet(folder / "general.parquet")
    return Replay(**{"file": str(folder / "general.parquet"), "share": 0.2} | changes)


def test_replayed_texts_are_their_share_of_all_rows(tmp_path):
    wanted = general(tmp_path, [f"text {number}" for number in range(10)])
    texts = replay.texts(wanted, QUESTIONS, 40, 1)
    assert len(texts) == len(set(texts)) == 10 == 0.2 * (40 + 10)
    assert texts != replay.texts(wanted, QUESTIONS, 40, 2) and texts == replay.texts(wanted, QUESTIONS, 40, 1)
    assert pd.Series(replay.texts(wanted, QUESTIONS, 100, 1)).value_counts().max() == 3
    assert replay.texts(None, QUESTIONS, 40, 1) == []


def test_replay_that_cannot_be_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"none\.csv does not exist: mend method\.replay\.file in params\.yaml"):
        replay.texts(Replay(file="none.csv", share=0.2), QUESTIONS, 40, 1)
    with pytest.raises(UserError, match=r"has no column `body` \(there: text\)"):
        replay.texts(general(tmp_path, ["text"], column="body"), QUESTIONS, 40, 1)
    with pytest.raises(UserError, match=r"general\.parquet row 2: `text` is empty"):
        replay.texts(general(tmp_path, ["text", " "]), QUESTIONS, 40, 1)


def test_what_ships_is_mixed(repository):
    """By the real stages, for a task with labels."""
    repository.set({"method.learn": "mix", "method.ratio": 0.3})
    for name in ("choose", "evaluate"):
        repository.stage(name, "reviews")
    final = json.loads((repository.folder / "metrics/reviews/final.json").read_text())
    assert final["ships"] == "mix" and 0 < final["synthetic_rows"] < final["gold_rows"] < 120
