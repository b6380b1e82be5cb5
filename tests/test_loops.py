"""Better loops than S3's own: what each value of method.* does, on teachers and gold rows with planted faults."""

import json
import time
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from synthesis import UserError
from synthesis import files as table
from synthesis.comparison import study as studies
from synthesis.filters import sift
from synthesis.method import additions, lists
from synthesis.method.additions import turns
from synthesis.method.mining import Findings, mine
from synthesis.params import Task as Settings
from synthesis.rows import synthesize
from synthesis.run import Run
from synthesis.students import probe
from synthesis.students.base import Examples, Lesson
from synthesis.students.cross_fit import GoldProbe
from synthesis.tasks import classification, span_qa
from synthesis.teacher import plans
from synthesis.teacher.request import Answer, Request
from tests import planted
from tests.planted import LABELS

TASK = classification.Task("t", Settings.model_construct(kind="classification", words={}))
QUESTIONS = span_qa.Task("q", Settings.model_construct(kind="span_qa", words={}))
NO_REASONS = pd.DataFrame(columns=["label", "rationale"])
TWO = ("label", "predicted")


@pytest.fixture
def words(tmp_path, monkeypatch):
    """Prompts and an empty folder of data; probes read bags of words."""
    (tmp_path / "prompts").symlink_to(Path("prompts").resolve())
    (tmp_path / "params.yaml").symlink_to(Path("params.yaml").resolve())
    monkeypatch.chdir(tmp_path)
    planted.use_words(monkeypatch)


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


def test_the_turns_of_many_errors_take_no_longer_for_each_of_them():
    began = time.process_time()
    turns([1.0] * 10_000, 50_000)
    assert time.process_time() - began < 5  # looking at all errors in each turn takes 40 s


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


# Rows by the student's loss


def predictions(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Of a student that is mostly right about the truth, and knows nothing of labels that differ from it."""
    sure = np.clip(np.random.default_rng(seed).normal(0.75, 0.2, len(rows)), 0.01, 0.99)
    positive = np.where(rows.truth == "positive", sure, 1 - sure)
    return TASK.predictions(rows, np.column_stack([1 - positive, positive]), list(LABELS))


def found(rows: pd.DataFrame, seed: int = 0) -> Findings:
    gold = rows[["id", "text", "label"]]
    return Findings(0, predictions(rows, seed), gold, gold.head(0), pd.DataFrame(), list(LABELS), pd.DataFrame())


@pytest.mark.parametrize("seed", range(2))
def test_rows_of_high_loss_are_mined_and_mislabelled_ones_are_not(words, seed):
    """Of the gold rows 15% are mislabelled: among the errors they are a third or more."""
    rows = planted.told_by_words(160, seed, "gold", wrong=0.15)
    wrong = set(rows.id[rows.label != rows.truth])
    errors, mined = (mine(planted.run({"method.mine": how}), found(rows, seed)) for how in ("errors", "loss"))
    assert len(mined) == len(errors), "as many as there are errors"
    assert errors.id.isin(wrong).mean() > 0.3
    assert mined.id.isin(wrong).mean() < errors.id.isin(wrong).mean() / 3
    assert (mined.loss.diff().dropna() <= 0).all()
    right = mined.predicted == mined.label
    assert right.any(), "rows that it gets right, but only just"
    assert mined[right].loss.min() > TASK.losses(predictions(rows, seed)).median()


def test_so_many_rows_of_high_loss_as_are_asked_for(words):
    rows = planted.told_by_words(60, 1, "gold")
    mined = mine(planted.run({"method.mine": "loss", "method.mined": [7, 3]}), found(rows))
    assert len(mined) == 7 and mined.index.is_unique
    again = mine(planted.run({"method.mine": "loss", "method.mined": [7, 3]}), found(rows))
    assert again.equals(mined)


def test_the_loss_of_an_answer_without_probabilities_is_what_its_score_lacks():
    told = pd.DataFrame({"predicted": ["the mill", "a mill of old", "Ann"], "answers": [["mill"]] * 3})
    assert QUESTIONS.losses(told).round(3).tolist() == [0, 0.5, 1]


def test_a_gold_row_is_judged_by_the_others_and_what_was_made_of_it_as_well(words):
    """The row is mislabelled: a probe that had learned it would bear it out more."""
    rows = planted.told_by_words(120, 0, "gold", wrong=0.1)
    run, odd = planted.run(), rows[rows.label != rows.truth]
    gold = GoldProbe(TASK, rows, run.student)
    made = odd.assign(parent=odd.id, id="round1-" + odd.id, text=odd.text + " more")
    unrelated = gold.probabilities(made.assign(parent=""))
    own = [LABELS.index(label) for label in odd.label]
    assert (gold.probabilities(made)[range(len(odd)), own] < unrelated[range(len(odd)), own]).all()
    assert gold.contradicted(odd).mean() > 0.7 > 0.1 > gold.contradicted(rows[rows.label == rows.truth]).mean()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("labels", ["ab", "aab", "abb", "abc", "abcc", "aabbcd", "aaaaab"])
@pytest.mark.parametrize("texts", [1, 2, 9])
def test_very_few_gold_rows_can_be_asked(words, labels, texts, weighted):
    """Where no label stands twice, or in more than one part of the rows, there is nothing to validate a probe by."""
    rows = pd.DataFrame({"label": list(labels), "parent": ""}).rename_axis("id").reset_index()
    rows["text"] = [f"word{place % texts} {label}" for place, label in zip(rows.id, rows.label, strict=True)]
    names, settings = sorted(set(labels)), planted.run().student
    own = (rows.label.to_numpy()[:, None] == np.array(names)).astype(np.float32)
    learned = Examples(rows.text.tolist(), rows.label.tolist(), own if weighted else None)
    [student] = probe.fit(Lesson(learned, settings, names))
    assert (student.predict(learned.inputs).argmax(1) == own.argmax(1)).all()
    shares = GoldProbe(TASK, rows, settings).probabilities(rows)
    assert np.allclose(shares.sum(1), 1)


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"method.additional_rows": [5]}, "method.additional_rows has 1 counts for 2 rounds"),
        ({"method.additional_rows": 5, "method.add": "copies"}, "additional_rows is shared over rows that are"),
        ({"method.additional_rows": 0}, "method.additional_rows"),
        ({"baseline.shares": []}, "baseline.shares: list should have at least 1 item"),
        ({"method.mined": [5, -1]}, "method.mined.1: input should be greater than or equal to 0"),
    ],
)
def test_values_that_do_not_fit(params, told):
    with pytest.raises(UserError, match=told):
        planted.run(params)


# Clusters of errors


def about(topic: str, count: int, seed: int, name: str, right: bool = True) -> pd.DataFrame:
    """Rows with three words of a topic beside those that tell the label; right: whether the label is what they tell."""
    rows, random = planted.told_by_words(count, seed, name), np.random.default_rng(seed)
    rows.text = [f"{text} " + " ".join(f"{topic}{n}" for n in random.integers(0, 3, 8)) for text in rows.text]
    return rows if right else rows.assign(label=rows.label.map(dict(zip(LABELS, LABELS[::-1], strict=True))))


def answers(gold: pd.DataFrame, wrong: np.ndarray, q: int) -> pd.DataFrame:
    positive = np.where((gold.label == "positive") != wrong, 0.8, 0.2)
    return TASK.predictions(gold, np.column_stack([1 - positive, positive]), list(LABELS)).assign(round=q)


def test_a_cluster_gets_rows_by_what_the_last_round_mended_and_none_if_they_hurt_the_rest(words):
    """The rows of topic a mend much, those of b little; those of c have wrong labels."""
    gold = pd.concat([about(topic, 40, place, topic) for place, topic in enumerate("abc")], ignore_index=True)
    topic, number = gold.id.str[0].to_numpy(), gold.id.str[2:].astype(int).to_numpy()
    before = number < 9
    now = before & (number < np.select([topic == "a", topic == "b"], [1, 8], 4))
    parents = {name: gold.id[(topic == name) & before].tolist() * (8 if name == "c" else 2) for name in "abc"}
    train = pd.concat([
        planted.told_by_words(40, 9, "seed").assign(round=0, parent=""),
        *(about(name, len(parents[name]), 10 + place, "new", name != "c").assign(round=1, parent=parents[name])
          for place, name in enumerate("abc")),
    ])  # fmt: skip
    findings = Findings(1, answers(gold, now, 1), gold, train, pd.DataFrame(), [*LABELS], answers(gold, before, 0))
    run = planted.run({"method.mine": "clusters", "method.additional_rows": 40, "prompts": "s3"})
    mined = mine(run, findings)
    assert set(mined.id.str[0]) == {"a", "b"}, "rows like those of c made others worse"
    shares = mined.groupby(mined.id.str[0]).share.agg(["min", "max"])
    assert shares.loc["a", "min"] > 3 * shares.loc["b", "max"]
    rows = additions.plan(run, mined, pd.DataFrame(), 1).rows
    got = pd.Series([row["id"][0] for row in rows]).value_counts()
    assert len(rows) == 40 and got["a"] > 3 * got["b"] / 8, "by error"
    assert mine(run, findings).equals(mined)


def test_in_round_0_all_errors_count_alike(words):
    gold = pd.concat([about(topic, 30, place, topic) for place, topic in enumerate("ab")], ignore_index=True)
    wrong = gold.id.str[2:].astype(int).to_numpy() < np.where(gold.id.str[0] == "a", 15, 8)
    findings = Findings(0, answers(gold, wrong, 0), gold, gold.head(0), pd.DataFrame(), [*LABELS], pd.DataFrame())
    mined = mine(planted.run({"method.mine": "clusters"}), findings)
    assert mined.id.tolist() == gold.id[wrong].tolist() and set(mined.share) == {1.0}
    assert mined.groupby(mined.id.str[0]).cluster.nunique().tolist() == [1, 1]
    assert mined.cluster.nunique() == 2


def test_no_errors_are_no_clusters(words):
    gold = about("a", 20, 0, "a")
    told = answers(gold, np.zeros(20, bool), 0)
    findings = Findings(0, told, gold, gold.head(0), pd.DataFrame(), [*LABELS], pd.DataFrame())
    run = planted.run({"method.mine": "clusters", "method.additional_rows": 9})
    mined = mine(run, findings)
    assert mined.empty and not additions.plan(run, mined, pd.DataFrame(), 0).rows


# Several rows in an answer


def text(label: str, number: int, count: int = 6) -> str:
    """One that tells the label, and that no other number has."""
    random = np.random.default_rng([number, LABELS.index(label)])
    words = [f"word{2 * n + LABELS.index(label)}" for n in random.integers(0, planted.WORDS // 2, count)]
    return " ".join([*words, *planted._noise(random)])


def written(monkeypatch, answer, changes: dict, seed_rows: int = 0, mined: pd.DataFrame | None = None):
    """The rows of a teacher that answers so, what is told about them, and the prompts: of round 1 if rows are mined."""
    run = planted.run({"prompts": "direct", "task.reviews.seed_rows": seed_rows or 1} | changes)
    gold = planted.told_by_words(60, 0, "gold")
    planted.write_gold(run, gold, planted.told_by_words(20, 1, "selection"), planted.told_by_words(20, 2, "test"))
    asked = planted.teach(monkeypatch, answer)
    if mined is None:
        rows, told = synthesize(run, plans.seed(run, [*LABELS], NO_REASONS, pd.DataFrame(), gold), 0)
    else:
        table.write(planted.told_by_words(10, 3, "seed").assign(rejected=""), run.paths.train(0))
        rows, told = synthesize(run, additions.plan(run, mined, pd.DataFrame(), 0), 1)
    return rows, told, asked


def kept(rows: pd.DataFrame, run: Run) -> pd.DataFrame:
    sifted = sift(rows, rows.head(0), run.gold(), run)
    return sifted[sifted.rejected == ""]


def numbered(texts) -> str:
    return "\n".join(f"{place}. {each}" for place, each in enumerate(texts, 1))


def test_five_rows_of_an_answer_cost_a_fifth_of_the_calls(words, monkeypatch):
    def teacher(slots, sample):
        if "count" not in slots:
            return text(slots["label"], sample)
        return numbered(text(slots["label"], 100 + 10 * sample + n) for n in range(slots["count"]))

    _, one, _ = written(monkeypatch, teacher, {}, 40)
    rows, five, asked = written(monkeypatch, teacher, {"method.rows_per_request": 5}, 40)
    assert (one["accepted"], one["calls"]) == (40, 40) and (five["accepted"], five["calls"]) == (40, 8)
    assert "5" in asked[0] and "numbered list" in asked[0]
    assert rows["item"].tolist() == [0, 1, 2, 3, 4] * 8
    assert rows.groupby(["request", "sample"]).size().tolist() == [5] * 8
    assert rows.label.tolist() == [LABELS[place // 5 % 2] for place in range(40)]
    assert [planted.truth(each) for each in rows.text] == rows.label.tolist()


def test_a_teacher_that_repeats_itself_and_stops_early_is_asked_again(words, monkeypatch):
    """Of five texts four come, two of which are the same: what lacks is taken from other answers, in their order."""

    def teacher(slots, sample):
        own = [text(slots["label"], 1000 + 10 * sample + n) for n in range(3)]
        return "Sure, here are five reviews:\n\n" + numbered([own[0], own[0], own[1], own[2]])

    rows, told, _ = written(monkeypatch, teacher, {"method.rows_per_request": 5}, 20)
    assert told["accepted"] == told["wanted"] == 20
    assert (rows.rejected == "too few texts in the list").sum() >= 4
    assert told["calls"] == 12, "fewer than one a row, all the same"
    good = kept(rows, planted.run())
    assert len(good) == 20 == good.text.nunique() and good.label.value_counts().tolist() == [10, 10]
    first = rows.set_index("id").label
    assert all(row.label == first[row.replaces] for row in rows.itertuples() if row.replaces)
    assert not rows[rows.rejected == ""].duplicated(["request", "sample", "item"]).any()


def test_a_teacher_that_writes_no_list_leaves_no_row(words, monkeypatch):
    with pytest.raises(UserError, match=r"no list"):
        written(monkeypatch, lambda slots, sample: text(slots["label"], sample), {"method.rows_per_request": 4}, 40)
    rows, told, _ = written(monkeypatch, lambda *_: "one text", {"method.rows_per_request": 3}, 6)
    assert told["accepted"] == 0 and set(rows.rejected) == {"no list"}


def test_a_prompt_without_a_place_for_the_count_says_so(words, monkeypatch):
    with pytest.raises(UserError, match=r"prompts/reviews/short/seed\.md shows no `count`: method\.rows_per_request"):
        written(monkeypatch, lambda *_: "", {"method.rows_per_request": 4, "prompts": "short"}, 8)


def test_more_seed_rows_ask_for_more_answers_only(words):
    run, gold = planted.run({"prompts": "direct"}), planted.told_by_words(60, 0, "gold")

    def plan(count: int):
        changes = {"task.reviews.seed_rows": count, "method.rows_per_request": 3, "method.examples": 2}
        found = planted.run({"prompts": "direct"} | changes)
        return plans.seed(found, [*LABELS], NO_REASONS, pd.DataFrame(), gold)

    few, many = plan(10), plan(17)
    assert many.requests[: len(few.requests)] == few.requests and many.rows[:10] == few.rows
    assert many.asks[:10] == few.asks == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]
    assert run.params.method.rows_per_request == 1


@hypothesis(derandomize=True, deadline=None)
@given(st.text(), st.integers(0, 5), st.sampled_from(["seed", "contrast"]))
def test_any_answer_gives_a_text_or_a_reason(answer, place, step):
    request = Request(step, "a prompt", {"label": "positive", "predicted": "negative"}, texts=2)
    whole = Answer(answer, "", 0, 0, "", "m", lists.check(answer, request)[1])
    found = lists.pick(whole, place % (2 if step == "contrast" else 6), request, TASK.check, 2)
    assert found.rejected or found.text.strip()


# Contrasts


MINED = pd.DataFrame({
    "id": [f"gold-{i}" for i in range(8)], "text": [text("positive", 50 + i) for i in range(8)],
    "label": "positive", "predicted": ["negative"] * 7 + ["positive"],
})  # fmt: skip
CONTRASTS = {"method.add": "contrasts"}


def test_of_each_error_there_is_a_row_of_its_label_and_one_of_the_student_s(words, monkeypatch):
    """All errors are of one label: extrapolations teach the student to say it always, contrasts do not."""

    def teacher(slots, sample):
        if "predicted" not in slots:
            return text(slots["label"], 200 + sample)
        return numbered(text(slots[name], crc32(slots["text"].encode()) + sample) for name in TWO)

    rows, told, asked = written(monkeypatch, teacher, CONTRASTS, mined=MINED)
    assert told["accepted"] == 16 and told["calls"] == 8 == len(asked)
    assert rows.label.value_counts().to_dict() == {"positive": 8, "negative": 8}
    assert [planted.truth(each) for each in rows.text] == rows.label.tolist()
    assert rows.parent.tolist() == MINED.id.repeat(2).tolist()
    rows, told, _ = written(monkeypatch, teacher, CONTRASTS | {"method.additional_rows": 11}, mined=MINED)
    assert told["accepted"] == 11 == len(rows), "an odd number ends with one of two"


def test_labels_before_the_texts_do_not_give_rows_away_and_texts_in_the_wrong_order_are_rejected(words, monkeypatch):
    def teacher(slots, sample):
        order, number = TWO if sample < 10 else TWO[::-1], crc32(slots["text"].encode())
        return numbered(f"**{slots[name].title()} review:** {text(slots[name], number)}" for name in order)

    rows, told, _ = written(monkeypatch, teacher, CONTRASTS | {"method.replacements": 0.0}, mined=MINED)
    assert told["accepted"] == 16 and not rows.text.str.contains("review", case=False).any()
    rows, told, _ = written(monkeypatch, lambda slots, sample: teacher(slots, 10), CONTRASTS, mined=MINED)
    assert told["accepted"] == 0 and set(rows.rejected) == {"the other label"}


def test_a_contrast_of_which_one_text_lacks_is_replaced_by_the_text_at_its_own_place(words, monkeypatch):
    def teacher(slots, sample):
        second = "Фильм скучный." if sample < 10 else text(slots["predicted"], 500 + sample)
        return numbered([text(slots["label"], 600 + int(slots["text"][-1]) + 10 * sample), second])

    rows, told, _ = written(monkeypatch, teacher, CONTRASTS, mined=MINED.head(1))
    assert rows["item"].tolist() == [0, 1, 1] and told["accepted"] == 2
    assert rows["sample"].tolist() == [0, 0, 1_000_001]
    assert planted.truth(rows.text[2]) == rows.label[2] == "negative"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"method.add": "contrasts"}, "method.add: contrasts needs labels, and task `webnlg`"),
        ({"method.mine": "clusters"}, "method.mine: clusters needs labels, and task `webnlg`"),
        ({"method.influence": True}, "method.influence needs labels, and task `webnlg`"),
        ({"method.label": "agree"}, "method.label: agree needs labels, and task `webnlg`"),
        ({"method.label": "soft"}, "method.label: soft needs labels, and task `webnlg`"),
        ({"method.weight": "mmd"}, "method.weight needs labels, and task `webnlg`"),
        ({"verify.student": "drop"}, "verify.student needs labels, and task `webnlg`"),
        ({"verify.teacher": "relabel"}, "verify.teacher: relabel needs labels, and task `webnlg`"),
        ({"verify.teacher": "likelihood"}, "verify.teacher: likelihood needs labels, and task `webnlg`"),
        (
            {"method.learn": "mix", "method.replay": {"file": "x.parquet", "share": 0.2}, "tasks": ["reviews"]},
            "method.replay needs a student that writes texts, and task `reviews`",
        ),
    ],
)
def test_what_a_kind_has_no_use_for_is_told_before_anything_is_asked_or_learned(fresh, changes, told):
    fresh.set({"tasks": ["webnlg"], **changes})
    [task] = changes.get("tasks", ["webnlg"])
    done = fresh.stage("gold", task, ok=False)
    assert done.returncode == 1 and done.stderr.startswith(f"error: {told}, of kind ")
    assert len(done.stderr.splitlines()) == 1
    done = fresh.command("estimate", ok=False)
    assert done.returncode == 1 and f"error: {told}" in done.stderr


def test_the_template_teacher_writes_lists_and_contrasts(words):
    run = planted.run({"teacher.provider": "template", "prompts": "direct", "task.reviews.seed_rows": 6} | CONTRASTS)
    gold = planted.told_by_words(20, 0, "gold")
    planted.write_gold(run, gold, gold.head(0), gold.head(0))
    table.write(gold.head(2).assign(rejected=""), run.paths.train(0))
    error = pd.DataFrame([["gold-0", "A dull film with weak music.", "negative", "positive"]], columns=MINED.columns)
    rows, _ = synthesize(run, additions.plan(run, error, pd.DataFrame(), 0), 1)
    assert rows.label.tolist() == ["negative", "positive"] and (rows.rejected == "").all()


# The study


@pytest.mark.parametrize("task", ["reviews", "adversarial_qa"])
def test_the_study_of_loops_has_as_many_rows_in_every_arm_of_a_budget(task):
    content = yaml.safe_load(Path("params.yaml").read_text())
    arms = studies.load("loops").expand(task, {"budget": [50, 400]}, {})
    accepted = {"s3-50": [300, 90, 0], "s3-400": [300, 100, 100]}
    for arm in arms:
        values = arm.overrides(accepted.__getitem__)
        params = studies.override(content, values, arm.name)
        budget = arm.name.rpartition("-")[2]
        assert params.gold.budget == int(budget)
        rows = accepted[f"s3-{budget}"]
        if params.method.mine == "nothing":
            assert params.task[task].seed_rows == sum(rows)
        elif arm.name not in accepted and params.method.learn == "synthetic":
            assert params.method.additional_rows == rows[1:]
    assert len(arms) == len({arm.name for arm in arms}) > 30


# All of it, through the front door


@pytest.mark.slow
def test_a_run_with_everything_at_once(fresh):
    """And the choice of what ships is made on selection rows, which no label or weight comes from."""
    fresh.set({"prompts": "direct", "student.kind": "probe", "method.learn": "best", "method.mine": "clusters"})
    fresh.set({"method.add": "contrasts", "method.additional_rows": 20, "method.rows_per_request": 3})
    fresh.set({"method.label": "agree", "method.weight": "mmd"})
    assert "report@reviews" in fresh.repro()
    told = metric(fresh, "round0/extrapolate.json")
    assert told["accepted"] <= told["wanted"] == 20 and told["calls"] < told["rows"]
    assert metric(fresh, "seed.json")["calls"] < metric(fresh, "seed.json")["rows"] / 2
    rows = read(fresh, "round2/train.parquet")
    assert rows[["weight(negative)", "weight(positive)"]].sum(axis=1).mean() == pytest.approx(1)
    judged = metric(fresh, "choose.json")["judged"]
    assert judged["gold"]["judged"] == metric(fresh, "gold.json")["selection"]
    added = rows[rows["round"] == 1].iloc[-1]
    found = json.loads(fresh.command("lineage", added.id, "--json").stdout)
    assert found["gold"]["id"] == added.parent
    assert not found["prompt"]["text"].startswith("unknown")
    seeded = json.loads(fresh.command("lineage", rows.id[0], "--json").stdout)
    assert not seeded["prompt"]["text"].startswith("unknown")
    fresh.set({"method.weight": "dimp"})
    assert fresh.stale() >= {"start@reviews", "combine@reviews-round0"} and "seed@reviews" not in fresh.stale()
