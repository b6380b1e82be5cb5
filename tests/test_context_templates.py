"""The template teacher for texts with a context: what it reads, asks and states."""

import asyncio
import sys
from types import SimpleNamespace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from synthesis import UserError, parsers
from synthesis.providers.template import Provider, Reading
from synthesis.teacher.request import Request

TEXT = (
    "Dr. Mary Holm founded the company in Oslo on 4 May 1931. "
    "Her brother, a lawyer from Bergen, sold 1,200 boats to the navy, but he lost the money."
)
OTHER = "John Farrow opened a school in Bergen in 1875. The school had 300 pupils."


def teacher(grammar: str, *contexts: str, parser: str = "pattern") -> Provider:
    reading = Reading(parser)
    reading.__dict__["others"] = list(contexts)
    return Provider(grammar, seed=7, reading=reading)


def ask(provider: Provider, sample: int = 0, step: str = "seed", **slots) -> str:
    return asyncio.run(provider.answer(provider.body(Request(step, "a prompt", slots)), sample, 0)).text


def asked(templates: str, times: int = 60, **slots) -> set[str]:
    provider = teacher(templates, TEXT, OTHER)
    return {ask(provider, sample, **slots) for sample in range(times)}


def test_sentences_and_phrases():
    one, two = parsers.parse(TEXT, "pattern")
    assert [token.text for token in one.tokens][:4] == ["Dr", ".", "Mary", "Holm"]
    kinds = {phrase.text: phrase.kind for phrase in parsers.phrases(TEXT, "pattern")}
    expected = {
        "Mary Holm": "person",
        "Oslo": "place",
        "4 May 1931": "date",
        "1,200 boats": "number",
        "company": "thing",
    }
    assert expected.items() <= kinds.items()
    verbs = {token.text: token.lemma for token in (*one.tokens, *two.tokens) if token.tag.startswith("VB")}
    assert {"founded": "found", "sold": "sell", "lost": "lose"}.items() <= verbs.items()


@given(st.text(max_size=200))
@settings(derandomize=True, deadline=None, max_examples=150)
@example("He said: “No/yes.” 3/4 &slash; ½ {x}\n\nMr. A. B. Ø’s—end")
def test_any_text_is_read_with_its_places(text):
    for sentence in parsers.parse(text, "pattern"):
        for token in sentence.tokens:
            assert text[token.start : token.end] == token.text
        for phrase in sentence.phrases:
            assert text[phrase.start :].startswith(phrase.text)
            assert sentence.tokens[phrase.first].start == phrase.start
            assert phrase.kind in parsers.KINDS


@given(text=st.text(max_size=120), given=st.text(max_size=60))
@settings(derandomize=True, deadline=None, max_examples=100)
def test_any_text_is_safe(text, given):
    for templates, slots in (
        ("questions", {"premise": text, "label": "in", "question": given}),
        ("questions", {"premise": text, "label": "not in", "question": given}),
        ("questions", {"context": text, "answer": given or "x", "question": given}),
        ("statements", {"premise": text, "label": "correct", "hypothesis": given}),
        ("statements", {"premise": text, "label": "wrong", "hypothesis": given}),
    ):
        answer = ask(teacher(templates, TEXT, OTHER), step="extrapolate", **slots)
        assert answer == "" or answer != given


@pytest.mark.parametrize(
    ("answer", "question"),
    [
        ("4 May 1931", "Mary Holm found the company in Oslo?"),
        ("Mary Holm", "founded the company in Oslo on 4 May 1931?"),
        ("the company", "Mary Holm found in Oslo on 4 May 1931?"),
    ],
)
def test_questions_for_an_answer(answer, question):
    found = asked("questions", context=TEXT, answer=answer)
    assert any(one.endswith(question) for one in found), found
    assert all(one.endswith("?") and answer not in one for one in found)


def test_a_number_is_asked_for_with_what_it_counts():
    text = "The yard built 1,200 boats in 1950."
    assert "How many boats did the yard build in 1950?" in asked("questions", context=text, answer="1,200 boats")


def test_answered_questions_are_about_the_text_and_others_about_another():
    about, elsewhere = (asked("questions", premise=TEXT, label=label) for label in ("in", "not in"))
    assert len(about) > 10
    assert not about & elsewhere
    assert elsewhere <= asked("questions", times=300, premise=OTHER, label="in")


def test_what_follows_leaves_things_out():
    found = asked("statements", premise=TEXT, label="correct")
    assert "He lost the money." in found
    words = set(TEXT.lower().replace(".", "").replace(",", "").split()) | {"is"}
    for one in found:
        assert set(one.lower().replace(".", "").replace(",", "").split()) <= words, one


def test_what_does_not_follow_changes_one_thing_or_is_from_elsewhere():
    wrong, right = (asked("statements", premise=TEXT, label=label) for label in ("wrong", "correct"))
    assert len(wrong) > 10
    assert not wrong & right
    assert any(" not " in one or " never " in one for one in wrong)
    assert any("John Farrow" in one for one in wrong)


def test_an_extrapolation_is_like_the_error_and_another():
    given = "When did Mary Holm found the company in Oslo?"
    provider = teacher("questions", TEXT, OTHER)
    for sample in range(20):
        answer = ask(provider, sample, "extrapolate", context=TEXT, answer="4 May 1931", question=given)
        assert answer != given and "found the company" in answer


def test_the_same_question_has_the_same_answer():
    slots = {"premise": TEXT, "label": "wrong"}
    assert ask(teacher("statements", OTHER), **slots) == ask(teacher("statements", OTHER), **slots)


def test_an_unknown_label_is_an_error():
    with pytest.raises(UserError, match=r"statements\.yaml has no label 'maybe', only correct, wrong"):
        ask(teacher("statements"), premise=TEXT, label="maybe")


def test_spacy_that_is_not_installed_is_told(monkeypatch):
    from synthesis.parsers import spacy

    spacy._model.cache_clear()
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(UserError, match=r"template\.parser is spacy, but .*pip install spacy") as error:
        parsers.parse("A text that nothing has read.", "spacy")
    assert "\n" not in str(error.value)


def test_spacy_gives_the_same_kind_of_sentences(monkeypatch):
    """spaCy's interface, played by what the other parser finds: spans over tokens, entities and noun chunks."""
    from synthesis.parsers import spacy

    class Span(list):
        @property
        def text(self):
            return TEXT[self[0].idx : self[-1].idx + len(self[-1].text)]

    def model(text):
        sentences = []
        for sentence in parsers.parse(text, "pattern"):
            tokens = [
                SimpleNamespace(
                    text=t.text, tag_=t.tag, idx=t.start, lemma_=t.lemma, i=t.start, is_space=False, doc=None
                )
                for t in sentence.tokens
            ]
            for token in tokens:
                token.doc = SimpleNamespace(text=text)
            span = Span(tokens)
            chunks = [(phrase, Span(tokens[phrase.first : phrase.last])) for phrase in sentence.phrases]
            span.ents, span.noun_chunks = [], [chunk for phrase, chunk in chunks if phrase.kind == "thing"]
            for phrase, chunk in chunks:
                if phrase.kind == "person":
                    chunk.label_ = "PERSON"
                    span.ents.append(chunk)
            sentences.append(span)
        return SimpleNamespace(sents=sentences)

    monkeypatch.setattr(spacy, "_model", lambda: model)
    found = {phrase.text: phrase.kind for sentence in spacy.parse(TEXT) for phrase in sentence.phrases}
    assert found["Mary Holm"] == "person"
    assert found["company"] == "thing"
