"""The template teacher: repeatable, varied, steered by what it is shown, and fair to both labels."""

import asyncio
import csv
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from synthesis import UserError
from synthesis.providers.template import GRAMMARS, Provider, load
from synthesis.teacher.request import Request

LABELS = ("positive", "negative")
TEACHER = Provider("film_reviews", seed=7)
NEGATION = re.compile(
    r"\b(?:not|never|no|nothing|nobody|none|nor|neither|without|hardly|cannot)\b|n['’]t\b", re.IGNORECASE
)
# Written for these tests, with what plain synthesis lacks: irony, negation, mixed praise.
ERRORS = {
    "Oh great, another two hours of Nolan explaining the plot to me. I was thrilled when it ended.": "negative",
    "If you enjoy falling asleep, this is perfect. The cast is great; the script, sadly, is not.": "negative",
    "The trailer promised a lot. The actors try hard. Nothing, I think, could save this script.": "negative",
    "To be honest, the only good thing about this movie is that it's short.": "negative",
    "I didn't expect to like this film, but it never bored me, and I don't say that often.": "positive",
    "Although the first half drags, the ending made me cry. I can't say that it isn't flawed.": "positive",
    "You won't find a worse wig in French cinema, and you won't care. It's silly, and I loved it.": "positive",
}


def ask(step, sample=0, attempt=0, **slots):
    return asyncio.run(TEACHER.answer(TEACHER.body(Request(step, "a prompt", slots)), sample, attempt)).text


@cache
def rationales(label):
    return [line.split(". ", 1)[1] for line in ask("rationale", label=label, count=150).splitlines()]


@cache
def seeds(label):
    return [ask("seed", sample, label=label) for sample in range(1000)]


def extrapolations(times=30):
    for source, label in ERRORS.items():
        for sample in range(times):
            yield source, ask("extrapolate", sample, label=label, text=source)


def test_the_same_question_has_the_same_answer_in_any_order():
    questions = [("seed", sample, attempt) for sample in range(10) for attempt in range(2)]
    first = {question: ask(*question, label="positive") for question in questions}
    other = Provider("film_reviews", seed=7)
    for step, sample, attempt in reversed(questions):
        body = json.loads(json.dumps(other.body(Request(step, "", {"label": "positive"}))))
        assert asyncio.run(other.answer(body, sample, attempt)).text == first[step, sample, attempt]
    assert len(set(first.values())) == len(questions)


def test_the_seed_changes_the_answer():
    body = Provider("film_reviews", seed=8).body(Request("seed", "", {"label": "positive"}))
    assert asyncio.run(TEACHER.answer(body, 0, 0)).text != ask("seed", label="positive")


def test_a_reply_is_free_and_names_its_grammar():
    reply = asyncio.run(TEACHER.answer(TEACHER.body(Request("seed", "", {"label": "positive"})), 0, 0))
    assert (reply.model, reply.tokens_in, reply.tokens_out) == ("template/film_reviews", 0, 0)


@pytest.mark.parametrize("label", LABELS)
def test_rationales_are_numbered_and_distinct(label):
    lines = ask("rationale", label=label, count=20).splitlines()
    assert [line.split(". ")[0] for line in lines] == [str(number) for number in range(1, 21)]
    assert len(set(rationales(label))) == 150


def test_labels_share_no_rationale():
    assert not set(rationales("positive")) & set(rationales("negative"))


@pytest.mark.parametrize("label", LABELS)
def test_seed_texts_are_varied_and_well_formed(label):
    texts = seeds(label)
    assert len(set(texts)) >= 0.95 * len(texts)
    assert len({" ".join(text.split()[:3]) for text in texts}) > 200
    for text in texts:
        assert 8 <= len(text.split()) <= 60
        assert 1 <= len(re.findall(r"[.!](?: |$)", text)) <= 4
        assert not re.search(r"[{}]|  | [.,;!]|[.,;!][.,;!]|[.!] [a-z]|\ba [aeio]|\ban [^aeiouh]", text), text


@pytest.mark.parametrize("label", LABELS)
def test_rationales_steer_the_seed(label):
    grammar = load("film_reviews")
    for sample in range(200):
        reasons = rationales(label)[sample % 140 :][: 1 + sample % 5]
        text = ask("seed", sample, label=label, rationales=reasons)
        assert 8 <= len(text.split()) <= 60
        for reason in reasons:
            aspect = grammar["aspects"][grammar["stems"][grammar["noun"].search(reason)[1]]]
            judgements = [one for kind in aspect[label].values() for one in kind if one in reason]
            assert any(noun in text.lower() for noun in aspect["nouns"])
            assert any(one in text for one in judgements)


def test_a_rationale_in_other_words_is_quoted():
    reasons = ["The visuals alone are worth the ticket.", "a smell of {wet} paint", "jokes about tax law"]
    text = ask("seed", label="positive", rationales=reasons)
    assert all(part in text for part in ("he visuals alone are worth the ticket", "a smell of {wet} paint", "tax law"))


def test_labels_differ_in_meaning_only():
    def rates(label):
        text = " ".join(seeds(label))
        return {"words": len(text.split()), "characters": len(text)} | {mark: text.count(mark) for mark in ".,"}

    positive, negative = map(rates, LABELS)
    assert positive == pytest.approx(negative, rel=0.08)
    assert positive["words"] == pytest.approx(negative["words"], rel=0.05)
    for mark in "!;:'\"":
        assert abs(sum(text.count(mark) for text in seeds("positive")) - " ".join(seeds("negative")).count(mark)) < 50
    grammar = load("film_reviews")
    for entry in [grammar["labels"], *grammar["aspects"].values()]:
        sizes = [{key: len(choices) for key, choices in entry[label].items()} for label in LABELS]
        assert sizes[0] == sizes[1]


def test_an_extrapolation_differs_and_keeps_the_length():
    for source, text in extrapolations():
        assert (Counter(text.lower().split()) - Counter(source.lower().split())).total() >= 3
        assert 0.6 <= len(text.split()) / len(source.split()) <= 1.6
        assert not re.search(r"  | [.,;!]|[.,;!][.,;!]|[.!] [a-z]", text), text
    assert len({text for _, text in extrapolations()}) == 30 * len(ERRORS)


def test_an_extrapolation_keeps_negations():
    for source, text in extrapolations():
        before, after = len(NEGATION.findall(source)), len(NEGATION.findall(text))
        assert before <= after <= before + 1, text  # the added clause may have one


def test_synonyms_keep_negations_and_stand_in_one_group():
    rules = load("film_reviews")["extrapolation"]
    groups = [group.split(" | ") for group in rules["neutral"] + rules["graded"]]
    assert len(groups) >= 250
    for group in groups:
        assert len({len(NEGATION.findall(phrase)) for phrase in group}) == 1, group
    phrases = Counter(phrase.lower() for group in groups for phrase in group) + Counter(map(str.lower, rules["fixed"]))
    assert not [phrase for phrase, count in phrases.items() if count > 1]


def test_degree_rests_after_a_negation():
    for sample in range(50):
        text = ask(
            "extrapolate", sample, label="negative", text="This is not a very funny or really clever idea at all."
        )
        assert "very funny or really clever" in text


def test_names_are_exchanged_throughout():
    source = 'They say that Vera Kurtz is a star, and in "Ash Monday" Kurtz is fine. On Friday I saw Kurtz in Paris.'
    for sample in range(30):
        text = ask("extrapolate", sample, label="positive", text=source)
        assert not re.search("Vera|Kurtz|Ash Monday|Friday|Paris", text), text
        family = re.search(r"They say that \w+ (\w+)", text)[1]
        assert text.count(family) == 3, text


def test_a_text_without_capitals_stays_so():
    for sample in range(20):
        assert ask("extrapolate", sample, label="negative", text="didn't work for me, sorry").islower()


@pytest.mark.parametrize("text", ["", " \n", "Meh.", "{0} {x}", "🎬🎬", '"', "no", "A", "Ok\nthen", "word " * 5000])
def test_odd_texts_are_extrapolated(text):
    answer = ask("extrapolate", label="positive", text=text)
    assert answer.strip()
    assert answer != text
    assert (Counter(answer.lower().split()) - Counter(text.lower().split())).total() >= 3


@settings(derandomize=True, deadline=None, max_examples=150)
@given(st.text(max_size=300), st.sampled_from(LABELS))
@example("An A-list 'Title of Ø' isn’t NOT Très {bon}…", "positive")
def test_any_text_is_safe(text, label):
    answer = ask("extrapolate", label=label, text=text)
    assert len(answer.split()) >= 3
    assert answer != text
    assert ask("seed", label=label, rationales=[text])


@pytest.mark.parametrize("step", ["rationale", "seed", "extrapolate"])
def test_slots_may_be_missing(step):
    assert ask(step, label="negative")


@pytest.mark.parametrize("slots", [{}, {"label": "neutral"}])
def test_an_unknown_label_is_an_error(slots):
    with pytest.raises(UserError, match=r"film_reviews\.yaml has no label .*, only positive, negative: give the label"):
        ask("seed", **slots)


def test_an_unknown_grammar_is_an_error():
    with pytest.raises(UserError, match=r"no template grammar 'poems'.*film_reviews"):
        Provider("poems", seed=0)


def strings(value):
    """Every text of a grammar, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from strings([*value, *value.values()])
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)


def test_no_template_occurs_in_the_demos_gold_rows():
    """Five words in a row of a template's own would let the student recognise the teacher. Shorter ones are idiom."""
    root = Path(__file__).parent.parent
    grammar = yaml.safe_load((GRAMMARS / "film_reviews.yaml").read_text(encoding="utf-8"))
    with (root / "data/gold/reviews/reviews.csv").open(encoding="utf-8", newline="") as file:
        gold = [" ".join(re.findall(r"[\w']+", row["text"].lower())) for row in csv.DictReader(file)]
    pieces = [re.findall(r"[\w']+", piece.lower()) for text in strings(grammar) for piece in re.split(r"\{\w+\}", text)]
    own = {" ".join(piece) for piece in pieces if len(piece) >= 5}
    assert len(own) > 100
    assert [piece for piece in own if any(piece in text for text in gold)] == []
