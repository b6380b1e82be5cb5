"""The contest: each student against the baseline on the same rows of test, and the tables that show how it ended."""

import textwrap
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from synthesis import UserError
from synthesis.comparison.arms import GOLD, Arm, Student
from synthesis.measures import paired
from synthesis.report.tables import in_words, markdown, metric_text, p_text

LEVEL = 0.05
TESTS = {
    "sign_flip": "an exact sign-flip test (with one training seed: McNemar's)",
    "bootstrap": "a paired bootstrap with 10,000 draws",
}


@dataclass(frozen=True)
class Outcome:
    """A student's comparison with the baseline.

    difference: of the metric, the student's less the baseline's. p: of the paired test; p_holm: corrected for the
    number of comparisons. All None for the baseline itself.
    """

    difference: float | None = None
    p: float | None = None
    p_holm: float | None = None

    @property
    def verdict(self) -> str:
        if self.difference is None:
            return "baseline"
        if self.p_holm >= LEVEL:
            return "no difference shown"
        return "better" if self.difference > 0 else "worse"


def compare(students: list[Student], baseline: Student) -> dict[Student, Outcome]:
    """The outcome of each student. Raises UserError when one has taken another test than the baseline."""
    rivals = {student: baseline for student in students if student is not baseline}
    return dict.fromkeys(students, Outcome()) | _tested(rivals)


def _tested(rivals: dict[Student, Student]) -> dict[Student, Outcome]:
    """The outcomes of students beside the baseline of each. Raises UserError as `compare` does."""
    for rival, baseline in rivals.items():
        if rival.truth != baseline.truth:
            raise UserError(
                f"{rival.name} and {baseline.name} took different tests: their rows of data/{baseline.task.name}/"
                "gold/test differ in ids or labels. Compare runs with the same gold rows, seed and test_rows"
            )
    values = [paired.p_value(baseline.task, rival.scores, baseline.scores) for rival, baseline in rivals.items()]
    return {
        rival: Outcome(rival.value - baseline.value, value, corrected)
        for (rival, baseline), value, corrected in zip(rivals.items(), values, paired.holm(values), strict=True)
    }


def frame(outcomes: dict[Student, Outcome]) -> pd.DataFrame:
    """One row a student, as a program reads it."""
    return pd.DataFrame(
        {
            "arm": student.name,
            "rows": student.rows,
            "gold_rows": student.gold_rows,
            "calls": student.calls,
            "tokens": student.tokens,
            "dollars": student.spent["dollars"],
            **{"deviation": None} | _flat(student.metrics),
            **asdict(outcome),
            "verdict": outcome.verdict,
        }
        for student, outcome in outcomes.items()
    )


def _flat(metrics: dict) -> dict:
    """A student's metrics, those of the whole corpus under names such as corpus_bleu."""
    corpus = {f"corpus_{name}": score["score"] for name, score in metrics.get("corpus", {}).items()}
    return {key: value for key, value in metrics.items() if key != "corpus"} | corpus


def table(outcomes: dict[Student, Outcome], baseline: Student) -> list[str]:
    """The lines of a table, and of a note on what it means."""
    task, metric = baseline.task, in_words(baseline.task.metric)
    head = ["arm", "rows", "calls", "tokens", "dollars", f"{metric} on test", "difference", "p", "verdict"]
    note = (
        f"{metric} in % on the {len(baseline.scores):,} rows of test, with 95% intervals over these rows; ± is "
        f"the deviation over training seeds. The difference is to {baseline.name}, in points. p is of "
        f"{TESTS[task.paired_test]}, corrected by Holm for {len(outcomes) - 1} comparisons; verdicts are at level "
        f"{LEVEL}. p does not account for the chance of training: a difference holds for these students, and "
        "with few training seeds not yet for the methods. Calls are answers of the teacher, new ones and those out of "
        "the response store."
    )
    lines = [_cells(student, outcome) for student, outcome in outcomes.items()]
    return [*markdown([head, *lines]), "", *textwrap.wrap(note, 115)]


def _cells(student: Student, outcome: Outcome) -> list[str]:
    dollars = student.spent["dollars"]
    comparison = ["", ""]
    if outcome.p_holm is not None:
        comparison = [f"{100 * outcome.difference:+.1f}", p_text(outcome.p_holm)]
    return [
        student.name,
        f"{student.rows:,}" + (f" ({student.gold_rows:,} gold)" if 0 < student.gold_rows < student.rows else ""),
        f"{student.calls:,}",
        "unknown" if student.tokens is None else f"{student.tokens:,}",
        "unknown" if dollars is None else f"{dollars:.4f}" if dollars else "0",
        metric_text(student.metrics, student.task),
        *comparison,
        outcome.verdict,
    ]


def spread_table(arms: list[Arm]) -> list[str]:
    """How much arms differ that should be alike, such as prompts of the same meaning, and how much chance would do.

    The lines of a table. Raises UserError for a single arm.
    """
    if len(arms) < 2:
        raise UserError("--spread needs at least two revisions, and one was named")
    students = [arm.final for arm in arms]
    scores = np.column_stack([student.scores.mean(axis=1) for student in students])
    means = scores.mean(axis=0)
    by_seeds = paired.spread_by_seeds([student.scores for student in students])
    lines = [
        ["mean", _points(means.mean())],
        ["range", f"{_points(means.min())} to {_points(means.max())}"],
        ["standard deviation", _points(means.std(ddof=1))],
        ["- expected from the choice of test rows", _points(paired.spread_by_rows(scores))],
        ["- expected from the chance of training", "unknown: one seed" if by_seeds is None else _points(by_seeds)],
        ["p of such a spread from the choice of test rows alone", p_text(paired.p_alike(scores))],
    ]
    return markdown([[f"spread of {len(arms)} arms", in_words(students[0].task.metric)], *lines])


def budget_lines(arms: list[Arm]) -> dict[str, dict[int, Student]]:
    """By method, gold rows alone first: the students by gold budget, the smallest first.

    Raises UserError for two arms that would be the same point.
    """
    lines = {GOLD: {}}
    for arm in sorted(arms, key=lambda arm: arm.budget):
        lines[GOLD].setdefault(arm.budget, arm.gold)
        line = lines.setdefault(arm.method, {})
        if arm.budget in line:
            raise UserError(
                f"--budgets: {line[arm.budget].name} and {arm.name} are both `{arm.method}` with {arm.budget} gold "
                "rows: name one of them"
            )
        line[arm.budget] = arm.final
    return lines


def budget_table(lines: dict[str, dict[int, Student]]) -> list[str]:
    """What gold rows are worth: one row a budget, one column for each method, tested against as many gold rows alone.

    The lines of a table, and of a note on what it means. Raises UserError as `compare` does.
    """
    gold, methods = lines[GOLD], [line for name, line in lines.items() if name != GOLD]
    outcomes = _tested({student: gold[budget] for line in methods for budget, student in line.items()})
    cells = [[budget, *(_cell(line.get(budget), outcomes) for line in lines.values())] for budget in gold]
    note = (
        f"Beside each method: its difference to {GOLD}, as many of them, in points, and p of the same test as above, "
        f"corrected by Holm for {len(outcomes)} comparisons."
    )
    return [*markdown([["gold budget", *lines], *cells]), "", *textwrap.wrap(note, 115)]


def _cell(student: Student | None, outcomes: dict[Student, Outcome]) -> str:
    if student is None:
        return ""
    outcome, text = outcomes.get(student), metric_text(student.metrics, student.task)
    return f"{text}; {100 * outcome.difference:+.1f}, p {p_text(outcome.p_holm)}" if outcome else text


def _points(value: float) -> str:
    return f"{100 * value:.1f}"
