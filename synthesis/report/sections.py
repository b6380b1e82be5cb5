"""The sections of the page about the run itself. Each function gathers what its section in page.html shows."""

import pandas as pd

from synthesis import files
from synthesis.measures.scores import mined_predictions
from synthesis.report import figures, recipe, tables, worth
from synthesis.report.results import Results, Student
from synthesis.report.tables import Number, Table
from synthesis.tasks.base import Task
from synthesis.tasks.cells import listed

SPLITS = ["validation", "test"]
REASON_ROWS = 3  # rows that are shown of each reason to reject one
HIDDEN = ["also in test"]  # they are test rows, which nobody should read
PAIRS = 12  # errors with their additions
SEED_ROWS = 12  # or one of each stratum where there are more
COSTS = "calls", "tokens_in", "tokens_out", "tokens_reasoning"
METHODS = {"s3": "S3", "zerogen": "ZeroGen, as many rows"}


# Headline


def headline(results: Results) -> dict:
    """What came of the run, in a sentence and in numbers, and what to look at."""
    run, ships, gold, cost = results.run, results.ships, results.baseline, results.cost["total"]
    tokens_in, tokens_out = (tables.count(cost[key]).text for key in ("tokens_in", "tokens_out"))
    return {
        "kind": run.task.kind,
        "verdict": worth.sentences(results),
        "by_rules": all(model.startswith("template/") for model in results.rows.model),
        "figures": [
            (f"what ships, test {results.metric}", *_interval(*results.on_test(ships))),
            (f"gold rows alone, test {results.metric}", *_interval(*results.on_test(gold))),
            ("rows learned", f"{ships.rows:,}", f"gold rows alone: {gold.rows:,}"),
            ("answers of the teacher", f"{cost['calls']:,}", "new ones and stored ones"),
            ("tokens", f"{cost['tokens_at_most']:,}", f"{tokens_in} in, {tokens_out} out"),
            ("dollars", tables.dollars(cost["dollars"]).text, "all answers"),
        ],
        "alarms": int(files.read(run.paths.leaks).alarm.sum()),
        "suspects": len(files.read(run.paths.suspects)),
        "rejected": len(results.rejected),
    }


def _interval(low: float, value: float, high: float) -> tuple[str, str]:
    return f"{value:.1f}%", f"95%: {low:.1f} to {high:.1f}"


# Rounds


def rounds(results: Results) -> dict:
    """Every round's student beside the gold baseline, how they learned, and how it was chosen what ships."""
    lines = [
        [
            name(student, results),
            tables.count(student.rows),
            tables.count(student.new),
            tables.part(student.wrong, student.validation),
            *(tables.metric(student.metrics.get(split), results.run.task) for split in SPLITS),
        ]
        for student in results.students
    ]
    curves = [
        (f"{data}, {split}", "gold" if data == "gold" else "accent", split == "training", rows.step, 100 * rows.score)
        for (data, split), rows in results.learning.groupby(["data", "split"], sort=False)
    ]
    return {
        "metric": results.metric,
        "corpus": _corpus(results),
        "table": Table(
            "Students of the rounds, of the final data, and of gold rows alone",
            ["student", "rows", "new", "wrong on validation", *SPLITS],
            lines,
        ),
        "converged": [student.name for student in results.students if not student.metrics],
        "judged": _judged(results),
        "picture": figures.svg(draw_rounds(results)),
        "learning": figures.svg(figures.curves(curves, "step", f"{results.metric}, %", whole=True)),
    }


def _corpus(results: Results) -> Table:
    """Scores of whole splits; no rows for tasks without."""
    scored = [student for student in results.students if student.metrics.get("test", {}).get("corpus")]
    names = list(scored[0].metrics["test"]["corpus"]) if scored else []
    signatures = [f"{tables.in_words(key)}: {scored[0].metrics['test']['corpus'][key]['signature']}" for key in names]
    return Table(
        f"Test as one corpus, in %, with 95% intervals ({'; '.join(signatures)})",
        ["student", *(f"corpus {tables.in_words(key)}" for key in names)],
        [[name(each, results), *map(tables.interval, each.metrics["test"]["corpus"].values())] for each in scored],
    )


def name(student: Student, results: Results) -> str:
    """What a table calls the student."""
    return f"{student.name}, ships" if student is results.ships else student.name


def _judged(results: Results) -> Table:
    """What cross-validation on gold rows said; no rows where nothing was chosen."""
    judged = files.read_json(results.run.paths.choice)["judged"]
    return Table(
        "Cross-validation on gold rows, which chose what ships",
        ["learned", "gold rows asked about", results.metric, "beside gold alone", "standard error"],
        [
            [
                name,
                tables.count(row["judged"]),
                tables.percent(row["score"]),
                *(tables.percent(row.get(key)) for key in ("difference", "error")),
            ]
            for name, row in judged.items()
        ],
    )


def draw_rounds(results: Results):
    """The figure of the rounds."""
    students = [student for student in results.students[:-1] if student.metrics]
    points = [(student.name, student.rows, results.on_test(student)) for student in students]
    return figures.rounds(points, results.on_test(results.baseline), results.metric)


# Rejected rows


def rejected(results: Results) -> dict:
    """What the filters left out, by reason and round."""
    rows, task, rounds = results.rejected, results.run.task, range(results.run.last + 1)
    counts = {reason: results.by_round(part) for reason, part in rows.groupby("rejected")}
    counts = dict(sorted(counts.items(), key=lambda item: -sum(item[1]))) | {"kept": results.by_round(results.rows)}
    shown = rows[~rows.rejected.isin(HIDDEN)].groupby("rejected").head(REASON_ROWS)
    shown = shown.sort_values("rejected", key=lambda reasons: reasons.map(list(counts).index), kind="stable")
    columns = ["id", *task.columns, task.targets[0], "twin"]
    return {
        "any": len(rows) > 0,
        "hidden": int(rows.rejected.isin(HIDDEN).sum()),
        "counts": Table(
            "New rows by what became of them",
            ["reason", "seed", *(f"round {q}" for q in rounds[1:]), "all"],
            [[reason, *map(tables.count, [*numbers, sum(numbers)])] for reason, numbers in counts.items()],
        ),
        "samples": Table(
            f"At most {REASON_ROWS} rows of each reason",
            ["reason", *columns],
            shown[["rejected", *columns]].astype(str).values.tolist(),
        ),
    }


# Rows to read


def samples(results: Results) -> dict:
    """Errors with what the teacher made of them, and seed data (Table 7)."""
    run, task, rows = results.run, results.run.task, results.rows
    seed = rows[rows["round"] == 0]
    seed = varied(seed, task, max(SEED_ROWS, task.strata(seed).nunique()))
    shown = ["id", *task.columns, task.targets[0]]
    command = "synthesis lineage {}" + (f" {task.name}" if len(run.params.tasks) > 1 else "")
    return {
        "pairs": [
            {
                "id": row.id,
                "round": row.round,
                "parent": row.parent,
                "given": {column: getattr(row, column) for column in task.given},
                "error": row.error,
                "target": None if task.targets[0] in task.writes else (task.targets[0], getattr(row, task.targets[0])),
                "right": _right(row, task),
                "predicted": row.predicted,
                "addition": getattr(row, task.written),
                "beside": [getattr(row, field) for field in task.writes[1:]],
                "lineage": command.format(row.id),
            }
            for row in _additions(results).itertuples()
        ],
        "seed": Table(
            f"Seed rows by {tables.in_words(task.stratum)}",
            [*shown, "rationales"],
            [[*map(str, line), "; ".join(reasons)] for *line, reasons in seed[[*shown, "rationales"]].values.tolist()],
        ),
        "lineage": command.format(seed.id.iloc[0]) if len(seed) else "",
    }


def _right(row, task: Task) -> list[str]:
    """What else is right for the gold row of an addition than what is shown of both: its references, or answers."""
    shown = {row.error, *(() if task.targets[0] in task.writes else (getattr(row, task.targets[0]),))}
    return [text for text in listed(row.right) if text not in shown]


def _additions(results: Results) -> pd.DataFrame:
    """Additions with the gold row of each, as `error`, and what the student of the round before took it for."""
    run, task = results.run, results.run.task
    gold = files.read(run.paths.gold("validation"))
    gold = pd.DataFrame({"parent": gold.id, "error": gold[task.written], "right": gold[task.truth]})
    predictions = mined_predictions(files.read(run.paths.history(run.last)))
    predicted = predictions[["round", "id", "predicted"]].rename(columns={"id": "parent"})
    predicted["round"] += 1  # what is mined after a round is extrapolated for the next
    return varied(results.rows.merge(gold, on="parent").merge(predicted, on=["round", "parent"]), task, PAIRS)


def varied(rows: pd.DataFrame, task: Task, most: int) -> pd.DataFrame:
    """Rows at random, at most `most`: none of a round and stratum comes twice before each other one has come."""
    rows = rows.assign(stratum=task.strata(rows)).sample(frac=1, random_state=0)
    rows["turn"] = rows.groupby(["round", "stratum"]).cumcount()
    return rows.sort_values("turn", kind="stable").head(most).sort_values(["round", "stratum", "turn"], kind="stable")


# Costs and recipe


def costs(results: Results) -> dict:
    """What the teacher's answers and training cost."""
    return {
        "teacher": Table(
            "The teacher's answers, by stage: new ones and those out of the response store",
            ["stage", "answers", "tokens in", "tokens out", "of these thoughts", "dollars"],
            [
                [stage, *(tables.count(usage[key]) for key in COSTS), tables.dollars(usage["dollars"])]
                for stage, usage in results.cost.items()
            ],
        ),
        "training": Table(
            "Training, in floating-point operations",
            ["method", "fits", "records", "tokens", "operations", "by the paper's formula"],
            [
                [
                    name,
                    *(tables.count(results.compute[method][key]) for key in ("fits", "records", "tokens")),
                    *(_operations(results.compute[method][key]) for key in ("flops", "flops_by_the_paper")),
                ]
                for method, name in METHODS.items()
            ],
        ),
        "ratio": f"{results.compute['ratio_of_flops']:.2f}",
    }


def _operations(value: int) -> Number:
    return Number(f"{value:.2e}", value)


def how_made(results: Results) -> dict:
    """How to get the same rows again."""
    run, params = results.run, results.run.params
    gold = files.read_json(run.paths.metrics / "gold.json")
    facts = {
        "kind": run.task.kind,
        "gold rows": recipe.public(run.settings.gold.source),
        **{f"gold rows of {split}": f"{gold[split]:,}" for split in ("validation", "selection", "test")},
        "teacher": ", ".join(sorted(set(results.rows.model))),
        "student": f"{recipe.public(run.student.model)}, {run.student.kind}",
        "prompts": f"prompts/{run.task.name}/{params.prompts}/",
        "SHA-256 of the final rows": files.sha256(run.paths.train(run.last)),
    }
    return {"facts": facts, "params": recipe.settings(run), "prompts": recipe.prompts(run.task, params)}
