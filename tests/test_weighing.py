"""Labels and weights from gold rows, for the rows of a teacher that mislabels, and of one that writes off task."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from synthesis import UserError
from synthesis import files as table
from synthesis.filters import sift
from synthesis.method.mixing import mix
from synthesis.method.weighing import MOST, weigh
from synthesis.params import Task as Settings
from synthesis.students import classifier, lesson, probe
from synthesis.students.base import Examples, Lesson
from synthesis.tasks import classification
from tests import planted
from tests.planted import LABELS
from tests.test_student import MINILM, NAMES, alone, models, rows, settings  # noqa: F401

TASK = classification.Task("t", Settings.model_construct(kind="classification", words={}))
GOLD = planted.told_by_words(100, 0, "gold")
ASKED = planted.told_by_words(400, 1, "test")
COLUMNS = [f"weight({label})" for label in LABELS]


@pytest.fixture(autouse=True)
def words(monkeypatch):
    planted.use_words(monkeypatch)


def mislabelled(count: int = 150, seed: int = 2) -> pd.DataFrame:
    """Rows of a teacher a third of whose labels are wrong."""
    return planted.told_by_words(count, seed, "seed", wrong=1 / 3).assign(parent="", round=0)


def off_task(count: int = 60, seed: int = 3) -> pd.DataFrame:
    """Rows that are about other things, in which the words that tell a label tell the other one."""
    rows, random = planted.told_by_words(count, seed, "off"), np.random.default_rng(seed)
    rows.label = rows.label.map(dict(zip(LABELS, LABELS[::-1], strict=True)))
    rows.text = [f"{text} " + " ".join(f"other{n}" for n in random.integers(0, 20, 8)) for text in rows.text]
    return rows.assign(parent="", round=0)


def accuracy(rows: pd.DataFrame) -> float:
    """Of a probe that learns these."""
    [student] = lesson.fit(TASK, Lesson(lesson.examples(TASK, rows), planted.run().student, [*LABELS]))
    return student.score(lesson.examples(TASK, ASKED))


def weighed(rows: pd.DataFrame, **method) -> pd.DataFrame:
    return weigh(planted.run({f"method.{key}": value for key, value in method.items()}), rows, GOLD)


def test_without_labels_and_weights_of_gold_nothing_changes():
    rows = mislabelled(20)
    assert weighed(rows) is rows
    assert lesson.examples(TASK, rows).weights is None


def test_soft_labels_mend_a_teacher_that_mislabels_a_third():
    rows = mislabelled()
    soft = weighed(rows, label="soft")
    assert np.allclose(soft[COLUMNS].sum(axis=1), 1)
    truth = soft[COLUMNS].to_numpy()[range(len(rows)), [LABELS.index(label) for label in rows.truth]]
    assert truth.mean() > 0.65
    assert accuracy(soft) > accuracy(rows) + 0.05


def test_rows_that_gold_rows_contradict_are_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = mislabelled().assign(rejected="", prompt="")
    gold = {"validation": GOLD, "selection": GOLD.head(0), "test": GOLD.head(0)}
    sifted = sift(rows, rows.head(0), gold, planted.run({"method.label": "agree", "filters.near_duplicate": None}))
    dropped = sifted.rejected == "gold rows disagree"
    wrong = rows.label != rows.truth
    assert dropped[wrong].mean() > 0.45 > 0.1 > dropped[~wrong].mean()
    assert accuracy(rows[~dropped]) > accuracy(rows) + 0.05
    assert not sift(rows, rows.head(0), gold, planted.run()).rejected.eq("gold rows disagree").any()


def test_dimp_makes_little_of_what_gold_contradicts():
    rows = mislabelled()
    found = weighed(rows, weight="dimp")
    own = found[COLUMNS].sum(axis=1)
    wrong = rows.label != rows.truth
    assert own.mean() == pytest.approx(1) and (own >= 0).all()
    assert own[wrong].mean() < own[~wrong].mean() / 1.5
    assert accuracy(found) > accuracy(rows) + 0.02
    assert (found[COLUMNS].gt(0).to_numpy() == (rows.label.to_numpy()[:, None] == np.array(LABELS))).all()


def test_mmd_makes_little_of_rows_off_task():
    rows = pd.concat([planted.told_by_words(60, 2, "seed").assign(parent="", round=0), off_task()], ignore_index=True)
    found = weighed(rows, weight="mmd")
    own, off = found[COLUMNS].sum(axis=1), rows.id.str.startswith("off")
    assert own[off].mean() < own[~off].mean() / 2
    assert own.groupby(rows.label).mean().round(6).tolist() == [1, 1] and own.max() < 2 * MOST
    assert accuracy(found) > accuracy(rows) + 0.1
    assert weighed(rows, weight="mmd").equals(found)


def test_mmd_leaves_rows_alone_that_are_distributed_as_gold():
    own = weighed(planted.told_by_words(60, 2, "seed").assign(parent=""), weight="mmd")[COLUMNS].sum(axis=1)
    assert own.std() < 0.5 and (own > 0).mean() > 0.9


def test_gold_rows_beside_weighted_ones_count_once():
    soft = weighed(mislabelled(20), label="soft", weight="mmd")
    both = mix("both", TASK, soft, GOLD, 0).rows
    weights = lesson.examples(TASK, both).weights
    assert np.allclose(weights[:20], soft[COLUMNS]) and weights.shape == (120, 2)
    assert (weights[20:] == (GOLD.label.to_numpy()[:, None] == np.array(LABELS))).all()
    assert lesson.examples(TASK, mix("gold", TASK, soft, GOLD, 0).rows).weights is None
    control = mix("shuffled", TASK, soft, GOLD, 0).rows
    assert sorted(control[COLUMNS[0]]) == sorted(soft[COLUMNS[0]]) and not control[COLUMNS].equals(soft[COLUMNS])


def test_a_probe_learns_a_weight_of_two_as_two_rows():
    few, run = planted.told_by_words(30, 5, "seed"), planted.run()
    selection = lesson.examples(TASK, GOLD)
    twice = pd.concat([few, few.head(10)])
    weights = np.where(few.label.to_numpy()[:, None] == np.array(LABELS), 1.0, 0.0)
    weights[:10] *= 2
    one = Examples(*(getattr(lesson.examples(TASK, few), name) for name in ("inputs", "goals")), weights)
    learned = [probe.fit(Lesson(part, run.student, [*LABELS], selection))[0]
               for part in (one, lesson.examples(TASK, twice))]  # fmt: skip
    assert np.allclose(*(student.predict(ASKED.text.tolist()) for student in learned), atol=1e-3)


def test_a_kind_that_cannot_weigh_says_so():
    run = planted.run({"student.kind": "setfit"})
    weighted = Lesson(lesson.examples(TASK, weighed(mislabelled(20), label="soft")), run.student, [*LABELS])
    with pytest.raises(UserError, match=r"setfit learn no weighted rows: leave method\.weight empty"):
        lesson.fit(TASK, weighted)


def test_values_that_exclude_each_other():
    with pytest.raises(UserError, match=r"weight: dimp weighs the labels of the teacher"):
        planted.run({"method.label": "soft", "method.weight": "dimp"})


def test_an_encoder_learns_weighted_rows(models):  # noqa: F811
    """Half of the labels are wrong, and these rows count for nothing."""
    texts, labels = rows(90, 1)
    wrong = np.arange(90) % 2 == 0
    shown = [NAMES[(NAMES.index(label) + 1) % 3] if bad else label for label, bad in zip(labels, wrong, strict=True)]
    own = np.array(shown)[:, None] == np.array(NAMES)
    usual = settings(models["bert"], steps=150)

    def learn(weights):
        return classifier.fit(Lesson(Examples(texts, shown, weights), usual, NAMES))[0]

    asked, truth = rows(60, 2)
    weights = (own * ~wrong[:, None]).astype(np.float32)
    right, blind = (np.array(NAMES)[learn(part).predict(asked).argmax(axis=1)] == truth for part in (weights, None))
    assert right.mean() > 0.75 > 0.6 > blind.mean()


def test_the_loss_of_rows_that_count_once_is_the_usual_one():
    import torch

    logits, labels = torch.randn(8, 3, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 3
    output, own = SimpleNamespace(logits=logits), torch.nn.functional.one_hot(labels, 3).float()
    usual, _ = classifier._objective(output, {"labels": labels})
    weighted, right = classifier._objective(output, {"labels": labels, "weights": own})
    assert torch.isclose(usual, weighted) and right.shape == (8,)
    halves = classifier._objective(output, {"labels": labels, "weights": torch.full((8, 3), 1 / 3)})[0]
    assert torch.isclose(halves, torch.nn.functional.cross_entropy(logits, torch.full((8, 3), 1 / 3)))


def test_weights_are_written_anew_with_each_round(tmp_path, monkeypatch):
    """By the stage itself: those of earlier rows change with what is beside them."""
    from stages import combine

    monkeypatch.chdir(tmp_path)
    run = planted.run({"method.weight": "dimp"})
    planted.write_gold(run, GOLD, planted.told_by_words(20, 7, "selection"), planted.told_by_words(20, 8, "test"))
    provenance = {"replaces": "", "request": "", "prompt": "", "model": "m", "rejected": ""}
    seed = mislabelled(60).assign(**provenance)
    table.write(seed, run.paths.seed)
    combine.main(run, 0)
    first = table.read(run.paths.train(0))
    table.write(
        mislabelled(40, 5).assign(**provenance, round=1, id=[f"round1-{i}" for i in range(40)]), run.paths.additional(1)
    )
    table.write(pd.DataFrame({"round": [0]}), run.paths.predictions(0))
    combine.main(run, 1)
    second = table.read(run.paths.train(1))
    assert second.id.tolist() == [*first.id, *second.id[len(first) :]] and second[COLUMNS].notna().all(axis=None)
    assert not np.allclose(second[COLUMNS].head(len(first)), first[COLUMNS])
