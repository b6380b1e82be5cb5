"""What the teacher's rows were worth, in sentences: what ships, beside gold rows alone."""

from __future__ import annotations

from synthesis import files
from synthesis.measures.equivalent import MOST
from synthesis.method.mixing import GOLD
from synthesis.report import tables
from synthesis.report.results import Results

LEVEL = 0.05  # a difference with a smaller p value is called more than chance
LEARNED = {
    GOLD: "gold rows alone",
    "synthetic": "synthetic rows alone",
    "both": "synthetic and gold rows",
    "balanced": "synthetic and gold rows, as many of each",
    "mix": "synthetic and gold rows in the share of method.ratio",
    "gold-repeated": "gold rows alone, repeated (a control)",
    "shuffled": "synthetic rows with labels at random (a control)",
}


def sentences(results: Results) -> str:
    """What ships, what gold rows alone do, whether that differs, and how many gold rows the difference stands for."""
    found, task = files.read_json(results.run.paths.worth), results.run.task
    text = f"What ships has learned {LEARNED[found['ships']]}: {results.metric} "
    text += f"{tables.metric_text(found['test'], task)} on {results.tested:,} test rows. "
    if found["ships"] == GOLD:
        return text + _no_gain(results)
    text += f"Gold rows alone, learned as well: {tables.metric_text(found['gold'], task)}. "
    if not found["difference"]:
        return text + "There is no difference, and the gold equivalent is none."
    size, above = f"{abs(100 * found['difference']):.1f} points", "more" if found["difference"] > 0 else "less"
    p = tables.p_text(found["p"])
    chance = "more than chance" if found["p"] < LEVEL else "not shown to be more than chance"
    text += f"That is {size} {above}, {chance} (p {p if p.startswith('<') else f'= {p}'}). "
    return text + _equivalent(found["gold_equivalent"], results.baseline.rows)


def _no_gain(results: Results) -> str:
    """Why gold rows alone ship: what cross-validation said of the rest."""
    judged = files.read_json(results.run.paths.choice)["judged"]
    if not judged:
        return "The teacher's rows were not asked for by method.learn."
    rivals = "; ".join(
        f"{LEARNED[name]} {100 * row['difference']:+.1f} ± {100 * row['error']:.1f}"
        for name, row in judged.items()
        if name != GOLD
    )
    return (
        "The teacher's rows brought no gain that cross-validation on gold rows could tell from chance (points beside "
        f"gold rows alone, with the standard error: {rivals}). Their gold equivalent is none."
    )


def _equivalent(found: dict[str, int], rows: int) -> str:
    low, value, high = (_count(found[key], rows) for key in ("low", "rows", "high"))
    if not found["rows"]:
        return f"So the gold equivalent is none (95%: {low} to {high})."
    return f"To gain as much, {value} more gold rows would be needed (95%: {low} to {high}) beside the {rows:,}."


def _count(value: int, rows: int) -> str:
    return "none" if not value else f"over {value:,}" if value >= MOST * rows else f"{value:,}"
