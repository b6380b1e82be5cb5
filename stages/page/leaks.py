"""The leak audit: what gives labels of synthetic rows away by their form."""

from stages.page import cells
from stages.page.cells import Number, Table
from stages.pipeline import table


def facts(run) -> dict:
    found = table.read(run.paths.leaks)
    lines = [
        [
            row.cue.replace("_", " "),
            "alarm" if row.alarm else "",
            _scored(row.synthetic, row.synthetic_low, row.synthetic_high),
            _scored(row.gold, row.gold_low, row.gold_high),
            row.says,
        ]
        for row in found.itertuples()
    ]
    return {
        "alarms": [
            {
                "cue": row.cue.replace("_", " "),
                "says": row.says,
                "scores": (cells.percent(row.synthetic).shown, cells.percent(row.gold).shown),
                "examples": list(zip(row.example_ids, row.example_texts, strict=True)),
            }
            for row in found[found.alarm == 1].itertuples()
        ],
        "table": Table(
            "How well each cue alone tells the label: balanced accuracy in %, with 95% intervals",
            ["cue", "", "on synthetic rows", "on gold rows", "its most telling value"],
            lines,
        ),
    }


def _scored(value: float, low: float, high: float) -> Number:
    return Number(f"{100 * value:.1f} [{100 * low:.1f}, {100 * high:.1f}]", value)
