"""The sections of the page about the analyses. As in sections.py, each function gathers what one shows."""

from collections.abc import Iterator

import pandas as pd

from synthesis import files
from synthesis.report import figures, tables
from synthesis.report.results import Results
from synthesis.report.tables import Number, Table, in_words

SETS = "gold", "seed", "final"
VARIETY = {"distinct_1": "distinct-1", "distinct_2": "distinct-2", "distinct_3": "distinct-3"}
COVERAGE = {"precision": "precision", "recall": "recall", "vocabulary": "vocabulary", **VARIETY}
QUALITY = {"cosine": 2, "cosine_others": 2, "edit_distance": 1, "length_error": 1, "length_addition": 1}  # digits
CHANGES = "wrong", "fixed", "persisting", "new"
SUSPECTS = 30  # that are shown
SETS_OF_QUESTIONS = "test", "gold", "synthetic", "mixed"


# Leaks


def leaks(results: Results) -> dict:
    """What gives labels of synthetic rows away by their form."""
    cues = files.read(results.run.paths.leaks)
    return {
        "alarms": [
            {
                "cue": in_words(row.cue),
                "says": row.says,
                "scores": (tables.percent(row.synthetic).text, tables.percent(row.gold).text),
                "examples": list(zip(row.example_ids, row.example_texts, strict=True)),
            }
            for row in cues[cues.alarm == 1].itertuples()
        ],
        "table": Table(
            "How well each cue alone, and all together, predict the label: balanced accuracy in %, with 95% intervals",
            ["cue", "", "on synthetic rows", "on gold rows", "its most telling value"],
            [
                [
                    in_words(row.cue),
                    "alarm" if row.alarm else "",
                    _with_interval(row.synthetic, row.synthetic_low, row.synthetic_high),
                    _with_interval(row.gold, row.gold_low, row.gold_high),
                    row.says,
                ]
                for row in cues.itertuples()
            ],
        ),
    }


def _with_interval(value: float, low: float, high: float) -> Number:
    return Number(f"{100 * value:.1f} [{100 * low:.1f}, {100 * high:.1f}]", value)


# Coverage


def coverage(results: Results) -> dict:
    """How much of gold the seed data and the final data reach."""
    metrics = files.read_json(results.run.paths.metrics / "coverage.json")
    points, sweep = files.read(results.run.paths.coverage_points), pd.read_csv(results.run.paths.coverage_sweep)
    places = {name: points.loc[points["set"] == name, ["x", "y"]].to_numpy() for name in SETS}
    covered = sweep[sweep.gamma == 1].set_index("set").covered
    lines = [
        [f"{name} data", tables.percent(covered[name]), *(tables.percent(metrics[name].get(key)) for key in COVERAGE)]
        for name in SETS
    ]
    curves = [
        (f"{name} data", "gold" if name == "gold" else "accent", name == "seed", rows.gamma, 100 * rows.covered)
        for name, rows in sweep.groupby("set", sort=False)
    ]
    return {
        "rows": metrics["rows"],
        "column": results.run.task.written,
        "maps": {name: figures.svg(figures.maps(places, [name])) for name in ("seed", "final")},
        "sweep": figures.svg(figures.curves(curves, "gamma", "gold points covered, %")),
        "table": Table("Reach and variety of equal samples, in %", ["set", "covered", *COVERAGE.values()], lines),
    }


# Quality


def quality(results: Results) -> dict:
    """Table 6: additions beside the errors that they were extrapolated from."""
    metrics, stratum = files.read_json(results.run.paths.metrics / "quality.json"), results.run.task.stratum
    rounds = {f"round {q}": means for q, means in metrics["by_round"].items()}
    head = ["pairs", "cosine", "cosine to others", "edit distance", "tokens of the error", "of the addition"]
    return {
        "pairs": metrics["pairs"],
        "tables": [
            Table("By round", ["round", *head], _means({**rounds, "all": metrics})),
            Table(f"By {in_words(stratum)}", [in_words(stratum), *head], _means(metrics[f"by_{stratum}"])),
        ],
    }


def _means(groups: dict[str, dict]) -> list[list]:
    return [
        [
            name,
            tables.count(means["pairs"]),
            *(tables.decimal(means.get(key), digits) for key, digits in QUALITY.items()),
        ]
        for name, means in groups.items()
    ]


# Errors


def errors(results: Results) -> dict:
    """Which gold rows students get wrong. Test appears in counts only: no text of its rows."""
    run, task = results.run, results.run.task
    metrics, suspects = files.read_json(run.paths.metrics / "diagnose.json"), files.read(run.paths.suspects)
    splits = {split: metrics[split] for split in ("validation", "test")}
    columns = ["id", *task.columns, task.targets[0], "predicted"]
    return {
        "students": Table(
            "Errors on validation from student to student, of the first training seed",
            ["student", *CHANGES],
            [
                [name if name == "final" else f"round {name}", *(tables.count(counts.get(key)) for key in CHANGES)]
                for name, counts in metrics["students"].items()
            ],
        ),
        "mistakes": Table(
            "What the final student mistakes for what", ["mistake", "validation", "test"], list(_mistakes(splits))
        ),
        "groups": [
            Table(
                f"Errors by {in_words(group)}",
                [in_words(group), "validation", "%", "test", "%"],
                list(_groups(splits, f"by_{group}")),
            )
            for group in (task.stratum, "length", "cluster")
        ],
        "suspects": len(suspects),
        "shown": min(len(suspects), SUSPECTS),
        "doubtful": Table(
            "Validation rows that may be mislabelled, the most doubtful first",
            ["rank", "id", *task.columns, f"gold {task.targets[0]}", "students say", "doubt"],
            [
                [tables.count(rank), *texts, tables.decimal(doubt)]
                for rank, *texts, doubt in suspects[["rank", *columns, "doubt"]].head(SUSPECTS).values.tolist()
            ],
        ),
        "folder": f"data/gold/{task.name}/",
    }


def _mistakes(splits: dict[str, dict]) -> Iterator[list]:
    for mistake in dict.fromkeys(mistake for metrics in splits.values() for mistake in metrics["mistakes"]):
        yield [mistake, *(tables.count(metrics["mistakes"].get(mistake)) for metrics in splits.values())]


def _groups(splits: dict[str, dict], group: str) -> Iterator[list]:
    for name in dict.fromkeys(name for metrics in splits.values() for name in metrics[group]):
        line = [name]
        for metrics in splits.values():
            counts = metrics[group].get(name, {"rows": 0, "wrong": 0})
            share = counts["wrong"] / counts["rows"] if counts["rows"] else None
            line += [tables.part(counts["wrong"], counts["rows"]), tables.percent(share, bar=True)]
        yield line


# What only some runs have: a teacher that was tuned, tests of language, a corpus


def tuning(results: Results) -> list[Table]:
    """What tuning did to the teacher."""
    metrics = files.read_json(results.run.paths.metrics / "tune.json")
    names = {"likelihood": "likelihood of a token of the answers", "accuracy": "rows that it labels right"}
    lines = [
        [told, *(tables.percent(metrics[name][when]) for when in ("before", "after"))]
        for name, told in names.items()
        if name in metrics
    ]
    return [Table("The teacher on selection rows, in %", ["", "as it came", "tuned"], lines)] if lines else []


def harm(results: Results) -> list[Table]:
    """What the student that ships has lost of its language."""
    metrics = files.read_json(results.run.paths.metrics / "harm.json")
    scores = {"accuracy": tables.percent, "perplexity": tables.decimal}
    lines = [
        [f"{test}, {name}", *(cell(change[when].get(name)) for when in ("before", "after")), tables.p_value(change[p])]
        for test, change in metrics.items()
        for (name, cell), p in zip(scores.items(), ("p", "log_likelihood_p"), strict=True)
        if name in change["after"]
    ]
    head = ["test", "untrained", "what ships", "p"]
    return [Table("Tests of language before and after training; accuracy in %", head, lines)] if lines else []


def structure(results: Results) -> list[Table]:
    """What real, synthetic and mixed questions ask for and whom they name."""
    metrics = files.read_json(results.run.paths.metrics / "structure.json")
    if not metrics:
        return []
    aspects = [name for name in metrics["test"] if name != "questions"]

    def numbers(sets: tuple[str, ...], key: str, digits: int) -> list[list]:
        return [
            [in_words(aspect), *(tables.decimal(metrics[name][aspect][key], digits) for name in sets)]
            for aspect in aspects
        ]

    every, others = SETS_OF_QUESTIONS, SETS_OF_QUESTIONS[1:]
    values = files.read(results.run.paths.structure)
    values = values[values.effect != ""]
    changes = [
        [
            row.effect,
            in_words(row.aspect),
            row.value,
            *(tables.percent(getattr(row, name)) for name in every),
            *(tables.percent(score) for score in (row.score_gold, row.score_ships)),
        ]
        for row in values.sort_values(["effect", "aspect", "value"]).itertuples()
    ]
    scored = ["score of gold alone", "of what ships"]
    return [
        Table("How varied the questions are: entropy in bits", ["", *every], numbers(every, "entropy", 2)),
        Table(
            "How far they are from test: Jensen-Shannon divergence in bits",
            ["", *others],
            numbers(others, "divergence", 3),
        ),
        Table(
            "Gaps to test that the mixed rows fill or widen: shares in %",
            ["", "aspect", "value", *every, *scored],
            changes,
        ),
    ]
