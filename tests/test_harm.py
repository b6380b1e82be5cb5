"""Tests of language before and after training: lm-eval on tiny models, compared with what the models say themselves."""

import json
import re
import shutil
import socket
from math import exp

import numpy as np
import pandas as pd
import pytest
import torch

from synthesis import UserError
from synthesis.measures import harm
from synthesis.models.load import load_causal, load_tokenizer
from synthesis.params import Harm
from tests.test_generator import FILLER, KEYS, writers  # noqa: F401

WORDS = [*KEYS, *FILLER]


def sentence(random, words: int) -> str:
    return " ".join(random.choice(WORDS, words))


@pytest.fixture(scope="module")
def tests(tmp_path_factory) -> Harm:
    folder, random = tmp_path_factory.mktemp("tests"), np.random.default_rng(0)
    blank = [" ", "\n", ""]  # at the end of some texts, where no word is
    pd.DataFrame({"text": [sentence(random, 8) + blank[row % 3] for row in range(30)]}).to_json(
        folder / "lambada.jsonl", orient="records", lines=True
    )
    pd.DataFrame(
        {
            "ctx": [sentence(random, 6) for _ in range(12)],
            "endings": [[sentence(random, int(count)) for count in random.integers(1, 5, 4)] for _ in range(12)],
            "label": random.integers(0, 4, 12),
        }
    ).to_parquet(folder / "hellaswag.parquet")
    names = [f"InputSentence{place}" for place in range(1, 5)] + [f"RandomFifthSentenceQuiz{place}" for place in (1, 2)]
    stories = pd.DataFrame({name: [sentence(random, 3) for _ in range(9)] for name in names})
    stories.assign(AnswerRightEnding=random.integers(1, 3, 9)).to_csv(folder / "stories.csv", index=False)
    return Harm(
        lambada=str(folder / "lambada.jsonl"),
        hellaswag=str(folder / "hellaswag.parquet"),
        storycloze=str(folder / "stories.csv"),
        limit=20,
    )


@pytest.fixture(scope="module")
def asked(tests, writers):  # noqa: F811
    """What lm-eval made of a tiny model, without a network: rows, items and scores, the model and its reader."""

    def refuse(*_):
        raise AssertionError("the network was asked")

    model, reader, tables = (
        load_causal(writers["llama"]),
        load_tokenizer(writers["llama"], padded=False),
        harm.read(tests),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        items, scores = harm.ask(model, reader, tables)
    return tables, items, scores, model, reader


def log_likelihood(model, reader, before: str, after: str) -> tuple[float, bool]:
    """Of what comes after a text, and whether it is the likeliest, from the model's own logits."""
    context, whole = (reader(text, add_special_tokens=False).input_ids for text in (before, f"{before} {after}"))
    with torch.inference_mode():
        logits = model(torch.tensor([whole])).logits[0].log_softmax(-1)
    places = range(len(context), len(whole))
    likeliest = all(int(logits[place - 1].argmax()) == whole[place] for place in places)
    return sum(float(logits[place - 1, whole[place]]) for place in places), likeliest


def test_the_last_word(asked):
    tables, items, scores, model, reader = asked
    own = [log_likelihood(model, reader, *text.strip().rsplit(" ", 1)) for text in tables["lambada"].text]
    found = items[items.test == "lambada"]
    assert found.item.tolist() == tables["lambada"].index.tolist()
    assert np.allclose(found.log_likelihood, [each for each, _ in own], atol=1e-4)
    assert found.right.tolist() == [int(likeliest) for _, likeliest in own]
    assert scores["lambada"]["perplexity"] == pytest.approx(exp(-found.log_likelihood.mean()), rel=1e-3)
    assert scores["lambada"]["accuracy"] == pytest.approx(found.right.mean(), abs=1e-4)
    assert scores["lambada"]["accuracy_error"] == pytest.approx(found.right.sem(), abs=1e-4)
    assert scores["lambada"]["items"] == 20 and scores["lambada"]["perplexity_error"] > 0


def test_the_ending_by_its_length(asked):
    tables, items, scores, model, reader = asked
    right, plain = [], []
    for row in tables["hellaswag"].itertuples():
        own = np.array([log_likelihood(model, reader, row.ctx, ending)[0] for ending in row.endings])
        right.append(int((own / [len(ending) for ending in row.endings]).argmax() == row.label))
        plain.append(int(own.argmax() == row.label))
    found = items[items.test == "hellaswag"]
    assert found.right.tolist() == right != plain
    assert found.log_likelihood.isna().all() and scores["hellaswag"]["items"] == 12


def test_the_end_of_a_story(asked):
    tables, items, _, model, reader = asked
    right = []
    for row in tables["storycloze"].to_dict("records"):
        story = " ".join(row[f"InputSentence{place}"] for place in range(1, 5))
        own = [log_likelihood(model, reader, story, row[f"RandomFifthSentenceQuiz{place}"])[0] for place in (1, 2)]
        right.append(int(int(np.argmax(own)) == int(row["AnswerRightEnding"]) - 1))
    assert items[items.test == "storycloze"].right.tolist() == right


def test_the_same_rows_for_any_model(tests):
    one, other = harm.read(tests)["lambada"], harm.read(tests)["lambada"]
    assert one.equals(other) and len(one) == 20 and one.index.tolist() != sorted(one.index), "drawn, and not the first"
    assert len(harm.read(tests.model_copy(update={"limit": None}))["lambada"]) == 30


def items(right: list[int], likelihoods: list[float]) -> pd.DataFrame:
    rows = {"test": "lambada", "item": range(len(right)), "right": right, "log_likelihood": likelihoods}
    return pd.DataFrame(rows)


def test_a_planted_loss_is_found():
    was, now = items([1] * 20 + [0] * 20, [-1.0] * 40), items([0] * 8 + [1] * 12 + [0] * 20, [-1.5, -1.1] * 20)
    found = harm.compare(was, now)["lambada"]
    assert (found["lost"], found["gained"], found["difference"]) == (8, 0, -0.2)
    assert found["p"] == pytest.approx(2 * 0.5**8, abs=1e-4), "McNemar's exact test"
    assert found["log_likelihood"] == -0.3 and found["log_likelihood_p"] < 0.001
    same = harm.compare(was, was.sample(frac=1, random_state=0))["lambada"]
    assert (same["lost"], same["gained"], same["p"], same["log_likelihood_p"]) == (0, 0, 1, 1)


@pytest.mark.slow
def test_a_student_that_was_not_changed_has_lost_nothing(fresh, tests, writers):  # noqa: F811
    """By the stages themselves; `untrained` and `harm` of a task without such tests are empty."""
    own = {"harm": tests.model_dump(), "student.model": writers["llama"], "student.max_tokens": 32}
    fresh.set({f"task.webquestions.{key}": value for key, value in own.items()})
    shutil.copytree(writers["llama"], fresh.folder / "data/webquestions/student")
    for name in ("untrained", "harm"):
        fresh.stage(name, "webquestions")
        fresh.stage(name, "reviews")
    found = {
        (task, name): json.loads((fresh.folder / f"metrics/{task}/{name}.json").read_text())
        for task in ("webquestions", "reviews")
        for name in ("untrained", "harm")
    }
    assert found["reviews", "untrained"] == found["reviews", "harm"] == {}
    for name, numbers in found["webquestions", "harm"].items():
        assert numbers["before"] == numbers["after"] == found["webquestions", "untrained"][name]
        assert (numbers["difference"], numbers["lost"], numbers["gained"], numbers["p"]) == (0, 0, 0, 1)
    fresh.set({"task.reviews.harm": {"lambada": "x.jsonl"}})
    told = fresh.stage("untrained", "reviews", ok=False).stderr
    assert re.search(
        r"^error: task\.reviews\.harm needs a student that writes texts.*leave it empty$", told, re.MULTILINE
    )


def test_what_cannot_be_asked_is_one_line(tmp_path, tests, writers):  # noqa: F811
    with pytest.raises(UserError, match=r"x\.jsonl is missing: .*not an id of the hub"):
        harm.read(Harm(lambada=str(tmp_path / "x.jsonl")))
    with pytest.raises(UserError, match=r"has no column `ctx`, which hellaswag needs \(there: text\)"):
        harm.read(Harm(hellaswag=tests.lambada))
    with pytest.raises(UserError, match=r"is an encoder-decoder, which goes on with no text"):
        load_causal(writers["t5"])
    with pytest.raises(ValueError, match="name the file of at least one test"):
        Harm(limit=5)


ENDINGS = ["the box", "a box", "is", "and"]
STORY = {f"InputSentence{place}": "the box" for place in range(1, 5)}
STORY |= {f"RandomFifthSentenceQuiz{place}": "a box" for place in (1, 2)}


@pytest.mark.parametrize(
    ("name", "row", "said"),
    [
        ("lambada", {"text": " "}, "row 2: `text` is empty"),
        ("lambada", {"text": 5}, "row 2: `text` is 5, which is not a text"),
        ("hellaswag", {"ctx": "a", "endings": ENDINGS, "label": ""}, "row 2: `label` is empty"),
        (
            "hellaswag",
            {"ctx": "a", "endings": ENDINGS, "label": 4},
            "row 2: `label` is 4, and hellaswag needs one of 0, ",
        ),
        (
            "hellaswag",
            {"ctx": "a", "endings": "is", "label": 1},
            "row 2: `endings` is is, and hellaswag needs a list of 4",
        ),
        (
            "hellaswag",
            {"ctx": "a", "endings": None, "label": 1},
            "row 2: `endings` is None, and hellaswag needs a list",
        ),
        ("hellaswag", {"ctx": "a", "endings": [*ENDINGS[1:], ""], "label": 1}, "hellaswag needs a list of 4 texts"),
        ("storycloze", STORY | {"AnswerRightEnding": 3}, "`AnswerRightEnding` is 3, and storycloze needs one of 1, 2"),
        ("lambada", None, "has one row: a standard error needs two"),
    ],
)
def test_a_row_that_is_none_of_the_test_is_named(tmp_path, name, row, said):
    """Or else the scores would be of what is not there: HellaSwag's test set has no labels, and all would be wrong."""
    good = {"text": "the box is", "ctx": "the box", "endings": ENDINGS, "label": "0", **STORY, "AnswerRightEnding": "1"}
    file = tmp_path / "test.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in (good, row and good | row) if each))
    with pytest.raises(UserError) as told:
        harm.read(Harm(**{name: str(file)}))
    assert said in str(told.value) and "\n" not in str(told.value)
