"""The report: every round's rows, errors and accuracy, side by side with the gold baseline; what teacher and training
cost; and a page of all that the looks at the data have found.

python -m stages.report TASK
"""

import pandas as pd

from stages import page
from stages import task as tasks
from stages.page.rounds import HEAD, SPLITS
from stages.pipeline import markdown, table
from stages.pipeline import params as parameters
from stages.pipeline.paths import Paths
from stages.pipeline.stage import run
from stages.statistics.compute import compute
from stages.statistics.marks import marks
from stages.teacher import spending

UNTAUGHT = {"wrong": None, "asked": None, "marks": {}}  # a round that converged


def main(name: str) -> None:
    params, paths = parameters.load(), Paths(name)
    task = tasks.load(name, params)
    students = studied(task, params, paths)
    fits = [table.read_json(paths.metrics / f"round{entry.q}" / "train.json") for entry in params.rounds]
    ran = page.Run(
        task,
        params,
        paths,
        students,
        learning=learning(paths),
        cost=cost(name, params),
        compute=compute(fits, table.read_json(paths.metrics / "final.json")),
    )
    text = [
        f"# {name}",
        "",
        *markdown.table([HEAD, *(line(student, task) for student in students)]),
        "",
        f"{task.metric} in %, with 95% intervals over gold rows; ± is the deviation over training seeds.",
        "The gold baseline learns the validation rows themselves.",
    ]
    with table.whole(paths.report) as draft:
        draft.write_text("\n".join(text) + "\n", encoding="utf-8")
    with table.whole(paths.page) as draft:
        draft.write_text(page.render(ran), encoding="utf-8")
    with table.whole(paths.picture) as draft:
        draw(task, students, draft)
    table.write_csv(ran.learning, paths.learning)
    table.write_json(ran.cost, paths.metrics / "cost.json")
    table.write_json(ran.compute, paths.metrics / "compute.json")


def studied(task, params, paths: Paths) -> list[dict]:
    """The students of the rounds, the final one, and the gold baseline: see page.Run."""
    last = params.rounds[-1].next
    new = table.read(paths.train(last))["round"].value_counts()
    history, learned = table.read(paths.history(last)), table.read_json(paths.metrics / "final.json")
    students = []
    for entry in params.rounds:
        rows, added = int(new[new.index <= entry.q].sum()), int(new.get(entry.q, 0))
        predictions = history[history["round"] == entry.q]
        if predictions.empty:
            students.append({"name": f"round {entry.q}", "rows": rows, "new": 0, **UNTAUGHT})
        else:
            students.append({"name": f"round {entry.q}", "rows": rows, "new": added, **told(task, predictions, params)})
    predictions, baseline = table.read(paths.final_predictions), table.read(paths.baseline_predictions)
    added = int(new.get(last, 0)) if learned["synthetic_rows"] else learned["gold_rows"]
    students.append({"name": "final", "rows": learned["rows"], "new": added, **told(task, predictions, params)})
    gold = baseline[baseline.split == "validation"].id.nunique()
    only = {"test": marks(task, baseline)["test"]}
    return [*students, {"name": "gold baseline", "rows": gold, "new": gold, **UNTAUGHT, "marks": only}]


def told(task, predictions: pd.DataFrame, params) -> dict:
    """Wrong validation rows of the first seed, of how many, and the marks on every split."""
    asked = predictions[(predictions.split == "validation") & (predictions.seed == 0)]
    wrong = int(task.wrong(asked, params.method).sum())
    return {"wrong": wrong, "asked": len(asked), "marks": marks(task, predictions)}


def line(student: dict, task) -> list:
    """A student's line of the table."""
    wrong = f"{student['wrong']} of {student['asked']}" if student["asked"] else ""
    scored = [markdown.marked(student["marks"][split], task) if split in student["marks"] else "" for split in SPLITS]
    return [student["name"], student["rows"], student["new"], wrong if student["marks"] else "converged", *scored]


def cost(name: str, params) -> dict:
    """The usage of each stage that asked the teacher, and the total."""
    stages = {stage: spending.usage(file) for stage, file in spending.files(name, params).items()}
    return {**stages, "total": spending.total(list(stages.values()))}


def learning(paths: Paths) -> pd.DataFrame:
    """Figure 1: training and test score after each epoch, of the final student and of the one that learns gold rows."""
    curves = {"final data": paths.final_curve, "gold": paths.baseline_curve}
    splits = {"train_accuracy": "training", "test_score": "test"}
    lines = []
    for data, file in curves.items():
        mean = pd.read_csv(file).groupby("epoch")[list(splits)].mean().rename(columns=splits)
        lines.append(mean.melt(var_name="split", value_name="score", ignore_index=False).assign(data=data))
    return pd.concat(lines).reset_index()


def draw(task, students: list[dict], file) -> None:
    """The test metric against the rows that were learned, with 95% intervals, beside the gold baseline."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    *synthetic, gold = [student for student in students if student["marks"]]
    scores, gold = [student["marks"]["test"] for student in synthetic], gold["marks"]["test"]
    values = [100 * score[task.metric] for score in scores]
    below = [value - 100 * score["low"] for value, score in zip(values, scores, strict=True)]
    above = [100 * score["high"] - value for value, score in zip(values, scores, strict=True)]
    figure, axes = pyplot.subplots(figsize=(6, 3.6), layout="constrained")
    axes.axhspan(100 * gold["low"], 100 * gold["high"], color="tab:orange", alpha=0.15, lw=0)
    axes.axhline(100 * gold[task.metric], color="tab:orange", label="gold baseline")
    axes.errorbar(
        [student["rows"] for student in synthetic],
        values,
        [below, above],
        color="tab:blue",
        marker="o",
        capsize=3,
        label="rounds and final",
    )
    axes.set(title=task.name, xlabel="rows learned", ylabel=f"test {task.metric.replace('_', ' ')}, %")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    figure.savefig(file, format="png", dpi=120, metadata={"Software": None})
    pyplot.close(figure)


if __name__ == "__main__":
    run(main)
