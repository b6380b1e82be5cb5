"""Shares of synthetic rows side by side: what each is worth on test, and what it does to the language of the student.

Runs that differ in nothing but `seed` are one arm, called by their name without it. All of them take the same test.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from synthesis import UserError
from synthesis.comparison import pictures
from synthesis.comparison.arms import Revision, task_of, truth
from synthesis.comparison.worth import spread
from synthesis.measures import paired
from synthesis.method.mixing import MIX
from synthesis.paths import Paths
from synthesis.report.tables import in_words, markdown, p_text
from synthesis.tasks.base import Task

LEVEL = 0.05


@dataclass(frozen=True)
class Case:
    """One run. line: its arm's name without the ratio. rows: of which `synthetic` are. truth: of the test, as arms has
    it. scores: of each test row, by id, (rows, training seeds). right: of each item of the tests of language, by test
    and item, before and after training. perplexity: by test, before and after.
    """

    line: str
    ratio: float
    rows: int
    synthetic: int
    truth: list[tuple]
    scores: np.ndarray
    right: pd.DataFrame
    perplexity: dict[str, tuple[float, float]]


def read(revision: Revision, task: Task) -> Case:
    """The run of a task at a revision. Raises UserError for one that was not made there, or does not mix."""
    paths, method = Paths(task.name), revision.params["method"]
    if method["learn"] != MIX:
        raise UserError(
            f"--ratios: {revision.name} learns `{method['learn']}` and has no ratio: name runs with method.learn: {MIX}"
        )
    final, harm = (revision.json(paths.metrics / f"{name}.json") for name in ("final", "harm"))
    predictions = revision.table(paths.final_predictions).query("split == 'test'")
    right = pd.DataFrame()
    if harm:
        items = {"before": paths.untrained, "after": paths.harm}
        tables = {name: revision.table(file).set_index(["test", "item"]).right for name, file in items.items()}
        right = pd.DataFrame(tables)
    name = revision.name.removeprefix(f"{task.name}-").removesuffix(f"-{revision.params['seed']}")
    return Case(
        name.replace(f"-{method['ratio']:g}", ""),
        float(method["ratio"]),
        final["rows"],
        final["synthetic_rows"],
        truth(task, predictions),
        paired.scores(task, predictions),
        right,
        {test: tuple(found[when]["perplexity"] for when in ("before", "after")) for test, found in harm.items()
         if "perplexity" in found["after"]},
    )  # fmt: skip


@dataclass(frozen=True)
class Arm:
    """The runs of one line and ratio."""

    line: str
    ratio: float
    runs: list[Case]

    @property
    def scores(self) -> np.ndarray:
        """(rows of test, runs and their training seeds)"""
        return np.hstack([run.scores for run in self.runs])

    def right(self, test: str, when: str) -> np.ndarray:
        """Of a test of language, (items that all runs were asked for, runs)."""
        return pd.concat([run.right.loc[test, when] for run in self.runs], axis=1, join="inner").to_numpy()


def gather(cases: list[Case]) -> list[Arm]:
    """The arms in their order. Raises UserError when not all have taken the same test."""
    for case in cases:
        if case.truth != cases[0].truth:
            raise UserError(
                "--ratios: the runs took different tests: give them the same rows of test (gold.test_rows of the task "
                "empty, and a file for gold.test)"
            )
    names = dict.fromkeys((case.line, case.ratio) for case in cases)
    return [Arm(*name, [case for case in cases if (case.line, case.ratio) == name]) for name in names]


def table(arms: list[Arm], task: Task) -> list[str]:
    """The lines of a table, an arm each; the first one is what the others are compared with on test."""
    tests = _tests(arms)
    first, others = arms[0], arms[1:]
    p = ["", *map(p_text, paired.holm([paired.p_value(task, arm.scores, first.scores) for arm in others]))]
    harms = {
        test: paired.holm(
            [paired.sign_flip(arm.right(test, "after"), arm.right(test, "before")[:, :1]) for arm in arms]
        )
        for test in tests
    }
    head = ["arm", "ratio", "runs", "rows (synthetic)", f"{in_words(task.metric)} on test", "difference", "p"]
    for test in tests:
        head += [f"{test}, before", f"{test}, after", f"p of {test}"]
        head += [f"perplexity of {test}"] if test in first.runs[0].perplexity else []
    lines = []
    for place, arm in enumerate(arms):
        means = [100 * run.scores.mean() for run in arm.runs]
        difference = 100 * (arm.scores.mean() - first.scores.mean())
        counts = [np.mean([getattr(run, name) for run in arm.runs]) for name in ("rows", "synthetic")]
        line = [arm.line, f"{arm.ratio:g}", len(arm.runs), "{:,.0f} ({:,.0f})".format(*counts), spread(means)]
        line += [f"{difference:+.1f}" if place else "", p[place]]
        for test in tests:
            after = 100 * arm.right(test, "after").mean(axis=0)
            line += [f"{100 * arm.right(test, 'before').mean():.1f}", spread(after), p_text(harms[test][place])]
            if test in first.runs[0].perplexity:
                before, now = np.mean([run.perplexity[test] for run in arm.runs], axis=0)
                line.append(f"{before:.1f} to {now:.1f}")
        lines.append(line)
    return markdown([head, *lines])


def note(arms: list[Arm], task: Task) -> list[str]:
    """The lines that say what the table means."""
    text = (
        f"{in_words(task.metric)} in % on the {len(arms[0].scores):,} rows of test, and accuracy in % on the items of "
        "each test of language, before training and after: the mean over the runs, and their range. The difference is "
        f"to the first arm. p is of a paired test, over the rows of test to the first arm and over the items to the "
        f"model before training, each corrected by Holm for the arms; below {LEVEL} a difference is more than chance. "
        "It takes the runs as given: with few of them it does not yet hold for the method."
    )
    return textwrap.wrap(text, 115)


def picture(arms: list[Arm], task: Task, file: Path) -> None:
    """The metric, and what is left of each test of language, by the ratio."""
    tests = _tests(arms)
    panels = {f"{in_words(task.metric)} on test, %": _lines(arms, lambda run: run.scores.mean())}
    if tests:
        panels["accuracy after training, %"] = {
            f"{test}, {line}": points
            for test in tests
            for line, points in _lines(arms, lambda run, test=test: run.right.loc[test, "after"].mean()).items()
        }
    pictures.by_ratio(panels, task.name, file)


def _tests(arms: list[Arm]) -> list[str]:
    """The tests of language that all runs have taken."""
    taken = [run.right.index.unique(0) for arm in arms for run in arm.runs]
    return [test for test in taken[0] if all(test in others for others in taken)]


def _lines(arms: list[Arm], value) -> dict[str, dict[float, list[float]]]:
    """By line and ratio, a value of each run, in %."""
    lines = {}
    for arm in sorted(arms, key=lambda arm: arm.ratio):
        lines.setdefault(arm.line, {})[arm.ratio] = [100 * value(run) for run in arm.runs]
    return lines


def compare(revisions: list[Revision], name: str) -> tuple[list[Arm], Task]:
    """The arms of these revisions, and the task."""
    task = task_of(revisions[0], name)
    return gather([read(revision, task) for revision in revisions]), task
