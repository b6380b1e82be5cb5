"""What ships: planted synthetic rows that help, that hurt, that do nothing, and that give the answers away."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from stages import evaluate
from synthesis import UserError, files
from synthesis.filters.rows import Rows
from synthesis.method import choice, transfer
from synthesis.method.mixing import GOLD, SYNTHETIC, mix
from synthesis.params import Task as Settings
from synthesis.run import Run
from synthesis.students import folds, lesson
from synthesis.students.tuning import best_for_gold
from synthesis.tasks import classification, pair
from tests import planted, words_student
from tests.test_student import settings

TASK = classification.Task("t", Settings.model_construct(kind="classification", words={}))
STUDENT = settings("m", "words", weight_decay=0.5)
LABELS = "bad", "good"
VOCABULARY = 400  # words that tell a label, half of them each


@pytest.fixture(autouse=True)
def naive_bayes(monkeypatch):
    monkeypatch.setattr(lesson, "plugins", SimpleNamespace(load=lambda *_: words_student))


def told_by_words(count: int, seed: int, name: str, right: float = 1.0, known: int = VOCABULARY) -> pd.DataFrame:
    """Rows of three words that tell their label, out of the first `known` ones, and three that tell nothing.

    right: the share of rows whose label is the one that the words tell.
    """
    random, rows = np.random.default_rng(seed), []
    for place in range(count):
        label = place % 2
        telling = 2 * random.integers(0, known // 2, 3) + label
        words = [*(f"word{number}" for number in telling), *(f"noise{number}" for number in random.integers(0, 400, 3))]
        told = label if random.random() < right else 1 - label
        rows.append({"id": f"{name}-{place}", "text": " ".join(random.permutation(words)), "label": LABELS[told]})
    return pd.DataFrame(rows).assign(parent="")


def split(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Three quarters are validation, the others selection."""
    quarter = np.arange(len(rows)) % 4 == 3
    return {"validation": rows[~quarter], "selection": rows[quarter]}


def run(task=TASK, tune=None, **method):
    method = {"examples": 0, "add": "extrapolations", "folds": 4, "label": "teacher", "weight": None} | method
    given = SimpleNamespace(method=SimpleNamespace(**method), teacher=SimpleNamespace(tune=tune), seed=13)
    return SimpleNamespace(task=task, params=given)


def judged(synthetic: pd.DataFrame, gold: dict[str, pd.DataFrame], task=TASK, **method) -> dict[str, dict]:
    _, alone = best_for_gold(task, gold, STUDENT, [], folds=4)
    return choice.compare(choice.judge(run(task, **method), synthetic, gold, STUDENT, alone))


@pytest.mark.parametrize("seed", range(5))
def test_rows_that_help_ship(seed):
    """Many rows of a teacher that knows all words, beside few gold rows."""
    found = judged(told_by_words(600, seed, "seed"), split(told_by_words(60, 100 + seed, "gold")))
    assert choice.choose(found) != GOLD
    assert found["balanced"]["difference"] > 2 * found["balanced"]["error"] > 0
    assert found[GOLD]["judged"] == 60, "validation and selection rows, each once"


@pytest.mark.parametrize("seed", range(5))
def test_rows_that_hurt_do_not_ship(seed):
    """Two labels of three are wrong. What is far behind after a fold is not tried on the others."""
    found = judged(told_by_words(600, seed, "seed", right=1 / 3), split(told_by_words(200, 100 + seed, "gold")))
    assert choice.choose(found) == GOLD
    assert found[SYNTHETIC]["difference"] < -2 * found[SYNTHETIC]["error"]
    assert found[SYNTHETIC]["judged"] < found[GOLD]["judged"] == 200


def test_rows_of_no_effect_seldom_ship():
    """Labels at random, on words that no gold row has: by chance something ships at times, and then it does no harm."""
    ships = []
    for seed in range(20):
        synthetic = told_by_words(100, seed, "seed", right=0.5)
        synthetic.text = synthetic.text.str.replace("word", "other").str.replace("noise", "rest")
        ships.append(choice.choose(judged(synthetic, split(told_by_words(120, 100 + seed, "gold")))))
    assert ships.count(GOLD) >= 17


@pytest.mark.parametrize("leak", ["parent", "copy", "quote"])
def test_a_row_made_from_a_gold_row_is_not_learned_where_that_is_asked_about(leak):
    """Gold labels are at random: nothing but what was made from the very row can tell them."""
    random = np.random.default_rng(0)
    texts = [" ".join(f"w{number}" for number in random.integers(0, 10**6, 14)) for _ in range(80)]
    labels = random.permutation([*LABELS] * 40)
    rows = pd.DataFrame({"id": [f"g{i}" for i in range(80)], "text": texts, "label": labels})
    made = {
        "parent": [f"another row on {text.split()[0]} and {text.split()[5]}" for text in texts],
        "copy": [text.upper() + " " for text in texts],
        "quote": [f"as they say {text}" for text in texts],
    }[leak]
    parents = rows.id if leak == "parent" else ""
    synthetic = rows.assign(id=[f"seed-{i}" for i in range(80)], text=made, parent=parents)
    found = judged(synthetic, split(rows))
    assert choice.choose(found) == GOLD
    for name in choice.RIVALS:
        assert found[name]["score"] < 0.7, "what is not known can only be guessed"
    learned = words_student.fit(lesson.Lesson(lesson.examples(TASK, synthetic), STUDENT, sorted(LABELS)))[0]
    right = learned.predict(texts).argmax(axis=1) == [sorted(LABELS).index(label) for label in labels]
    assert right.mean() > 0.9, "the rows do give the answers away"


def test_a_row_about_the_premise_of_a_gold_row_is_not_learned_either():
    task = pair.Task("p", Settings.model_construct(kind="pair", words={}, gold=SimpleNamespace(columns={})))
    gold = pd.DataFrame({"id": ["g0", "g1"], "premise": ["It rains.", "It snows."], "hypothesis": ["Wet.", "Cold."]})
    synthetic = gold.assign(
        id=["seed-0", "seed-1"], premise=["it  RAINS.", "It hails."], hypothesis="A day.", parent=""
    )
    kept = choice.without(task, Rows(synthetic.assign(label="yes"), task), gold.head(1).assign(label="yes"))
    assert kept.id.tolist() == ["seed-1"]


def test_a_teacher_that_saw_validation_rows_is_judged_on_the_others():
    gold, synthetic = split(told_by_words(120, 1, "gold")), told_by_words(300, 2, "seed")
    rest = {"label": "soft"}, {"label": "agree"}, {"weight": "mmd"}, {"tune": "gold"}
    for method in ({"examples": 2}, {"add": "feedback"}, *rest):
        assert judged(synthetic, gold, **method)[GOLD]["judged"] == len(gold["selection"])


@pytest.mark.parametrize(
    "change", [{"method.examples": 2}, {"method.label": "agree"}, {"method.weight": "mmd"}, {"teacher.tune": "gold"}]
)
def test_rows_that_owe_something_to_all_gold_rows_cannot_be_judged(change):
    changes = {"gold.protocol": "paper", "teacher.provider": "transformers", **change}
    with pytest.raises(UserError, match=r"no gold row to judge by.*gold\.protocol: honest"):
        planted.run({**changes, "method.learn": "best"})
    assert planted.run({**changes, "method.learn": "both"})


def test_a_difference_of_a_standard_error_is_a_tie_and_gold_alone_ships():
    def found(**differences):
        rows = {name: {"score": 0.7 + gain, "difference": gain, "error": 0.02} for name, gain in differences.items()}
        return {GOLD: {"score": 0.7}} | rows

    assert choice.choose(found(both=0.02, balanced=-0.1, synthetic=0.0)) == GOLD
    assert choice.choose(found(both=0.03, balanced=-0.1, synthetic=0.0)) == "both"
    assert choice.choose(found(both=0.03, balanced=0.04, synthetic=0.035)) == "balanced"


def test_folds_ask_about_each_row_once_and_keep_groups_together():
    rows = told_by_words(50, 0, "gold")
    rows.text = [rows.text[place // 2 * 2].swapcase() if place % 2 else text for place, text in enumerate(rows.text)]
    parts = folds.cut(TASK, rows, 4)
    assert sorted(id_ for part in parts for id_ in part.asked.id) == sorted(rows.id)
    for part in parts:
        assert not set(part.learned.text.str.lower()) & set(part.asked.text.str.lower())
        assert len(part.learned) + len(part.asked) == 50
    with pytest.raises(UserError, match=r"method\.folds is 4.*3 groups"):
        folds.cut(TASK, told_by_words(3, 0, "gold"), 4)


@pytest.mark.parametrize("count", [5, 30, 31, 60, 100])
def test_balanced_repeats_gold_rows_evenly(count):
    gold, synthetic = told_by_words(30, 0, "gold"), told_by_words(count, 1, "seed")
    mixture = mix("balanced", TASK, synthetic, gold, 13)
    times = mixture.gold.id.value_counts()
    assert len(mixture.synthetic) == count
    assert len(mixture.gold) == max(30, count)
    assert set(times.index) == set(gold.id)
    assert times.max() - times.min() <= 1


@pytest.mark.parametrize(("learn", "rows"), [("gold", 120), ("both", None), ("balanced", None)])
def test_what_ships_is_what_the_parameters_say(repository, learn, rows):
    """And a student of gold rows alone is the gold baseline itself, file by file."""
    repository.set({"method.learn": learn})
    for name in ("choose", "evaluate"):
        repository.stage(name, "reviews")
    folder = repository.folder
    told = json.loads((folder / "metrics/reviews/final.json").read_text())
    assert told["ships"] == learn
    assert "validation" not in told, "a student that has learned these rows is not asked about them"
    assert told["synthetic"]["synthetic_rows"] == len(files.read(folder / "data/reviews/round2/train.parquet"))
    facts = json.loads((folder / "data/reviews/student/student.json").read_text())
    assert told["calibration"]["rows"] == 30, "a student like it, which has not learned them, answers selection rows"
    assert told["calibration"]["temperature"] == facts["temperature"] != 1
    if learn == GOLD:
        assert told["rows"] == rows
        for name in ("student/words.json", "curve.csv"):
            own, baseline = (folder / "data/reviews" / place / name for place in ("", "baseline"))
            assert own.read_bytes() == baseline.read_bytes()


def test_settings_are_tried_on_selection_rows_that_are_not_learned(repository, monkeypatch):
    class Tried(Exception):
        pass

    def best_settings(task, rows, gold, *_):
        raise Tried(rows, gold)

    monkeypatch.chdir(repository.folder)
    monkeypatch.setattr(evaluate, "best_settings", best_settings)
    run = Run.of("reviews")
    method = run.params.method.model_copy(update={"tune": [{}]})
    run = replace(run, params=run.params.model_copy(update={"method": method}))
    with pytest.raises(Tried) as tried:
        evaluate.tuned(run, "both", transfer.final_rows(run), STUDENT)
    rows, gold = tried.value.args
    assert set(gold["validation"].id) <= set(rows.id)
    assert not set(gold["selection"].id) & set(rows.id)


def test_what_is_judged_is_what_the_final_student_learns(repository, tmp_path):
    """Rows of another project that take the place of the seed data for the final student only."""
    theirs = told_by_words(40, 0, "theirs")[["text"]].assign(label=["positive", "negative"] * 20)
    theirs.to_json(tmp_path / "theirs.jsonl", orient="records", lines=True)
    changes = {"method.transfer.file": str(tmp_path / "theirs.jsonl"), "method.transfer.into": "final"}
    before = repository.stale()
    repository.set(changes | {"method.learn": "best"})
    assert {"choose@reviews", "evaluate@reviews"} <= repository.stale() - before
    repository.stage("choose", "reviews")
    other = json.loads((repository.folder / "metrics/reviews/choose.json").read_text())["judged"][SYNTHETIC]
    repository.set({"method.transfer.file": None})
    repository.stage("choose", "reviews")
    own = json.loads((repository.folder / "metrics/reviews/choose.json").read_text())["judged"][SYNTHETIC]
    assert other != own
