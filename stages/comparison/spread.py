"""How much arms differ that should be alike: prompts of the same meaning."""

import numpy as np

from stages.comparison import paired
from stages.comparison.arm import Arm
from stages.pipeline.markdown import chance, table
from stages.pipeline.stage import UserError


def shown(arms: list[Arm]) -> list[str]:
    """A table: the spread of the arms, and what to expect of arms that are alike. Raises UserError for a single arm."""
    if len(arms) < 2:
        raise UserError("--spread: one revision has none, name at least two")
    students = [arm.final for arm in arms]
    scores = np.column_stack([student.scores.mean(axis=1) for student in students])
    means = scores.mean(axis=0)
    by_seeds = paired.spread_by_seeds([student.scores for student in students])
    cells = [
        ["mean", points(means.mean())],
        ["range", f"{points(means.min())} to {points(means.max())}"],
        ["standard deviation", points(means.std(ddof=1))],
        ["- expected from chance of the test rows", points(paired.spread_by_rows(scores))],
        ["- expected from chance of training", "unknown: one seed" if by_seeds is None else points(by_seeds)],
        ["p, were it the test rows alone", chance(paired.alike(scores))],
    ]
    return table([[f"spread of {len(arms)} arms", students[0].task.metric], *cells])


def points(value: float) -> str:
    return f"{100 * value:.1f}"
