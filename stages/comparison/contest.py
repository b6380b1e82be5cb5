"""The contest: each student against the baseline on the same rows of test."""

import textwrap
from dataclasses import asdict, dataclass

import pandas as pd

from stages.comparison import paired
from stages.comparison.arm import Student
from stages.pipeline import markdown
from stages.pipeline.stage import UserError

LEVEL = 0.05
HOW = {
    paired.sign_flip: "exact sign-flip test (with one training seed: McNemar's)",
    paired.bootstrap: "paired bootstrap, 10,000 draws",
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


def held(students: list[Student], baseline: Student) -> dict[Student, Outcome]:
    """The outcome of each. Raises UserError when one has taken another test than the baseline."""
    for student in students:
        if student.truth != baseline.truth:
            raise UserError(
                f"{student.name} and {baseline.name} took different tests: their rows of data/{baseline.task.name}/"
                "gold/test differ in ids or labels. Compare runs with the same gold rows, seed and test_rows"
            )
    rivals = [student for student in students if student is not baseline]
    test = paired.TESTS[baseline.task.metric]
    values = [test(rival.scores, baseline.scores) for rival in rivals]
    outcomes = dict.fromkeys(students, Outcome())
    for rival, value, corrected in zip(rivals, values, paired.holm(values), strict=True):
        outcomes[rival] = Outcome(rival.value - baseline.value, value, corrected)
    return outcomes


def numbers(outcomes: dict[Student, Outcome]) -> pd.DataFrame:
    """One row a student, as a program reads it."""
    return pd.DataFrame(
        {
            "arm": student.name,
            "rows": student.rows,
            "gold_rows": student.gold_rows,
            "calls": student.calls,
            "tokens": student.tokens,
            "dollars": student.spent["dollars"],
            **{"deviation": None} | student.mark,
            **asdict(outcome),
            "verdict": outcome.verdict,
        }
        for student, outcome in outcomes.items()
    )


def shown(outcomes: dict[Student, Outcome], baseline: Student) -> list[str]:
    """A table and what it means."""
    task, how = baseline.task, HOW[paired.TESTS[baseline.task.metric]]
    head = ["arm", "rows", "calls", "tokens", "dollars", f"{task.metric} on test", "difference", "p", "verdict"]
    note = (
        f"{task.metric} in % on the {len(baseline.scores):,} rows of test, with 95% intervals over these rows; ± is "
        f"the deviation over training seeds. Difference to {baseline.name} in points. p: {how}, "
        f"corrected by Holm for {len(outcomes) - 1} comparisons; verdicts at level {LEVEL}. The chance of training is "
        "not in p: it tells about these students, and with few seeds not yet about the methods. Calls include answers "
        "out of the response store."
    )
    cells = [_cells(student, outcome) for student, outcome in outcomes.items()]
    return [*markdown.table([head, *cells]), "", *textwrap.wrap(note, 115)]


def _cells(student: Student, outcome: Outcome) -> list[str]:
    dollars = student.spent["dollars"]
    compared = ["", ""]
    if outcome.p_holm is not None:
        compared = [f"{100 * outcome.difference:+.1f}", markdown.chance(outcome.p_holm)]
    return [
        student.name,
        f"{student.rows:,}" + (f" ({student.gold_rows:,} gold)" if 0 < student.gold_rows < student.rows else ""),
        f"{student.calls:,}",
        f"{student.tokens:,}",
        "unknown" if dollars is None else f"{dollars:.4f}" if dollars else "0",
        markdown.marked(student.mark, student.task),
        *compared,
        outcome.verdict,
    ]
