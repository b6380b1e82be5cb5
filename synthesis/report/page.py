"""The report: a table in Markdown, and one HTML page that needs nothing else, no network and no other file.

Texts of teachers and of gold files may hold anything, so everything is escaped, and a policy in the page lets only its
own script run.
"""

import base64
import hashlib
import textwrap
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from synthesis.report import analyses, sections, tables, worth
from synthesis.report.results import Results, Student

TEMPLATES = Path(__file__).with_name("templates")
SECTIONS = {
    "headline": sections.headline,
    "tuning": analyses.tuning,
    "rounds": sections.rounds,
    "rejected": sections.rejected,
    "leaks": analyses.leaks,
    "coverage": analyses.coverage,
    "quality": analyses.quality,
    "errors": analyses.errors,
    "structure": analyses.structure,
    "harm": analyses.harm,
    "samples": sections.samples,
    "costs": sections.costs,
    "recipe": sections.how_made,
}
# Of texts in cells, in letters; of tables, in rows.
LIMITS = {
    "SHORT": 32,  # a text up to here stays on one line
    "LONG": 200,  # of a longer text the page shows the start, and the rest on demand
    "MOST": 5000,  # and more than this of a text it does not hold at all
    "MANY": 12,  # a table of more groups is folded
}


def markdown(results: Results) -> str:
    """The table of students: what a terminal and a repository's page show."""
    task = results.run.task
    head = ["student", "rows", "new", "wrong on validation", *sections.SPLITS]
    lines = [
        f"# {task.name}",
        "",
        *textwrap.wrap(worth.sentences(results), 115),
        "",
        *tables.markdown([head, *(_line(student, results) for student in results.students)]),
        "",
        f"{results.metric} in %, with 95% intervals over gold rows; ± is the deviation over training seeds.",
        "final: all synthetic rows alone. gold baseline: the gold rows alone, validation and selection.",
    ]
    return "\n".join(lines) + "\n"


def _line(student: Student, results: Results) -> list:
    task = results.run.task
    wrong = f"{student.wrong} of {student.validation}" if student.validation else ""
    by_split = map(student.metrics.get, sections.SPLITS)
    scores = [tables.metric_text(metrics, task) if metrics else "" for metrics in by_split]
    return [
        sections.name(student, results),
        student.rows,
        student.new,
        wrong if student.metrics else "converged",
        *scores,
    ]


def render(results: Results) -> str:
    """The page. The same results give the same bytes."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = ((TEMPLATES / name).read_text(encoding="utf-8") for name in ("style.css", "script.js"))
    facts = {name: gather(results) for name, gather in SECTIONS.items()}
    absent = [name for name, found in facts.items() if not found]
    # As a content security policy names the script that may run.
    digest = "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("page.html").render(
        name=results.run.task.name, style=style, script=script, script_hash=digest, absent=absent, **LIMITS, **facts
    )
