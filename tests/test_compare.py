"""Arms side by side: the tests and corrections are those of the textbooks, and the table shows what revisions hold."""

import csv
import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from synthesis import UserError, files
from synthesis.__main__ import app
from synthesis.comparison import contest
from synthesis.comparison.arms import GOLD, Arm, Revision, Student
from synthesis.measures import paired
from synthesis.params import Task as Settings
from synthesis.tasks import classification, span_qa
from synthesis.teacher import spending
from tests.conftest import Repository, copied

HITS = st.tuples(st.integers(2, 7), st.integers(1, 3), st.integers(1, 3)).flatmap(
    lambda shape: st.tuples(
        *(arrays(float, (shape[0], seeds), elements=st.sampled_from([0.0, 1.0])) for seeds in shape[1:])
    )
)
SCORES = arrays(float, st.tuples(st.integers(1, 4), st.integers(2, 3)), elements=st.floats(0, 1, width=16))
unhurried = settings(derandomize=True, deadline=None)


# Statistics


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 20))
@unhurried
def test_one_seed_is_the_exact_test_of_mcnemar(won, lost, same):
    one = np.repeat([1.0, 0.0, 1.0], [won, lost, same + 1])[:, None]
    other = np.repeat([0.0, 1.0, 1.0], [won, lost, same + 1])[:, None]
    expected = stats.binomtest(won, won + lost).pvalue if won + lost else 1.0
    assert paired.sign_flip(one, other) == pytest.approx(expected)


@given(HITS)
@unhurried
def test_several_seeds_are_the_permutation_test_of_the_means(hits):
    means = [scores.mean(axis=1) for scores in hits]
    exact = stats.permutation_test(means, lambda one, other: np.mean(one - other), permutation_type="samples")
    assert paired.sign_flip(*hits) == pytest.approx(exact.pvalue)


@given(HITS)
@unhurried
def test_the_order_of_arms_and_copies_of_seeds_change_nothing(hits):
    one, other = hits
    p = paired.sign_flip(one, other)
    assert 0 < p <= 1
    assert paired.sign_flip(other, one) == pytest.approx(p)
    assert paired.sign_flip(np.repeat(one, 2, axis=1), other) == pytest.approx(p)
    assert paired.sign_flip(one, one) == 1


def test_large_tests_are_exact_too():
    rng = np.random.default_rng(0)
    one, other = (rng.random((5000, 5)) < share for share in (0.72, 0.70))
    differences = one.mean(axis=1) - other.mean(axis=1)
    z = differences.sum() / np.sqrt((differences**2).sum())
    assert paired.sign_flip(one, other) == pytest.approx(2 * stats.norm.sf(abs(z)), rel=0.1)


def test_the_bootstrap_agrees_with_the_t_test_and_is_never_zero():
    rng = np.random.default_rng(0)
    one = rng.random((300, 1))
    for shift in (0.0, 0.01, 0.03):
        other = one + shift + rng.normal(0, 0.2, one.shape)
        expected = stats.ttest_rel(one[:, 0], other[:, 0]).pvalue
        assert paired.bootstrap(one, other) == pytest.approx(expected, abs=0.015)
    assert paired.bootstrap(one, one + 0.1 + rng.normal(0, 0.01, one.shape)) == 1 / 10_001
    assert paired.bootstrap(one, one) == 1


def test_holm_steps_down():
    assert paired.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert paired.holm([0.5, 0.9]) == [1, 1]
    assert paired.holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
@unhurried
def test_holm_is_between_one_comparison_and_bonferroni(values):
    for value, corrected in zip(values, paired.holm(values), strict=True):
        assert value <= corrected <= min(len(values) * value, 1)
    order = np.argsort(values, kind="stable")
    assert (np.diff(np.array(paired.holm(values))[order]) >= 0).all()


@given(SCORES)
@unhurried
def test_expected_spread_is_that_over_all_permutations_within_rows(scores):
    rows = [list(itertools.permutations(row)) for row in scores]
    variances = [np.array(drawn).mean(axis=0).var(ddof=1) for drawn in itertools.product(*rows)]
    assert paired.spread_by_rows(scores) ** 2 == pytest.approx(np.mean(variances))


@given(arrays(float, (20, 4), elements=st.sampled_from([0.0, 1.0])))
@unhurried
def test_alike_is_cochrans_q(hits):
    arms, rows, total, k = hits.sum(axis=0), hits.sum(axis=1), hits.sum(), hits.shape[1]
    below = k * total - (rows**2).sum()
    q = (k - 1) * (k * (arms**2).sum() - total**2) / below if below else 0
    assert paired.p_alike(hits) == pytest.approx(stats.chi2.sf(q, k - 1))


def test_spread_by_seeds():
    calm, lively = np.array([[1.0, 1.0], [0.0, 0.0]]), np.array([[1.0, 1.0], [1.0, 0.0]])
    assert paired.spread_by_seeds([calm, calm]) == 0
    assert paired.spread_by_seeds([calm, lively]) == pytest.approx(np.sqrt((0 + 0.125 / 2) / 2))
    assert paired.spread_by_seeds([calm, lively[:, :1]]) is None


# Students that are written down


def student(name: str, predicted: list[str], rows: int = 10) -> Student:
    labels = ["yes", "no"] * (len(predicted) // 2)
    ids = [f"r{i}" for i in range(len(predicted))]
    test = pd.DataFrame({"seed": 0, "split": "test", "id": ids, "label": labels, "predicted": predicted})
    task = classification.Task("t", Settings.model_construct(words={}))
    return Student(name, task, rows, 0, spending.total([]), test)


def test_verdicts():
    right, wrong, half = ["yes", "no"] * 20, ["no", "yes"] * 20, ["yes", "yes"] * 20
    base, *others = (student(name, answers) for name, answers in zip("abcd", (half, right, wrong, half), strict=True))
    outcomes = contest.compare([base, *others], base)
    assert [outcome.verdict for outcome in outcomes.values()] == ["baseline", "better", "worse", "no difference shown"]
    assert [outcome.difference for outcome in outcomes.values()] == [None, 0.5, -0.5, 0]
    assert outcomes[others[0]].p == pytest.approx(2 * 0.5**20)
    assert outcomes[others[0]].p_holm == pytest.approx(3 * 2 * 0.5**20)


def test_rows_are_matched_by_id():
    """The order in which a table has its rows does not matter."""
    rng = np.random.default_rng(0)
    base = student("a", rng.choice(["yes", "no"], 40).tolist())
    shuffled = Student("b", base.task, 10, 0, base.spent, base.test.sample(frac=1, random_state=0))
    assert contest.compare([base, shuffled], base)[shuffled].p == 1


def test_questions_are_compared_by_f1():
    def reader(name, predicted, answers):
        ids = [f"r{i}" for i in range(len(predicted))]
        test = pd.DataFrame({"seed": 0, "split": "test", "id": ids, "answers": answers, "predicted": predicted})
        return Student(name, span_qa.Task("t", Settings.model_construct()), 10, 0, spending.total([]), test)

    answers = [["a red fox", "fox"]] * 30
    base, other = reader("a", ["a red hat"] * 30, answers), reader("b", ["a red fox"] * 29 + ["hat"], answers)
    outcomes = contest.compare([base, other], base)
    assert outcomes[other].verdict == "better"
    assert outcomes[other].p == 1 / 10_001
    assert "exact match" in contest.table(outcomes, base)[2]
    with pytest.raises(UserError, match="c and a took different tests"):
        contest.compare([base, reader("c", ["fox"] * 30, [["fox"]] * 30)], base)


def test_lines_by_budget():
    def arm(name, budget, learn):
        return Arm([], student(name, ["yes", "no"]), student(GOLD, ["yes", "no"]), learn, budget)

    arms = [arm("c", 500, "synthetic"), arm("a", 100, "synthetic"), arm("b", 100, "both")]
    lines = contest.budget_lines(arms)
    named = {name: {budget: one.name for budget, one in line.items()} for name, line in lines.items()}
    assert named == {GOLD: {100: GOLD, 500: GOLD}, "synthetic": {100: "a", 500: "c"}, "both": {100: "b"}}
    table = contest.budget_table(lines)
    assert len(table) > 5 and "corrected by Holm for 3 comparisons." in " ".join(table)
    studied = [arm(f"t-{way}-{budget}", budget, "both") for budget in (50, 100) for way in ("untuned", "generate")]
    assert {name: list(line) for name, line in contest.budget_lines(studied).items()} == {
        GOLD: [50, 100], "untuned": [50, 100], "generate": [50, 100]
    }, "as the arms of a study are called"  # fmt: skip
    with pytest.raises(UserError, match="b and d are both `both` with 100 gold rows"):
        contest.budget_lines([*arms, arm("d", 100, "both")])


def test_each_budget_is_tested_against_its_own_gold_rows():
    """Planted: with 50 gold rows a method is far better than they are, with 100 it answers as they do."""
    truth = ["yes", "no"] * 30
    wrong = ["no", "yes"] * 30

    def arm(budget, gold, predicted):
        return Arm([], student(f"t-ours-{budget}", predicted), student(GOLD, gold), "both", budget)

    lines = contest.budget_lines([arm(50, wrong[:40] + truth[40:], truth), arm(100, truth, truth)])
    few, many = contest.budget_table(lines)[2:4]
    assert "; +66.7, p <.001" in few and "; +0.0, p 1.000" in many
    assert few.count("p ") == 1, "gold rows alone are what the others are tested against"


# The command


@pytest.fixture
def inside(experiments, tmp_path, monkeypatch) -> Repository:
    """A copy of the test's own, and the working directory in it."""
    repository = copied(experiments, tmp_path)
    monkeypatch.chdir(repository.folder)
    return repository


def compare(*words) -> None:
    app(["compare", *words], standalone_mode=False)


def numbers(*words) -> list[dict]:
    """The rows of the CSV."""
    compare(*words, "--out", "../out/arms")
    with open("../out/arms.csv") as file:
        return list(csv.DictReader(file))


def refused(*words) -> str:
    with pytest.raises(UserError) as error:
        compare(*words)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_arms_and_gold_side_by_side(inside):
    out = inside.folder.parent / "out" / "arms"
    revisions = ["main", "two", "few", "workspace"]
    printed = inside.command("compare", *revisions, "--spread", "--out", str(out)).stdout
    with out.with_suffix(".csv").open() as file:
        rows = list(csv.DictReader(file))
    main, two, few, workspace, gold = rows
    assert out.with_suffix(".md").read_text() == printed
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert [row["arm"] for row in rows] == ["main", "two", "few", "workspace", GOLD]

    metrics = inside.folder / "metrics/reviews"
    learned, cost = (json.loads((metrics / file).read_text()) for file in ("final.json", "cost.json"))
    assert int(main["rows"]) == learned["rows"]
    assert int(main["calls"]) == cost["total"]["calls"]
    assert [float(main[key]) for key in ("accuracy", "low", "high")] == list(learned["test"].values())
    assert (main["difference"], main["p"], main["verdict"]) == ("", "", "baseline")
    same = {"difference": "0.0", "p": "1.0", "p_holm": "1.0", "verdict": "no difference shown"}
    assert workspace == {**main, **same, "arm": "workspace"}
    assert (few["deviation"], two["deviation"]) == ("0.0", "")
    assert int(few["calls"]) < int(main["calls"])
    assert [gold[key] for key in ("rows", "gold_rows", "calls", "tokens", "dollars")] == ["120", "120", "0", "0", "0.0"]

    data = inside.folder / "data/reviews"
    tests = [files.read(data / name / "predictions.parquet").query("split == 'test'") for name in (".", "baseline")]
    final, alone = ((answers.predicted == answers.label).to_numpy() for answers in tests)
    won, lost = (alone & ~final).sum(), (final & ~alone).sum()
    assert float(gold["p"]) == pytest.approx(stats.binomtest(won, won + lost).pvalue)
    assert float(gold["difference"]) == pytest.approx(alone.mean() - final.mean())
    assert [float(row["p_holm"]) for row in rows[1:]] == paired.holm([float(row["p"]) for row in rows[1:]])

    assert "corrected by Holm for 4 comparisons" in " ".join(printed.split())
    assert "| unknown: one seed |" in printed


def test_gold_budgets_and_another_baseline(inside, capsys):
    rows = numbers("main", "few", "--budgets", "--baseline", "few")
    assert [row["verdict"] == "baseline" for row in rows] == [False, True, False]
    lines = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines() if line.startswith("|")][-4:]
    assert [cell.strip() for cell in lines[0]] == ["gold budget", GOLD, "synthetic"]
    assert [line[0].strip() for line in lines[2:]] == ["60", "120"]
    assert [("; " in line[1], "; " in line[2]) for line in lines[2:]] == [(False, True)] * 2, "with p"
    assert (inside.folder.parent / "out/arms-budgets.png").is_file()


def test_an_arm_that_ended_before_the_report_has_costs_of_its_own(inside):
    few, own = numbers("few", "main")[0], Revision("few")
    stages = [own.json(Path(f"metrics/reviews/{stage}.json")) for stage in ("rationales", "seed", "round0/extrapolate")]
    assert int(few["calls"]) == sum(stage["calls"] for stage in stages)


def test_an_arm_that_learned_no_synthetic_row_cost_nothing(inside, capsys):
    metrics = inside.folder / "metrics/reviews"
    final, seed = (json.loads((metrics / file).read_text()) for file in ("final.json", "seed.json"))
    files.write_json({**seed, "dollars": None}, metrics / "seed.json")
    compare("workspace", "main")
    assert "| unknown |" in capsys.readouterr().out
    files.write_json({**final, "gold_rows": final["rows"], "synthetic_rows": 0}, metrics / "final.json")
    arm = numbers("workspace", "main")[0]
    assert [arm[key] for key in ("calls", "tokens", "dollars")] == ["0", "0", "0.0"]
    assert arm["rows"] == arm["gold_rows"] == str(final["rows"])


def test_errors_are_one_line_with_the_way_out(inside):
    assert "Missing argument 'REV': see `synthesis compare --help`" in inside.command("compare", ok=False).stderr
    assert "nonsense: unknown Git revision 'nonsense': `dvc exp list" in refused("main", "nonsense")
    assert "main does not run task `rte` (`tasks` there: reviews)" in refused("main", "--task", "rte")
    assert "main~1: data/reviews/predictions.parquet was not made: run `dvc exp run`" in refused("main", "main~1")
    assert "--spread needs at least two revisions" in refused("main", "--spread")
    assert "main and two are both `synthetic` with 120" in refused("main", "two", "--budgets")

    told = (
        "--worth shows a table of its own: leave out --baseline and --ratios; only --baseline, --spread and --budgets"
    )
    assert f"{told} go together" in refused("main", "two", "--worth", "--baseline", "two", "--ratios")
    assert "--ratios shows a table of its own: leave out --spread and --budgets" in refused(
        "main", "two", "--ratios", "--spread", "--budgets"
    )

    file = inside.folder / "data/reviews/predictions.parquet"
    answers = files.read(file)
    file.unlink()
    files.write(answers[answers.id != answers.id.iloc[-1]], file)
    assert "workspace and main took different tests" in refused("main", "workspace")
    inside.set({"tasks": ["reviews", "rte"]})
    assert "workspace runs 2 tasks: choose one by --task (reviews, rte)" in refused("workspace", "main")
    inside.run("git", "checkout", "-q", "params.yaml")
    shutil.rmtree(inside.folder / ".dvc/cache")
    assert "is not in the cache: `dvc pull` or `dvc fetch -a`" in refused("main", "two")
    file.unlink()
    assert "workspace: data/reviews/predictions.parquet is not in the cache" in refused("workspace", "main")
