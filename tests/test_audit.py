"""The leak audit: it raises alarms for forms that give labels of synthetic rows away, and seldom for anything else."""

import json
import random
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthesis.measures import leaks
from synthesis.params import GoldSource
from synthesis.params import Task as Settings
from synthesis.tasks import classification, pair, span_qa

CLASSIFICATION = classification.Task("t", Settings.model_construct(words={}))
PAIR = pair.Task("t", Settings.model_construct(words={}, gold=GoldSource.model_construct(columns={})))
SPAN = span_qa.Task("t", Settings.model_construct(answers="gold"))
NOUNS = ["river", "mill", "town", "king", "harbour", "bridge", "market", "church", "school", "road", "queen", "forest"]
VERBS = ["crossed", "built", "sold", "saw", "left", "bought", "ruled", "found", "lost", "named"]


def sentence(draw: random.Random) -> str:
    words = [draw.choice(NOUNS if place % 2 else VERBS) for place in range(draw.randint(4, 9))]
    return " ".join(words).capitalize() + "."


def hypotheses(count: int, seed: int, quoted: dict) -> pd.DataFrame:
    """Pairs without meaning; the label decides how many hypotheses are enclosed in quotes."""
    draw, rows = random.Random(seed), []
    for i in range(count):
        label = ("entailment", "not_entailment")[i % 2]
        text = sentence(draw)
        text = f'"{text}"' if draw.random() < quoted[label] else text
        rows.append({"id": f"{seed}-{i}", "premise": sentence(draw), "hypothesis": text, "label": label})
    return PAIR.examples(pd.DataFrame(rows))


def texts(count: int, seed: int, lengths: dict) -> pd.DataFrame:
    """Texts of so many sentences, by label."""
    draw = random.Random(seed)
    labels = [list(lengths)[i % len(lengths)] for i in range(count)]
    written = [" ".join(sentence(draw) for _ in range(lengths[label])) for label in labels]
    ids = [f"{seed}-{i}" for i in range(count)]
    return CLASSIFICATION.examples(pd.DataFrame({"id": ids, "text": written, "label": labels}))


LEAKING, NONE = {"not_entailment": 0.96, "entailment": 0.44}, {"not_entailment": 0, "entailment": 0}


def test_quotes_that_give_hypotheses_away_are_named():
    cues = leaks.audit(hypotheses(300, 1, LEAKING), hypotheses(200, 2, NONE)).set_index("cue")
    named = cues.loc["enclosing_quotes"]
    assert named.alarm == 1
    shares = [int(part.split("%")[0].split()[-1]) for part in named.says.replace(" and ", ", ").split(", ")[:2]]
    assert np.abs(np.array(shares) - [96, 44]).max() <= 8
    assert named.says.startswith("enclosing quotes: 9") and named.says.endswith("; gold: 0% and 0%")
    assert named.gold == pytest.approx(0.5) and named.synthetic_low > named.gold_high
    assert len(named.example_ids) == 3 and all(text[0] == text[-1] == '"' for text in named.example_texts)
    assert cues.alarm["together"] == 1
    innocent = {"words", "first_word", "first_words", "last_word", "words_of_the_premise", "commas", "html"}
    assert not cues.alarm.reindex(list(innocent)).fillna(0).any()


def test_what_gold_shows_too_is_no_leak():
    cues = leaks.audit(hypotheses(300, 1, LEAKING), hypotheses(200, 2, LEAKING)).set_index("cue")
    assert cues.synthetic["enclosing_quotes"] > 0.7
    assert cues.alarm.sum() == 0


def test_a_rule_that_gold_turns_round_is_a_leak():
    cues = leaks.audit(texts(200, 1, {"a": 4, "b": 2, "c": 1}), texts(200, 2, {"a": 1, "b": 2, "c": 4}))
    cues = cues.set_index("cue")
    assert cues.alarm["words"] == 1
    assert cues.synthetic["words"] > 0.8 and cues.gold["words"] < 0.4


def test_clean_cues_seldom_raise_an_alarm():
    """Cues that have nothing to do with labels: of 300 audits of 20 cues at most the nominal 5% raise one."""
    rng, audits = np.random.default_rng(0), 0
    for _ in range(300):
        labels = np.concatenate([np.arange(100) % 2, np.arange(400) % 2])
        groups, own = np.arange(500), np.arange(500) < 100
        taught = np.zeros(500, dtype=bool)
        taught[own] = leaks.half(labels[own], groups[own])
        alarms = []
        for kinds in (2, 5, 60) * 7:
            hits = leaks.hits_of_one(rng.integers(kinds, size=500), labels, taught)
            scores = [leaks.score(hits[rows], labels[rows], groups[rows], 2) for rows in (own & ~taught, ~own)]
            alarms.append(leaks.is_leak(*scores, 0.5, 21))
        audits += any(alarms)
    assert audits <= 15


def test_clean_texts_raise_no_alarm():
    same = {"a": 2, "b": 2, "c": 2}
    assert leaks.audit(texts(300, 3, same), texts(150, 4, same)).alarm.sum() == 0


@pytest.mark.parametrize("labels", [["a"] * 20, ["a"] * 19 + ["b"]])
def test_nothing_to_tell_apart(labels):
    rows = texts(20, 1, {"a": 1}).assign(label=labels)
    assert leaks.audit(rows, rows).empty


def test_nothing_to_tell_by():
    rows = texts(20, 1, {"a": 1, "b": 1}).assign(text="the same")
    assert leaks.audit(rows, rows).empty


def test_strange_texts_take_no_longer():
    strange = ["\n" * 50_000, "<a" * 30_000, "[" * 50_000, '"' * 50_000, "__a" * 20_000, "# " * 30_000, "a." * 30_000]
    start = time.process_time()
    leaks.read_cues(pd.Series(strange))
    assert time.process_time() - start < 2


def test_score_is_balanced_and_knows_groups():
    hits, labels = np.array([1, 1, 1, 0, 0, 1.0]), np.array([0, 0, 0, 0, 1, 1])
    assert leaks.score(hits, labels, np.arange(6), 2).value == (0.75 + 0.5) / 2
    many, few = (leaks.score(np.tile(hits, 9), np.tile(labels, 9), g, 2) for g in (np.arange(54), np.tile(range(6), 9)))
    assert many.value == few.value
    assert few.error > 2 * many.error, "nine times the same row say no more than one"
    assert leaks.score(np.ones(4), np.array([0, 0, 1, 1]), np.arange(4), 2).error > 0.1, "four hits are no certainty"


@pytest.mark.parametrize(
    ("text", "cue", "value"),
    [
        ("“So it goes.”", "enclosing_quotes", True),
        ('He said "no" and "yes".', "enclosing_quotes", False),
        ("It's the dogs' dinner", "quotes", True),  # a plural's apostrophe cannot be told from a quote
        ("It's fine, isn't it", "quotes", False),
        ("Really?!", "last_mark", "!"),
        ("no mark ", "last_mark", "none"),
        ("1. A point", "numbering", True),
        ("1.5 million", "numbering", False),
        ("I saw it", "capital_words", False),
        ("a US film", "capital_words", True),
        ("one<br />two", "html", True),
        ("1 < 2 and 3 > 2", "html", False),
        ("**Bold** move", "markdown", True),
        ("Overall, I liked it", "first_words", "overall i"),
        ("", "last_word", ""),
    ],
)
def test_cues(text, cue, value):
    assert leaks.read_cues(pd.Series([text]))[cue][0] == value


@given(st.lists(st.text(max_size=60), min_size=1, max_size=5))
@settings(derandomize=True, deadline=None)
def test_any_text_has_all_cues(texts):
    cues = leaks.read_cues(pd.Series(texts))
    assert cues.notna().all(axis=None) and len(cues) == len(texts)
    assert len(cues.columns) == len(leaks.read_cues(pd.Series(["a"])).columns)


def test_numbers_become_ranges_of_the_reference():
    reference = pd.Series([0, 0, 0, 2, 2, 2, 5, 5, 9, 9], name="commas")
    values = leaks.in_words(pd.Series([0, 1, 3, 5, 100], name="commas"), reference)
    assert values.tolist() == ["commas 0", "commas over 0 up to 2", *["commas over 2 up to 5"] * 2, "commas over 5"]


def questions(count: int, seed: int, copied: bool) -> pd.DataFrame:
    """Questions in the words of the sentence that holds the answer, or in those of any."""
    draw, rows = random.Random(seed), []
    for i in range(count):
        sentences = [sentence(draw) for _ in range(4)]
        place = draw.randrange(4)
        sentences[place] = sentences[place][:-1] + f" {i + 1000}."
        asked = sentences[place if copied else draw.randrange(4)].lower().split()[:5]
        context = " ".join(sentences)
        question = f"When {' '.join(word for word in asked if not word[0].isdigit())}?"
        rows.append(
            {
                "id": f"{seed}-{i}",
                "context": context,
                "question": question,
                "answer_start": context.index(str(i + 1000)),
            }
        )
    return pd.DataFrame(rows)


def test_answers_that_stand_where_the_questions_words_do():
    cues = leaks.audit(*(SPAN.examples(questions(150, seed, seed == 1)) for seed in (1, 2))).set_index("cue")
    assert cues.alarm["most_words_of_the_question"] == 1
    assert "most words of the question: 100% of answer" in cues.says["most_words_of_the_question"]
    assert cues.alarm["sentence"] == 0 and cues.alarm["digits"] == 0, "gold has these too"


def test_sentences_of_a_context():
    row = {"id": "q", "context": "It rained. “Who won?” Ann won in 1912", "question": "Who won in rain?"}
    sentences = SPAN.examples(pd.DataFrame([{**row, "answer_start": 22}]))
    assert sentences.text.tolist() == ["It rained.", "“Who won?”", "Ann won in 1912"]
    assert sentences.label.tolist() == ["elsewhere", "elsewhere", "answer"]
    assert sentences.most_words_of_the_question.tolist() == [False, True, True]
    assert sentences.sentence.tolist() == [1, 2, 3]
    assert sentences.group.nunique() == 1


def test_every_kind_is_audited(all_kinds):
    for task in ("reviews", "rte", "adversarial_qa"):
        metrics = json.loads((all_kinds.folder / f"metrics/{task}/audit.json").read_text())
        table = pd.read_parquet(all_kinds.folder / f"data/{task}/leaks.parquet")
        assert metrics["alarms"] == table.alarm.sum() == sum(cue["alarm"] for cue in metrics["cues"].values())
        assert {"words", "last_word", "together"} <= set(metrics["cues"])
