"""The report: every round's rows, errors and accuracy, side by side with the gold baseline; what teacher and training
cost.

python -m stages.report TASK
"""

import pandas as pd

from stages import task as tasks
from stages.pipeline import markdown, table
from stages.pipeline import params as parameters
from stages.pipeline.paths import Paths
from stages.pipeline.stage import run
from stages.statistics.compute import compute
from stages.statistics.marks import marks
from stages.teacher import spending

HEAD = ["student", "rows", "new", "wrong on validation", "validation", "test"]


def main(name: str) -> None:
    params, paths = parameters.load(), Paths(name)
    task, last = tasks.load(name, params), params.rounds[-1].next
    new = table.read(paths.train(last))["round"].value_counts()
    history = table.read(paths.history(last))
    lines = []
    for entry in params.rounds:
        predictions = history[history["round"] == entry.q]
        rows = int(new[new.index <= entry.q].sum())
        if predictions.empty:
            lines.append([f"round {entry.q}", rows, 0, "converged", "", ""])
        else:
            lines.append([f"round {entry.q}", rows, int(new.get(entry.q, 0)), *told(task, predictions, params.method)])
    predictions, baseline = table.read(paths.final_predictions), table.read(paths.baseline_predictions)
    lines.append(["final", int(new.sum()), int(new.get(last, 0)), *told(task, predictions, params.method)])
    gold = baseline[baseline.split == "validation"].id.nunique()
    lines.append(["gold baseline", gold, gold, "", "", *told(task, baseline, params.method)[-1:]])
    text = [
        f"# {name}",
        "",
        *markdown.table([HEAD, *lines]),
        "",
        f"{task.metric} in %, with 95% intervals over gold rows; ± is the deviation over training seeds.",
        "The gold baseline learns the validation rows themselves.",
    ]
    with table.whole(paths.report) as draft:
        draft.write_text("\n".join(text) + "\n", encoding="utf-8")
    students = [*(rows for _, rows in history.groupby("round")), predictions]
    sizes = [int(new[new.index <= rows["round"].iloc[0]].sum()) for rows in students]
    with table.whole(paths.picture) as draft:
        draw(task, sizes, [marks(task, rows)["test"] for rows in students], marks(task, baseline)["test"], draft)
    table.write_csv(learning(paths), paths.learning)
    table.write_json(cost(name, params), paths.metrics / "cost.json")
    fits = [table.read_json(paths.metrics / f"round{entry.q}" / "train.json") for entry in params.rounds]
    table.write_json(compute(fits, table.read_json(paths.metrics / "final.json")), paths.metrics / "compute.json")


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


def told(task, predictions, method) -> list[str]:
    """Wrong validation rows of the first seed, and the marks on validation and test."""
    asked = predictions[(predictions.split == "validation") & (predictions.seed == 0)]
    wrong = int(task.wrong(asked, method).sum())
    scored = marks(task, predictions)
    return [
        f"{wrong} of {len(asked)}",
        markdown.marked(scored["validation"], task),
        markdown.marked(scored["test"], task),
    ]


def draw(task, sizes: list[int], scores: list[dict], gold: dict, file) -> None:
    """The test metric against the rows that were learned, with 95% intervals, beside the gold baseline."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    values = [100 * score[task.metric] for score in scores]
    below = [value - 100 * score["low"] for value, score in zip(values, scores, strict=True)]
    above = [100 * score["high"] - value for value, score in zip(values, scores, strict=True)]
    figure, axes = pyplot.subplots(figsize=(6, 3.6), layout="constrained")
    axes.axhspan(100 * gold["low"], 100 * gold["high"], color="tab:orange", alpha=0.15, lw=0)
    axes.axhline(100 * gold[task.metric], color="tab:orange", label="gold baseline")
    axes.errorbar(sizes, values, [below, above], color="tab:blue", marker="o", capsize=3, label="synthetic data")
    axes.set(title=task.name, xlabel="synthetic rows", ylabel=f"test {task.metric.replace('_', ' ')}, %")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    figure.savefig(file, format="png", dpi=120, metadata={"Software": None})
    pyplot.close(figure)


if __name__ == "__main__":
    run(main)
