"""What came of the run, in a sentence and in numbers, and what to look at."""

from stages.comparison import paired
from stages.page import cells
from stages.pipeline import markdown, table

CHANCE = 0.05  # p values below are told as a difference


def facts(run) -> dict:
    *_, final, gold = run.students
    cost = run.cost["total"]
    tokens = cost["tokens_in"] + cost["tokens_out"]
    return {
        "kind": run.params.one(run.task.name).kind,
        "verdict": verdict(run, final, gold),
        "by_rules": all(model.startswith("template/") for model in table.read(run.paths.train(run.last)).model),
        "figures": [
            (f"final student, test {run.metric}", *_mark(final, run.task)),
            (f"gold baseline, test {run.metric}", *_mark(gold, run.task)),
            ("rows learned", cells.count(final["rows"]).shown, f"gold baseline: {gold['rows']:,}"),
            ("teacher calls", cells.count(cost["calls"] + cost["cached"]).shown, f"{cost['cached']:,} from the store"),
            ("tokens", cells.count(tokens).shown, f"{cost['tokens_in']:,} in, {cost['tokens_out']:,} out"),
            ("dollars", cells.dollars(cost["dollars"]).shown, "all answers"),
        ],
        "alarms": int(table.read(run.paths.leaks).alarm.sum()),
        "suspects": len(table.read(run.paths.suspects)),
        "rejected": sum(sum(each["rejected"].values()) for each in run.combined),
    }


def verdict(run, final: dict, gold: dict) -> str:
    """Final student against gold baseline, row by row of test, as `make arms` compares."""
    task = run.task
    answers = [table.read(path) for path in (run.paths.final_predictions, run.paths.baseline_predictions)]
    scores = [paired.scores(task, rows[rows.split == "test"]) for rows in answers]
    p = paired.TESTS[task.metric](*scores)
    ours, theirs = (100 * one["marks"]["test"][task.metric] for one in (final, gold))
    told = table.read_json(run.paths.metrics / "final.json")
    parts = {"synthetic": told["synthetic_rows"], "gold": told["gold_rows"]}
    learned = " and ".join(f"{rows:,} {kind}" for kind, rows in parts.items() if rows)
    learned += " rows with their labels shuffled" if run.params.method.learn == "shuffled" else " rows"
    result = f"Taught by {learned}, the student reaches {ours:.1f}% {run.metric} on test"
    alone, tested = f"{gold['rows']:,} gold rows alone teach it", f"{len(scores[0]):,} test rows"
    if not (apart := round(ours - theirs, 1)):
        return f"{result}, as much as {alone} ({tested})."
    shown = "more than chance" if p < CHANCE else "not shown to be more than chance"
    return (
        f"{result}: {abs(apart)} points {'above' if apart > 0 else 'below'} what {alone}, "
        f"a difference that is {shown} on {tested} (p {_equals(p)})."
    )


def _mark(student: dict, task) -> tuple[str, str]:
    mark = student["marks"]["test"]
    return f"{100 * mark[task.metric]:.1f}%", f"95%: {100 * mark['low']:.1f} to {100 * mark['high']:.1f}"


def _equals(p: float) -> str:
    told = markdown.chance(p)
    return told if told.startswith("<") else f"= {told}"
