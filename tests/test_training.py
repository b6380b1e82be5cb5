"""The loop that fine-tunes: its batches, its schedule, and what it shares between seeds."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from synthesis import UserError
from synthesis.encoding.forward import _batches
from synthesis.students import classifier
from synthesis.students.base import Examples, Lesson
from synthesis.training import steps
from synthesis.training.steps import WINDOW, Trainee, batches, rates
from tests.test_student import NAMES, alone, models, rows, settings  # noqa: F401


@hypothesis(derandomize=True, deadline=None)
@given(st.lists(st.integers(1, 200), min_size=1, max_size=300), st.integers(1, 40), st.integers(1, 16))
def test_every_row_is_learned_before_any_comes_again(lengths, steps, batch):
    plan = batches(np.array(lengths), steps, batch, seed=0)
    assert plan.shape == (steps, batch)
    seen = np.bincount(plan.ravel(), minlength=len(lengths))
    assert seen.max() - seen.min() <= 1


def test_batches_are_of_like_length_whatever_the_seed():
    lengths = np.random.default_rng(0).integers(1, 200, 16 * WINDOW)
    plans = [batches(lengths, WINDOW, 16, seed) for seed in (1, 2)]
    assert (plans[0] != plans[1]).any()
    one, two = (lengths[plan] for plan in plans)
    assert (one.max(axis=1) - one.min(axis=1)).max() < 40
    assert (one.max(axis=1) == two.max(axis=1)).all(), "an epoch's batches have the same lengths, so seeds share them"
    assert (np.diff(one.max(axis=1)) < 0).any() and (np.diff(one.max(axis=1)) > 0).any(), "not sorted by length"


def test_the_learning_rate_rises_and_falls():
    rate = rates(100, SimpleNamespace(learning_rate=2.0, warmup=0.1))
    assert rate[0] > 0 and rate[-1] > 0 and rate[10] == rate.max() == 2
    assert (np.diff(rate[:11]) > 0).all() and (np.diff(rate[10:]) < 0).all()
    assert rates(1, SimpleNamespace(learning_rate=2.0, warmup=0.0)) > 0


def test_a_step_is_that_of_a_plain_loop(models, monkeypatch):  # noqa: F811
    """AdamW on clipped gradients; biases and norms do not decay."""
    from transformers import AutoModelForSequenceClassification

    monkeypatch.setattr(steps, "has_bfloat16", lambda _: False)
    usual = settings(models["bert"], learning_rate=1e-2, weight_decay=0.5, warmup=0.25)
    ids, labels = torch.randint(5, 20, (12, 9)), torch.arange(12) % 3
    plan = np.arange(24).reshape(8, 3) % 12

    def model():
        torch.manual_seed(0)
        return AutoModelForSequenceClassification.from_pretrained(models["bert"], num_labels=3).eval()

    one, other = model(), model()
    trainee = Trainee(one, {"input_ids": ids}, {"labels": labels}, classifier._objective, plan, usual)
    decaying = [weight for weight in other.parameters() if weight.ndim > 1]
    rest = [weight for weight in other.parameters() if weight.ndim < 2]
    optimizer = torch.optim.AdamW([{"params": decaying, "weight_decay": 0.5}, {"params": rest, "weight_decay": 0}])
    losses = []
    for places, rate in zip(plan, rates(8, usual), strict=True):
        trainee.step(9)
        loss = other(input_ids=ids[places], labels=labels[places]).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(other.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert trainee.take_sums()[0] == pytest.approx(sum(losses), rel=1e-4)
    assert trainee.take_sums() == (0, 0)
    with torch.no_grad():
        assert torch.allclose(one(input_ids=ids).logits, other(input_ids=ids).logits, atol=1e-3)


def test_several_seeds_are_each_what_it_is_alone(models):  # noqa: F811
    def learn(seeds):
        usual = settings(models["bert"], steps=10)
        return classifier.fit(Lesson(Examples(*rows(40, 1)), usual, NAMES, Examples(*rows(20, 2)), seeds=seeds))

    texts, _ = rows(10, 3)
    together = learn([3, 4])
    assert (together[0].predict(texts) != together[1].predict(texts)).any()
    for student, seed in zip(together, [3, 4], strict=True):
        [single] = learn([seed])
        assert (student.predict(texts) == single.predict(texts)).all()
        assert student.curve.equals(single.curve)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_every_row_is_in_one_batch_of_a_prediction(device):
    lengths = sorted(np.random.default_rng(0).integers(1, 512, 3000).tolist(), reverse=True)
    cut = list(_batches(lengths, device))
    assert [start for start, _, _ in cut] == [0, *(end for _, end, _ in cut[:-1])] and cut[-1][1] == len(lengths)
    assert all(longest == max(lengths[start:end]) for start, end, longest in cut)


def test_a_fit_that_fails_is_begun_anew(models, monkeypatch, capsys):  # noqa: F811
    """At a rate that destroys the weights a student guesses; at half of it, by which this one learns, it does not."""
    learned, rates_tried = Examples(*rows(60, 0)), []
    fit, usual = classifier._fit, settings(models["bert"], steps=100, learning_rate=5e-3)

    def tried(lesson):
        rates_tried.append((lesson.settings.learning_rate, list(lesson.seeds)))
        broken = lesson.settings.learning_rate > 5e-3
        guessing = Examples(["the same"] * len(learned.goals), learned.goals)
        return fit(replace(lesson, learned=guessing) if broken else lesson)

    monkeypatch.setattr(classifier, "_fit", tried)
    lesson = Lesson(learned, usual.changed({"learning_rate": 1e-2}), NAMES, seeds=(0, 1))
    students = classifier.fit(lesson)
    assert rates_tried == [(1e-2, [0, 1]), (5e-3, [0, 1])]
    assert "2" in capsys.readouterr().err
    assert all(student.curve.loss.iloc[-1] < 1 and student.records == 2 * 100 * 8 for student in students)
    rates_tried.clear()
    classifier.fit(replace(lesson, settings=usual))
    assert rates_tried == [(5e-3, [0, 1])], "a student that learns is not trained twice"


@pytest.mark.slow
def test_two_processes_learn_as_one_does(models, tmp_path, monkeypatch):  # noqa: F811
    """By gloo, on the processor. Without dropout, whose random numbers no two processes share."""
    folder = Path(shutil.copytree(models["bert"], tmp_path / "quiet"))
    quiet = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | quiet))
    learned, selection = Examples(*rows(60, 1)), Examples(*rows(30, 2))
    lesson = Lesson(learned, settings(str(folder), steps=60, learning_rate=1e-3), NAMES, selection)
    monkeypatch.setattr(classifier, "NOTHING", 9.0)  # so few steps are not begun anew
    [one] = classifier.fit(lesson)
    monkeypatch.setenv("STUDENT_PROCESSES", "2")
    [other] = classifier.fit(lesson)
    assert (one.step, one.records, one.tokens) == (other.step, other.records, other.tokens)
    np.testing.assert_allclose(one.curve.loss, other.curve.loss, rtol=1e-3)  # in bfloat16, where there is such hardware
    np.testing.assert_allclose(one.curve.train_accuracy, other.curve.train_accuracy, atol=0.03)
    np.testing.assert_allclose(one.predict(rows(9, 3)[0]), other.predict(rows(9, 3)[0]), atol=0.02)
    assert len(one.curve) == 2 and one.curve.loss.iloc[0] != one.curve.loss.iloc[1]


def test_processes_that_cannot_share_a_batch(models, monkeypatch):  # noqa: F811
    lesson = Lesson(Examples(*rows(12, 1)), settings(models["bert"], batch=9), NAMES)
    for count, says in (("2", r"student.batch is 9, of which 2 processes"), ("two", "is no number of processes")):
        monkeypatch.setenv("STUDENT_PROCESSES", count)
        with pytest.raises(UserError, match=says):
            classifier.fit(lesson)
