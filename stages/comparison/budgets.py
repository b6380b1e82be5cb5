"""What gold rows are worth: arms at several gold budgets."""

from stages.comparison.arm import GOLD, Arm, Student
from stages.pipeline.markdown import marked, table
from stages.pipeline.stage import UserError


def lines(arms: list[Arm]) -> dict[str, dict[int, Student]]:
    """By what is learned, gold rows alone first: the students by gold budget, the smallest first.

    Raises UserError for two arms that would be the same point.
    """
    found = {GOLD: {}}
    for arm in sorted(arms, key=lambda arm: arm.budget):
        found[GOLD].setdefault(arm.budget, arm.gold)
        line = found.setdefault(arm.learn, {})
        if arm.budget in line:
            raise UserError(
                f"--budgets: {line[arm.budget].name} and {arm.name} both learn `{arm.learn}` from {arm.budget} gold "
                "rows: name one of them"
            )
        line[arm.budget] = arm.final
    return found


def shown(found: dict[str, dict[int, Student]]) -> list[str]:
    """A table: one row a budget, one column a line."""
    cells = [
        [budget, *(marked(line[budget].mark, line[budget].task) if budget in line else "" for line in found.values())]
        for budget in found[GOLD]
    ]
    return table([["gold budget", *found], *cells])
