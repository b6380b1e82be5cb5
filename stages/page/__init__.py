"""The report as one HTML page that needs nothing else: no network and no other file.

One module a section, all of the same shape: `facts(run)` gathers what the section of that name in template.html shows.
Texts of teachers and of gold files may hold anything, so everything is escaped, and a policy in the page lets only its
own script run.
"""

import base64
import hashlib
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path

import pandas as pd
from jinja2 import Environment, StrictUndefined

from stages.pipeline import table
from stages.pipeline.params import Params
from stages.pipeline.paths import Paths

SECTIONS = "headline", "rounds", "rejected", "leaks", "coverage", "quality", "errors", "samples", "costs", "recipe"
SHORT = 32  # letters of a text that stays on one line
MANY = 12  # groups; a table of more is folded
LONG = 200  # letters; of a longer text the page shows the start, and the rest on demand
MOST = 5000  # letters of a text that it holds at all


@dataclass(frozen=True)
class Run:
    """What the report has computed and its page shows.

    students: of each round, the final one and the gold baseline: name, rows, new, wrong, asked, and marks by split;
    those of a round that converged have no marks. learning: Figure 1. cost, compute: as their metrics files tell them.
    """

    task: object
    params: Params
    paths: Paths
    students: list[dict]
    learning: pd.DataFrame
    cost: dict
    compute: dict

    @property
    def last(self) -> int:
        """The final data are those of this round."""
        return self.params.rounds[-1].next

    @cached_property
    def combined(self) -> list[dict]:
        """What `combine` counted for each round, seed data first."""
        return [table.read_json(self.paths.metrics / f"round{q}" / "combine.json") for q in range(self.last + 1)]

    @property
    def metric(self) -> str:
        """The metric's name in a sentence."""
        return self.task.metric.replace("f1", "F1")


def render(run: Run) -> str:
    """The page. The same run gives the same bytes."""
    folder = Path(__file__).parent
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.globals |= {"SHORT": SHORT, "MANY": MANY, "LONG": LONG, "MOST": MOST}
    style, script = ((folder / name).read_text(encoding="utf-8") for name in ("style.css", "script.js"))
    facts = {name: import_module(f"{__name__}.{name}").facts(run) for name in SECTIONS}
    return environment.from_string((folder / "template.html").read_text(encoding="utf-8")).render(
        name=run.task.name, style=style, script=script, script_hash=_hash(script), **facts
    )


def _hash(script: str) -> str:
    """As a content security policy names the script that may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
