"""Arms side by side: what each revision's method is worth on test, what it cost, and whether a difference is shown.

    python -m stages.compare [options] REV...

REV is a branch, a commit, the name of an experiment of `dvc exp run`, or `workspace`. Nothing is checked out, nothing
runs. The gold rows alone, without a teacher, always stand among the arms.
"""

import argparse

from stages.comparison import arm, budgets, contest, picture, spread
from stages.comparison.revision import Revision
from stages.pipeline import table
from stages.pipeline.stage import UserError, run


def main(*words: str) -> None:
    options = parsed(words)
    first = options.baseline or options.revisions[0]
    revisions = [Revision(name) for name in dict.fromkeys([*options.revisions, first])]
    name = options.task or only_task(revisions[0])
    arms = [arm.read(revision, name) for revision in revisions]
    gold = arms[0].gold
    baseline = next(one.final for one in arms if one.name == first)
    outcomes = contest.held([*(one.final for one in arms), gold], baseline)
    text = [f"# {name}", "", *contest.shown(outcomes, baseline)]
    if options.spread:
        text += ["", *spread.shown(arms)]
    lines = budgets.lines(arms) if options.budgets else {}
    if lines:
        text += ["", *budgets.shown(lines)]
    print("\n".join(text))
    if options.out:
        with table.whole(f"{options.out}.md") as draft:
            draft.write_text("\n".join(text) + "\n", encoding="utf-8")
        table.write_csv(contest.numbers(outcomes), f"{options.out}.csv")
        with table.whole(f"{options.out}.png") as draft:
            picture.arms(arms, gold, draft)
    if options.out and lines:
        with table.whole(f"{options.out}-budgets.png") as draft:
            picture.budgets(lines, draft)


def parsed(words: tuple[str, ...]) -> argparse.Namespace:
    """The command line. Raises UserError when it is wrong."""
    parser = argparse.ArgumentParser("python -m stages.compare", description=__doc__.partition("\n")[0])
    parser.add_argument("revisions", metavar="REV", nargs="+", help="a branch, a commit, an experiment, or `workspace`")
    parser.add_argument("--task", metavar="NAME", help="the task; needed where the first REV runs several")
    parser.add_argument("--baseline", metavar="REV", help="what the others are compared with; the first REV by itself")
    parser.add_argument("--spread", action="store_true", help="how much the arms differ, and how much chance would")
    parser.add_argument("--budgets", action="store_true", help="the metric by gold budget and by method.learn")
    parser.add_argument("--out", metavar="PREFIX", help="write PREFIX.md, PREFIX.csv and PREFIX.png, too")

    def refuse(message: str):
        raise UserError(f"{message}: see `python -m stages.compare --help`")

    parser.error = refuse
    return parser.parse_args(words)


def only_task(revision: Revision) -> str:
    """The task that the revision runs. Raises UserError when that is not one."""
    if len(revision.tasks) != 1:
        there = ", ".join(revision.tasks)
        raise UserError(f"{revision.name} runs {len(revision.tasks)} tasks: choose one by --task ({there})")
    return revision.tasks[0]


if __name__ == "__main__":
    run(main)
