"""The SQuAD metric, against what the official evaluate-v1.1.py is known to do."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthesis.tasks.squad import exact_match, f1, normalised

TEXTS = st.text(alphabet="aAbnteh .,'-é", max_size=25)


@pytest.mark.parametrize(
    ("answer", "same"),
    [
        ("The Denver Broncos", "denver broncos"),  # case and articles
        ("Santa Clara, California.", "Santa Clara California"),  # punctuation
        ("  a\tgold   anniversary ", "gold anniversary"),  # white space
        ("U.S.", "us"),  # marks vanish without a space in their place
        ("an A-team, the best", "ateam best"),  # an article within a word stays
        ("theatre", "theatre"),
    ],
)
def test_normalisation(answer, same):
    assert normalised(answer) == normalised(same)
    assert exact_match(answer, [same]) == 1


@pytest.mark.parametrize(
    ("predicted", "answers", "em", "score"),
    [
        # The examples of the published data and of the SQuAD metric's card: best over all gold answers
        ("1976", ["1976"], 1, 1),
        ("Denver Broncos", ["Denver Broncos", "Denver Broncos", "the Broncos"], 1, 1),
        ("Broncos", ["Denver Broncos"], 0, 2 / 3),
        ("the Broncos of Denver", ["Denver Broncos", "Broncos"], 0, 4 / 5),
        ("Santa Clara", ["Levi's Stadium in the San Francisco Bay Area at Santa Clara, California"], 0, 4 / 13),
        ("gold gold gold", ["gold"], 0, 1 / 2),  # words count as often as they occur on both sides
        ("1999", ["1976"], 0, 0),
        ("", ["1976"], 0, 0),
        ("the", ["a"], 1, 0),  # nothing is left of either: equal, without a word in common
    ],
)
def test_published_behaviour(predicted, answers, em, score):
    assert exact_match(predicted, answers) == em
    assert f1(predicted, answers) == pytest.approx(score)


@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=3))
@settings(derandomize=True, deadline=None)
def test_properties(predicted, answers):
    assert 0 <= f1(predicted, answers) <= 1
    assert exact_match(predicted, answers) in (0, 1)
    assert f1(predicted, answers) == max(f1(predicted, [one]) for one in answers)
    assert f1(predicted, [answers[0]]) == f1(answers[0], [predicted])
    if exact_match(predicted, answers) and normalised(predicted):
        assert f1(predicted, answers) == 1
    assert normalised(normalised(predicted)) == normalised(predicted)
