"""Readers: windows over long contexts, spans out of logits, and a tiny encoder that learns to point."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthesis import UserError
from synthesis.models.load import load_tokenizer
from synthesis.students.reader import windows
from synthesis.students.spans import LONGEST, Window, best_span
from tests.test_student import MINILM, alone, fit, models  # noqa: F401
from tests.test_student import settings as params

CONTEXT = "film film plot superb was the film and with awful plot a film " * 6


def window(offsets) -> Window:
    return Window(0, {}, np.array(offsets))


@pytest.mark.parametrize("model", [MINILM, "bert", "distilbert", "bart"])
def test_windows_cover_the_context_and_overlap(models, model):  # noqa: F811
    tokenizer = load_tokenizer(models.get(model, model), 40)
    cut = windows(tokenizer, [("was the plot weak", CONTEXT), ("a", "superb")])
    assert [piece.row for piece in cut] == [0] * (len(cut) - 1) + [1]
    covered = set()
    for piece in cut[:-1]:
        assert len(piece.tokens["input_ids"]) == len(piece.offsets) <= 40
        inside = piece.offsets[piece.offsets[:, 1] > piece.offsets[:, 0]]
        assert not covered or min(start for start, _ in inside) < max(covered), "it overlaps with the one before"
        covered |= {place for start, end in inside for place in range(start, end)}
    assert covered == {place for place, sign in enumerate(CONTEXT) if not sign.isspace()}


def test_a_target_is_where_the_answer_is_and_the_first_token_elsewhere(models):  # noqa: F811
    cut = windows(load_tokenizer(models["bert"], 40), [("a film", CONTEXT)])
    start = CONTEXT.rindex("superb")
    found = [(piece, *piece.place(start, start + len("superb was"))) for piece in cut]
    assert any(first for _, first, _ in found)
    for piece, first, last in found:
        whole = piece.offsets[:, 0].max() >= start + len("superb was ") and piece.offsets[:, 0].min() <= start
        if first:
            text = CONTEXT[piece.offsets[first, 0] : piece.offsets[last, 1]]
            assert text == "superb was"
        else:
            assert last == 0 and not (whole and (piece.offsets[:, 0] == start).any())


def test_a_question_longer_than_a_window_leaves_room_for_the_context(models):  # noqa: F811
    cut = windows(load_tokenizer(models["bert"], 40), [("film " * 200, CONTEXT)])
    assert all((piece.offsets[:, 1] > 0).sum() >= 12 for piece in cut[:-1])


def test_windows_that_are_too_short_are_told(models):  # noqa: F811
    with pytest.raises(UserError, match=r"student\.max_tokens: a reader needs 32"):
        windows(load_tokenizer(models["bert"], 16), [("a", "film")])


def test_the_best_span_ends_after_it_starts():
    starts, ends = np.array([9.0, 0, 0, 5, 0]), np.array([9.0, 8, 0, 0, 4])
    text, start, score = best_span("abcd", [(window([(-1, -1), (0, 1), (1, 2), (2, 3), (3, 4)]), starts, ends)])
    assert (text, start) == ("cd", 2), "the first token is no span, and the end before the start is none"
    assert 0 < score < 1


def test_the_best_span_of_all_windows():
    one, two = window([(0, 1), (1, 2)]), window([(2, 3), (3, 4)])
    seen = [(one, np.array([1.0, 0]), np.array([1.0, 0])), (two, np.array([3.0, 0]), np.array([0.0, 3]))]
    assert best_span("abcd", seen)[:2] == ("cd", 2)


def test_a_context_without_tokens_has_no_answer():
    assert best_span("", [(window([(-1, -1)]), np.zeros(1), np.zeros(1))]) == ("", 0, 0.0)


@given(st.data())
@settings(derandomize=True, deadline=None)
def test_spans_are_valid_and_the_best(data):
    size = data.draw(st.integers(1, 60))
    values = st.lists(st.integers(-50, 50), min_size=size, max_size=size)
    starts, ends = (np.array(data.draw(values), float) for _ in range(2))
    offsets = [(2 * place, 2 * place + 1) for place in range(size)]
    text, start, score = best_span("a " * size, [(window(offsets), starts, ends)])
    first, last = start // 2, (start + len(text) - 1) // 2
    assert 0 <= first <= last < size and last - first < LONGEST
    pairs = [(i, j) for i in range(size) for j in range(i, min(size, i + LONGEST))]
    assert starts[first] + ends[last] == max(starts[i] + ends[j] for i, j in pairs)
    assert 1 / 20 <= score <= 1 or len(pairs) < 20


def questions(count: int, seed: int):
    """The answer is the one word of the context that is no filler."""
    random = np.random.default_rng(seed)
    inputs, answers = [], []
    for _ in range(count):
        words = [*random.choice(["a", "the", "film", "plot", "was", "and", "with"], random.integers(3, 12))]
        words.insert(random.integers(len(words)), str(random.choice(["superb", "awful", "weird"])))
        text = " ".join(words)
        word = next(word for word in words if word in ("superb", "awful", "weird"))
        inputs.append(("was the film", text))
        answers.append((text.index(word), [word]))
    return inputs, answers


@pytest.mark.parametrize("kind", ["bert", "distilbert", "bart"])
def test_a_reader_learns_with_any_encoder(models, tmp_path, kind):  # noqa: F811
    chosen = params(models[kind], steps=96, max_tokens=32)
    (inputs, answers), (asked, truth) = questions(120, 1), questions(30, 2)
    learnt = fit((inputs, answers), (asked, truth), chosen, answer="span")
    told = learnt.predict(asked)
    right = [(text, start) == (texts[0], at) for (text, start, _), (at, texts) in zip(told, truth, strict=True)]
    assert np.mean(right) > 0.6, "guesses are right in a fifth of the cases"
    assert list(learnt.curve) == ["step", "loss", "train_accuracy", "selection_score", "test_score"]
    assert learnt.step == learnt.curve.step[learnt.curve.selection_score.idxmax()]
    assert learnt.predict([]) == []
    again = fit((inputs, answers), (asked, truth), chosen, answer="span")
    assert again.predict(asked) == told, "the same seed gives the same reader"
    learnt.save(tmp_path / "saved")
    from transformers import AutoModelForQuestionAnswering

    AutoModelForQuestionAnswering.from_pretrained(tmp_path / "saved")


def test_a_kind_that_does_not_read_is_told(models):  # noqa: F811
    with pytest.raises(UserError, match=r"student\.kind is `probe`, which is not one of finetune"):
        fit(questions(4, 1), ([], []), params(models["bert"], "probe"), answer="span")
