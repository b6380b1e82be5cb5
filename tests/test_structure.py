"""Structure of questions: what is read of them, planted differences of sets, and who answers which."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from synthesis import files
from synthesis.measures import structure

QUESTIONS = {
    "Who painted the ceiling of the Sistine Chapel?": "Michelangelo",
    "When did the French king Louis XVI lose his head?": "1793",
    "Is Vienna the capital of Austria?": "yes",
    "What do German women eat in Berlin?": "bread",
}


@pytest.fixture(scope="module")
def read() -> pd.DataFrame:
    return structure.read(list(QUESTIONS), list(QUESTIONS.values()))


def test_what_is_read_of_questions(read):
    assert read.form.tolist() == [["who"], ["when"], ["yes or no"], ["what do"]]
    assert read.first_words.tolist() == [["who painted"], ["when did"], ["is vienna"], ["what do"]]
    assert read["shape"][0] == ["nsubj verb dobj"]
    assert [values[0] for values in read.answer] == ["PERSON", "DATE", "yes or no", "other"]
    assert read.groups.tolist() == [["none"], ["french"], ["none"], ["german"]]
    assert read.gender.tolist() == [["none"], ["he"], ["none"], ["she"]]
    assert read.names[2] == ["GPE"] and "NORP" in read.names[1]


@hypothesis(deadline=None)
@given(st.lists(st.sampled_from("abcd"), min_size=1), st.lists(st.sampled_from("abcd"), min_size=1))
def test_divergence_is_between_equal_and_disjoint(one, other):
    one, other = (structure.shares(pd.Series([[value] for value in values])) for values in (one, other))
    assert structure.divergence(one, one) == 0
    assert 0 <= structure.divergence(one, other) == structure.divergence(other, one) <= 1
    assert structure.divergence(one, other.rename(index=str.upper)) == 1


def asked(**shares: float) -> pd.DataFrame:
    """A thousand questions whose forms have these shares, and which are alike in all else."""
    forms = [form for form, share in shares.items() for _ in range(round(1000 * share))]
    rest = {aspect: [["x"]] * len(forms) for aspect in structure.ASPECTS}
    return pd.DataFrame(rest | {"form": [[form] for form in forms]})


def test_planted_gaps_are_found():
    """`who` comes nearer to test, `when` goes farther, and `how` changes by no more than chance."""
    sets = {
        "test": asked(who=0.4, when=0.2, how=0.4),
        "gold": asked(who=0.6, when=0.2, how=0.2),
        "synthetic": asked(when=0.8, how=0.2),
        "mixed": asked(who=0.4, when=0.39, how=0.21),
    }
    table = structure.gaps(sets)
    found = table[table.aspect == "form"].set_index("value")
    assert found.effect.to_dict() == {"who": "fills", "when": "widens", "how": ""}
    assert found.loc["who", ["test", "gold", "synthetic", "mixed"]].tolist() == [0.4, 0.6, 0, 0.4]
    assert (table[table.aspect != "form"].effect == "").all()
    numbers = structure.numbers(sets)
    assert "divergence" not in numbers["test"]["form"] and numbers["test"]["gender"]["entropy"] == 0
    assert numbers["mixed"]["form"]["divergence"] < numbers["synthetic"]["form"]["divergence"]


def test_scores_by_value():
    aspects = pd.concat([asked(who=0.002, when=0.001)], ignore_index=True)
    aspects["names"] = [["GPE", "PERSON"], ["GPE"], ["none"]]
    found = structure.scores(aspects, {"ships": pd.Series([1, 0, 1]), "gold": pd.Series([0, 0, 1])})
    found = found.set_index(["aspect", "value"])
    assert found.loc[("form", "who"), ["score_ships", "score_gold", "questions"]].tolist() == [0.5, 0, 2]
    assert found.loc[("names", "GPE"), "questions"] == 2 and found.loc[("names", "PERSON"), "score_ships"] == 1


def test_stage(fresh):
    """Of a task with a corpus, on predictions as `evaluate` and `baseline` write them; of others it is empty."""
    towns = [
        f"Who founded the town of {name}ville?" for name in ("Ash", "Birch", "Cedar", "Daisy", *map(str, range(4)))
    ]
    rows = pd.DataFrame({"id": [f"q-{place}" for place in range(8)], "source": towns, "target": "John Smith"})
    rows["references"] = [["John Smith"]] * 8
    data = fresh.folder / "data/webquestions"
    for name, part in {"validation": rows[:3], "selection": rows[3:4], "test": rows[4:]}.items():
        files.write(part, data / f"gold/{name}.parquet")
    made = pd.DataFrame({"id": ["s-0", "s-1"], "source": ["When was the mill burned?", "When did Mary die?"],
                         "target": ["1901", "May 1852"], "round": 0})  # fmt: skip
    files.write(made, data / "round2/train.parquet")
    for name, right in {"predictions": ["John Smith"] * 4, "baseline/predictions": ["Jane"] * 4}.items():
        told = rows[4:][["id", "references"]].assign(split="test", seed=0, predicted=right, probability=0.5)
        files.write(told, data / f"{name}.parquet")
    metrics = fresh.folder / "metrics/webquestions"
    files.write_json({"ships": "both"}, metrics / "choose.json")
    fresh.set({"task.webquestions.corpus": {"source": "x.jsonl"}})
    for name in ("webquestions", "reviews"):
        fresh.stage("structure", name)
    numbers, table = json.loads((metrics / "structure.json").read_text()), files.read(data / "structure.parquet")
    assert {part: found["questions"] for part, found in numbers.items() if "questions" in found} == dict.fromkeys(
        ["test", "gold", "synthetic", "mixed"], 2
    ), "as many of each as there are synthetic ones"
    assert numbers["gold"]["form"]["divergence"] == 0 and numbers["synthetic"]["form"]["divergence"] == 1
    who = table[(table.aspect == "form") & (table.value == "who")].iloc[0]
    assert (who.score_ships, who.score_gold, who.questions) == (1, 0, 4)
    assert np.isnan(table[table.value == "when"].score_ships.item()), "nobody asks so in test"
    assert json.loads((fresh.folder / "metrics/reviews/structure.json").read_text()) == {}
