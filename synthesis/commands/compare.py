"""`synthesis compare`: arms side by side."""

from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from synthesis import UserError

if TYPE_CHECKING:
    from synthesis.comparison.arms import Revision


def compare(
    revisions: Annotated[
        list[str],
        Argument(metavar="REV", help="A branch, a tag, a commit, the name of a DVC experiment, or `workspace`."),
    ],
    task: Annotated[
        str | None, Option(metavar="NAME", help="The task; needed where the first REV runs several.")
    ] = None,
    baseline: Annotated[
        str | None, Option(metavar="REV", help="What the others are compared with; by default the first REV.")
    ] = None,
    spread: Annotated[
        bool, Option("--spread", help="Also how much the arms differ, beside what chance alone would make.")
    ] = False,
    budgets: Annotated[
        bool,
        Option("--budgets", help="Also the metric by gold budget, a line for each name before it or method.learn."),
    ] = False,
    worth: Annotated[
        bool, Option("--worth", help="Instead: what ships beside gold rows alone, by the number of gold rows.")
    ] = False,
    ratios: Annotated[
        bool,
        Option("--ratios", help="Instead: the metric and tests of language by method.ratio, runs of a seed as one."),
    ] = False,
    out: Annotated[
        str | None,
        Option(
            metavar="PREFIX",
            help="Write PREFIX.md and PREFIX.png as well, and but for --worth and --ratios PREFIX.csv.",
        ),
    ] = None,
) -> None:
    """Compare arms: what each is worth on test, and what it cost.

    Each is tested against the baseline on the same rows of test, corrected for their number. The gold rows alone,
    without a teacher, always stand among the arms. Nothing is checked out, and nothing runs.

    Example: synthesis compare main workspace --out reports/change
    """
    from synthesis import files
    from synthesis.comparison import arms, contest, pictures

    beside = {"--baseline": baseline, "--spread": spread, "--budgets": budgets, "--ratios": worth and ratios}
    if (worth or ratios) and (given := [option for option, value in beside.items() if value]):
        raise UserError(
            f"{'--worth' if worth else '--ratios'} shows a table of its own: leave out {' and '.join(given)}; only "
            "--baseline, --spread and --budgets go together"
        )
    if worth:
        return _by_gold(revisions, task, out)
    if ratios:
        return _by_ratio(revisions, task, out)
    first = baseline or revisions[0]
    named = [arms.Revision(name) for name in dict.fromkeys([*revisions, first])]
    name = task or _only_task(named[0])
    compared = [arms.read(revision, name) for revision in named]
    gold = compared[0].gold
    opponent = next(arm.final for arm in compared if arm.name == first)
    outcomes = contest.compare([*(arm.final for arm in compared), gold], opponent)
    lines = [f"# {name}", "", *contest.table(outcomes, opponent)]
    if spread:
        lines += ["", *contest.spread_table(compared)]
    by_budget = contest.budget_lines(compared) if budgets else {}
    if by_budget:
        lines += ["", *contest.budget_table(by_budget)]
    text = "\n".join(lines)
    print(text)
    if out:
        files.write_text(f"{text}\n", f"{out}.md")
        files.write_csv(contest.frame(outcomes), f"{out}.csv")
        with files.whole(f"{out}.png") as draft:
            pictures.arms(compared, gold, draft)
    if out and by_budget:
        with files.whole(f"{out}-budgets.png") as draft:
            pictures.budgets(by_budget, draft)


def _by_gold(revisions: list[str], task: str | None, out: str | None) -> None:
    """Each revision beside its own gold rows alone."""
    from synthesis import files
    from synthesis.comparison import arms, worth

    named = [arms.Revision(name) for name in revisions]
    name = task or _only_task(named[0])
    metric = arms.task_of(named[0], name).metric
    cases = [worth.read(revision, name, metric) for revision in named]
    text = "\n".join([f"# {name}", "", *worth.table(cases), "", *worth.note(cases, metric)])
    print(text)
    if out:
        files.write_text(f"{text}\n", f"{out}.md")
        with files.whole(f"{out}.png") as draft:
            worth.picture(cases, name, metric, draft)


def _by_ratio(revisions: list[str], task: str | None, out: str | None) -> None:
    """Shares of synthetic rows beside the first one."""
    from synthesis import files
    from synthesis.comparison import arms, ratios

    named = [arms.Revision(name) for name in revisions]
    compared, what = ratios.compare(named, task or _only_task(named[0]))
    text = "\n".join([f"# {what.name}", "", *ratios.table(compared, what), "", *ratios.note(compared, what)])
    print(text)
    if out:
        files.write_text(f"{text}\n", f"{out}.md")
        with files.whole(f"{out}.png") as draft:
            ratios.picture(compared, what, draft)


def _only_task(revision: "Revision") -> str:
    """The task that the revision runs. Raises UserError when that is not one."""
    if len(revision.tasks) != 1:
        there = ", ".join(revision.tasks)
        raise UserError(f"{revision.name} runs {len(revision.tasks)} tasks: choose one by --task ({there})")
    return revision.tasks[0]
