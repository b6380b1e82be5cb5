"""What the teacher's rows are worth by the number of gold rows: each run beside its own gold rows alone.

Runs may differ in their gold rows and in their test, so that they are not compared with one another, row by row.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from synthesis.comparison import pictures
from synthesis.comparison.arms import Revision
from synthesis.measures import paired
from synthesis.measures.equivalent import MOST
from synthesis.paths import Paths
from synthesis.report.tables import in_words, markdown

LEVEL = 0.05
LINES = {"gold": "gold rows alone", "synthetic": "synthetic rows alone (S3)", "test": "what ships"}


@dataclass(frozen=True)
class Case:
    """One run. scores: the metric on test, by LINES. ships: what was learned. p: of the difference to gold rows alone.

    equivalent: in gold rows, what the difference stands for. calls: answers of the teacher.
    """

    budget: int
    scores: dict[str, float]
    ships: str
    p: float
    equivalent: int
    calls: int

    @property
    def difference(self) -> float:
        return self.scores["test"] - self.scores["gold"]


def read(revision: Revision, name: str, metric: str) -> Case:
    """The run of task `name` at a revision. Raises UserError for one that was not made there."""
    metrics = Paths(name).metrics
    worth, final, baseline = (revision.json(metrics / f"{file}.json") for file in ("worth", "final", "baseline"))
    asked = ["rationales", "seed", *(f"round{entry['q']}/extrapolate" for entry in revision.params["rounds"])]
    scores = {"gold": worth["gold"], "synthetic": final["synthetic"]["test"], "test": worth["test"]}
    return Case(
        baseline["rows"],
        {line: part[metric] for line, part in scores.items()},
        worth["ships"],
        worth["p"],
        worth["gold_equivalent"]["rows"],
        sum(revision.json(metrics / f"{file}.json")["calls"] for file in asked),
    )


def table(cases: list[Case]) -> list[str]:
    """The lines of a table, a row for each number of gold rows: means over the runs with so many."""
    corrected = dict(zip(map(id, cases), paired.holm([case.p for case in cases]), strict=True))
    head = ["gold rows", "runs", *LINES.values(), "difference", "better", "worse", "ships", "gold equivalent", "calls"]
    lines = []
    for budget in sorted({case.budget for case in cases}):
        part = [case for case in cases if case.budget == budget]
        sure = [case for case in part if corrected[id(case)] < LEVEL]
        ships = [case.ships for case in part]
        lines.append(
            [
                budget,
                len(part),
                *(spread([100 * case.scores[line] for case in part]) for line in LINES),
                spread([100 * case.difference for case in part], "+.1f"),
                sum(case.difference > 0 for case in sure),
                sum(case.difference < 0 for case in sure),
                ", ".join(f"{what} {ships.count(what)}" for what in sorted(set(ships))),
                " to ".join(dict.fromkeys(_rows(value, budget) for value in _ends([case.equivalent for case in part]))),
                f"{np.mean([case.calls for case in part]):,.0f}",
            ]
        )
    return markdown([head, *lines])


def note(cases: list[Case], metric: str) -> list[str]:
    """The lines that say what the table means."""
    text = (
        f"{in_words(metric)} in % on test: the mean over the runs, and their range. Better and worse: runs in which "
        f"what ships differs from gold rows alone by the paired test, at level {LEVEL} after Holm's correction for "
        f"{len(cases)} runs. Gold equivalent: how many more gold rows would have brought the difference, of the least "
        "and the best run. Calls: answers of the teacher, new ones and those out of the response store."
    )
    return textwrap.wrap(text, 115)


def picture(cases: list[Case], title: str, metric: str, file: Path) -> None:
    """The metric by gold rows: a line through the means, a band from the least to the best run."""
    pictures.bands(
        {
            label: {
                budget: [100 * case.scores[line] for case in cases if case.budget == budget]
                for budget in sorted({case.budget for case in cases})
            }
            for line, label in LINES.items()
        },
        title,
        metric,
        file,
    )


def spread(values: list[float], form: str = ".1f") -> str:
    """The mean, and between which ends the values lie."""
    mean = format(np.mean(values), form)
    return mean if len(values) == 1 else f"{mean} ({min(values):{form}} to {max(values):{form}})"


def _rows(value: int, budget: int) -> str:
    """A gold equivalent; where it is the most that one is told, no more than a bound."""
    return f"over {value:,}" if value >= MOST * budget else f"{value:,}"


def _ends(values: list) -> tuple:
    return min(values), max(values)
