"""Pairs and question answering: gold rows, what is asked, and which answers are taken."""

import json
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthesis import UserError
from synthesis import files as table
from synthesis.params import Task as Settings
from synthesis.tasks import pair, span_qa
from synthesis.tasks.base import Material
from synthesis.teacher.prompt import Prompt
from synthesis.teacher.request import Request
from tests import people
from tests.people import add, context, facts


def described(kind: str, **columns) -> Settings:
    source = {"source": "s", "test": None, "columns": columns, "labels": {}}
    gold = {**source, "budget": None, "test_rows": 1, "overlap": "drop"}
    task = {"kind": kind, "gold": gold, "seed_rows": 1, "templates": None, "words": {"yes": "in"}, "answers": "gold"}
    return Settings.model_validate(task)


RTE = pair.Task("rte", described("pair"))
QNLI = pair.Task("qnli", described("pair", question="question"))
QA = span_qa.Task("qa", described("span_qa"))
TEXT = "The bridge was built in 1931. Its builder, Ada Holm, sold it in 1950 for 90 pounds."


def reason(task, text: str, prompt: str = "", **slots) -> str | None:
    return task.check(text, Request("seed", prompt, slots))[1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Ada Holm built a bridge.", None),
        (TEXT.upper() + " ", "equals its premise"),
        ("ada holm sold it", "equals the row that it should extrapolate"),
        ('"Ada Holm sold a bridge.', "stray quote"),
        ('"Ada" and "Holm"', None),
        ("The sentence that follows is certainly correct: a bridge.", "echo of the prompt"),
    ],
)
def test_hypotheses(text, told):
    prompt = f"{TEXT}\nSay whether the sentence that follows is certainly correct: ada holm sold it"
    assert reason(RTE, text, prompt, premise=TEXT, hypothesis="Ada Holm sold it.", label="in") == told


def test_words_of_the_premise_are_no_echo():
    text = "The bridge was built in 1931 and sold."
    assert reason(RTE, text, f"{TEXT} Now write a sentence.", premise=TEXT, label="in") is None


@pytest.mark.parametrize(("text", "told"), [("When was it built?", None), ("It was built.", "no question mark")])
def test_questions_of_pairs(text, told):
    assert reason(QNLI, text, premise=TEXT, label="in") == told


def test_the_answers_of_a_long_context_are_found_at_once():
    answers = [f"fact{number:05}" for number in range(20_000)]
    rows = pd.DataFrame({"context": " ".join(answers), "answer": answers, "answer_start": range(0, 200_000, 10)})
    began = time.process_time()
    assert QA.contexts(rows[::20]).equals(rows[::20])
    assert time.process_time() - began < 5  # comparing an answer with the context letter by letter takes 10 s and more


@pytest.mark.parametrize(
    ("answer", "text", "told"),
    [
        ("1931", "When was the bridge built?", None),
        ("1931", "When was the bridge built", "no question mark"),
        ("Ada Holm", "What did ADA HOLM sell?", "answer in the question"),
        ("Ada Holm", "Who was Adahol Mars?", None),
        ("1877", "When was the bridge built?", "answer absent from its context"),
        ("in", "Where was the bridge built?", "answer occurs more than once"),
    ],
)
def test_questions_of_answers(answer, text, told):
    assert reason(QA, text, context=TEXT, answer=answer) == told


@given(text=st.text(max_size=60), context=st.text(max_size=60), answer=st.text(min_size=1, max_size=5))
@settings(derandomize=True, deadline=None)
def test_any_answer_is_judged_and_left_as_it_is(text, context, answer):
    shown = {RTE: {"premise": context}, QNLI: {"premise": context}, QA: {"context": context, "answer": answer}}
    for task, slots in shown.items():
        said, why = task.check(text, Request("seed", context + text, {"label": "x", **slots}))
        assert said == text
        assert why is None or isinstance(why, str)


def gold(answer, start=None, context=TEXT):
    frame = pd.DataFrame({"context": [context], "question": ["When?"], "answer": [answer]}, index=[7])
    return QA.check_gold(frame if start is None else frame.assign(answer_start=[start]), "qa.csv", None)


@pytest.mark.parametrize(
    ("answer", "start", "answers"),
    [
        ("1931", None, ["1931"]),
        ("1931", "", ["1931"]),
        ("1931", "24", ["1931"]),
        ("1931", 24.0, ["1931"]),
        ("1931", " 24.0 ", ["1931"]),
        (["1931", "in 1931"], [24, 21], ["1931", "in 1931"]),
        (np.array(["1931"], dtype=object), np.array(["24"], dtype=object), ["1931"]),
        (["1931"], [], ["1931"]),
        ([{"text": "1931", "answer_start": 24}, {"text": "in 1931", "answer_start": 21}], None, ["1931", "in 1931"]),
        (["1931", "in 1931"], 24, ["1931", "in 1931"]),
        ({"text": ["1931", "in 1931"], "answer_start": [24, 21]}, None, ["1931", "in 1931"]),
    ],
)
def test_answers_in_every_form(answer, start, answers):
    [row] = gold(answer, start).itertuples()
    assert (row.answer, row.answer_start, row.answers) == ("1931", 24, answers)


@pytest.mark.parametrize(
    ("answer", "start", "told"),
    [
        ("1931", 23, "answer_start is 23, where the context has `193` and not the answer `1931`"),
        ("1931", -5, "answer_start is -5"),
        ("1931", "soon", "answer_start is `soon`, which is not a whole number"),
        ("1931", 24.5, "answer_start is `24.5`, which is not a whole number"),
        ("1931", True, "answer_start is `True`, which is not a whole number"),
        ("1931", [24, 25], "1 answers, but answer_start has 2 numbers"),
        (["1931", "in", "1950"], [24, 21], "3 answers, but answer_start has 2 numbers"),
        (1931, 24, "an answer is 1931, which is not a text"),
        (["1931", None], 24, "an answer is empty"),
        (["1931", ["in"]], 24, "an answer is ['in'], which is not a text"),
        ("in", None, "answer `in` occurs 2 times in its context"),
        ("1877", None, "answer `1877` occurs 0 times"),
        ({"text": [], "answer_start": []}, None, "the answer is empty"),
    ],
)
def test_an_answer_that_is_not_there_is_told(answer, start, told):
    with pytest.raises(UserError) as error:
        gold(answer, start)
    assert str(error.value).startswith("qa.csv row 7: ") and told in str(error.value)
    assert "\n" not in str(error.value)


@given(st.text(alphabet="ab ", min_size=1, max_size=30), st.data())
@settings(derandomize=True, deadline=None)
def test_a_verified_answer_is_where_it_says(context, data):
    start = data.draw(st.integers(0, len(context) - 1))
    answer = context[start : data.draw(st.integers(start + 1, len(context)))]
    if answer.strip():
        [row] = gold(answer, start, context).itertuples()
        assert context[row.answer_start :].startswith(row.answer)
        kept = QA.contexts(gold(answer, start, context))
        assert len(kept) <= 1
        assert all(context.find(answer) == context.rfind(answer) == one for one in kept.answer_start)


def test_each_premise_is_a_context_once():
    assert RTE.contexts(pd.DataFrame({"premise": ["a", "b", "a", "c"]})).premise.tolist() == ["a", "b", "c"]


def test_seed_plans_grow_without_changing_what_was_there():
    contexts = pd.DataFrame({"premise": list("abcdefg")})
    few, many = (list(RTE.seed_rows(n, Material(["in", "out"], contexts=contexts, seed=13))) for n in (10, 25))
    assert many[:10] == few
    assert {row["premise"] for row in many[:7]} == set("abcdefg")


def test_errors_of_question_answering():
    predictions = pd.DataFrame(
        {
            "id": ["a", "b", "c"],
            "answers": [["in 1931", "1931"], ["Ada Holm"], ["90 pounds"]],
            "predicted": ["1931.", "Holm", "the bridge"],
            "start": [24, 0, 0],
            "score": [0.5, 0.5, 0.5],
        }
    )

    def wrong(score_below):
        return predictions.id[QA.wrong(predictions, type("Method", (), {"score_below": score_below}))].tolist()

    assert (wrong(None), wrong(0.5), wrong(0.7)) == (["b", "c"], ["c"], ["b", "c"])


NASTY = '{{ label }} {% raw %}\n"quotes" “and” {braces}\nlines'


@pytest.mark.parametrize("variant", ["s3", "direct", "short"])
@pytest.mark.parametrize("name", ["rte", "qnli", "adversarial_qa"])
def test_prompts_show_their_data_as_it_is(name, variant):
    task = {"rte": RTE, "qnli": QNLI, "adversarial_qa": QA}[name]
    error = {"premise": NASTY, "hypothesis": "H", "question": "Q", "context": NASTY, "answer": "A", "predicted": "yes"}
    for step, slots in (
        ("seed", task.seed_slots({**error, "label": "yes"})),
        ("extrapolate", task.error_slots({**error, "label": "no"})),
    ):
        prompt = Prompt.load(f"prompts/{name}/{variant}/{step}.md", task.variables[step], task.required[step])
        text, shown = prompt.render(slots)
        assert NASTY in text
        assert task.required[step] <= set(shown)
        if variant == "direct" and step == "extrapolate":
            assert "predicted" in shown


def gold_of(repository, task: str, change) -> str:
    """What `gold` says of a file with one row changed."""
    add(repository)
    file = repository.folder / "data/gold" / task / "gold.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    change(rows[4])
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = repository.stage("gold", task, ok=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    return done.stderr


def test_a_wrong_answer_start_is_named_by_file_and_row(fresh):
    said = gold_of(fresh, "adversarial_qa", lambda row: row["answers"].update(answer_start=[3]))
    assert "data/gold/adversarial_qa/gold.jsonl row 5: answer_start is 3" in said


def test_an_empty_premise_is_named_by_file_and_row(fresh):
    assert "gold.jsonl row 5: `sentence1` is empty" in gold_of(fresh, "rte", lambda row: row.update(sentence1=" "))


SPLITS = ("validation", "selection", "test")


def alike(texts: pd.Series) -> set[str]:
    return {" ".join(text.lower().split()) for text in texts}


def split(repository, task: str, **gold) -> dict[str, pd.DataFrame]:
    repository.set({f"task.{task}.gold.{key}": value for key, value in gold.items()})
    repository.stage("gold", task)
    return {name: table.read(repository.folder / f"data/{task}/gold/{name}.parquet") for name in SPLITS}


@pytest.mark.parametrize(("task", "column"), [("rte", "premise"), ("adversarial_qa", "context")])
def test_what_rows_share_is_on_one_side_of_every_split(fresh, task, column):
    """Each context twice, in other case and white space, or four times: counts are rounded down to whole groups."""
    add(fresh)
    file = fresh.folder / f"data/gold/{task}/gold.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    theirs, written = {"rte": ("sentence1", "sentence2"), "adversarial_qa": ("context", "question")}[task]
    again = [row | {"id": f"{row.get('id')}-again", written: f"So, {row[written]}"} for row in rows]
    spaced = [row | {theirs: row[theirs].replace(". The", ".  THE")} for row in again]
    for row in spaced:
        if answers := row.get("answers"):
            answers["answer_start"] = [row[theirs].index(answers["text"][0])]
    more = [row | {"id": f"{row['id']}-{i}", written: f"{row[written]} {i}"} for row in again[:10] for i in (1, 2)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows + spaced + more))
    large = split(fresh, task, budget=100, test_rows=41)
    assert {name: len(part) for name, part in large.items()} == {"validation": 76, "selection": 24, "test": 40}
    told = [alike(part[column]) for part in large.values()]
    assert len(set.union(*told)) == sum(map(len, told))
    small = split(fresh, task, budget=50, test_rows=41)
    known = set(large["validation"].id) | set(large["selection"].id)
    assert set(small["validation"].id) | set(small["selection"].id) < known
    assert small["test"].equals(large["test"])


def test_a_premise_of_test_is_an_overlap(fresh):
    add(fresh)
    folder = fresh.folder / "data/gold/rte"
    rows = [json.loads(line) | {"sentence2": "A mill burned."} for line in (folder / "gold.jsonl").open()]
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:6]))
    test = {"test": "data/gold/rte/test.jsonl", "test_rows": None, "budget": None}
    fresh.set({f"task.rte.gold.{key}": value for key, value in (test | {"overlap": "error"}).items()})
    said = fresh.stage("gold", "rte", ok=False).stderr
    assert "gold.jsonl row 1: its premise also stands in data/gold/rte/test.jsonl (6 rows are like that)" in said
    splits = split(fresh, "rte", overlap="drop")
    assert not set(splits["test"].premise) & set(pd.concat([splits["validation"], splits["selection"]]).premise)
    told = json.loads((fresh.folder / "metrics/rte/gold.json").read_text())
    assert told["dropped"] == {"duplicates": 0, "conflicts": 0, "unlabelled": 0, "also_in_test": 6}


def test_one_premise_for_all_cannot_be_split(fresh):
    add(fresh)
    file = fresh.folder / "data/gold/rte/gold.jsonl"
    rows = [json.loads(line) | {"sentence1": "A mill burned."} for line in file.open()]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = fresh.stage("gold", "rte", ok=False)
    assert "no rows are left for" in done.stderr and "the same premise stay together" in done.stderr


NEW = {
    "rte": ("pair", "premise=sentence1", "hypothesis=sentence2"),
    "qnli": ("pair", "premise=sentence", "question=question"),
    "adversarial_qa": ("span_qa", "answer=answers"),
}


def new_task(repository, like: str, kind: str, *columns: str, **kwargs):
    """A task `mine` of the gold file that the task `like` has."""
    words = [word for column in columns for word in ("--column", column)]
    return repository.command("new-task", "mine", f"data/gold/{like}/gold.jsonl", "--kind", kind, *words, **kwargs)


def qnli(count: int) -> list[dict]:
    """Sentence, question, label: 0 for what it answers."""
    return [
        {
            "sentence": context(fact),
            "question": f"When was {fact['name']} {'born' if i % 2 == 0 else 'married'}?",
            "label": i % 2,
        }
        for i, fact in enumerate(facts(count))
    ]


@pytest.mark.parametrize("like", NEW)
def test_a_task_of_your_own(fresh, monkeypatch, like):
    monkeypatch.setitem(people.ROWS, "qnli", qnli)
    add(fresh)
    new_task(fresh, like, *NEW[like])
    task = pair.Task("mine", described("pair", question="q")) if like == "qnli" else RTE if like == "rte" else QA
    for step in ("seed", "extrapolate"):
        Prompt.load(fresh.folder / f"prompts/mine/s3/{step}.md", task.variables[step], task.required[step])
    templates = "questions" if like != "rte" else "statements"
    words = {"0": "entailment", "1": "not_entailment"} if like != "adversarial_qa" else {}
    fresh.set({"tasks": ["mine"], "task.mine.templates": templates, "task.mine.words": words})
    fresh.repro("start@mine", "baseline@mine")
    assert (fresh.folder / "metrics/mine/baseline.json").is_file()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("pair", "premise=nowhere"), "no column `nowhere`"),
        (("pair", "premise=sentence1"), "--column hypothesis=..."),
        (("pair", "text=sentence1"), "--column text=...: a task of kind pair has only premise, hypothesis, label"),
        (("triple",), "is `triple`, which is not one of classification, pair, seq2seq, span_qa"),
        (("span_qa", "context=sentence1", "question=sentence2", "answer=sentence2"), "row 1: answer"),
    ],
)
def test_a_task_of_your_own_from_the_wrong_columns(fresh, words, told):
    add(fresh)
    before = (fresh.folder / "params.yaml").read_text()
    done = new_task(fresh, "rte", *words, ok=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert told in done.stderr
    assert (fresh.folder / "params.yaml").read_text() == before
    assert not (fresh.folder / "prompts/mine").exists()
