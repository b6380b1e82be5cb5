"""What a teacher leans to is taken away from its probabilities, where enough rows tell."""

import numpy as np
import pytest
from scipy.special import softmax

from synthesis.method.leaning import righted, weights

LABELS = ["a", "b", "c"]


def said(frequent) -> list[str]:
    """Labels of a thousand rows, of which so much is each."""
    return [label for label, share in zip(LABELS, frequent, strict=False) for _ in range(round(1000 * share))]


@pytest.mark.parametrize("frequent", [[0.5, 0.5], [0.2, 0.8], [0.6, 0.3, 0.1]])
def test_a_lean_that_hides_what_is_known_is_taken_away(frequent):
    random, frequent, labels = np.random.default_rng(0), np.array(frequent), LABELS[: len(frequent)]
    truth = random.choice(len(frequent), 400, p=frequent)
    logits = random.normal(size=(400, len(frequent))) + 2.5 * np.eye(len(frequent))[truth]
    leaning = softmax(logits + np.linspace(4, 0, len(frequent)), axis=1)
    leaning[7] = np.nan
    rows = np.arange(400) != 7
    answers = righted(leaning, weights(leaning, said(frequent), labels))
    assert np.isnan(answers[7]).all() and np.allclose(answers[rows].sum(axis=1), 1)
    before, after = ((shares[rows].argmax(axis=1) == truth[rows]).mean() for shares in (leaning, answers))
    assert before < 0.8 < 0.85 < after
    assert np.allclose(answers[rows].mean(axis=0), frequent, atol=0.05)


def test_a_few_rows_say_little_and_none_say_nothing():
    one = np.array([[0.8, 0.2]])
    assert righted(one, weights(one, [], LABELS[:2])).argmax() == 0
    assert np.allclose(weights(one[:0], ["a", "a", "b"], LABELS[:2]), [3 / 5, 2 / 5]), "one more row of each is counted"
