"""Errors understood: where students are wrong, what each round mended and broke, and which gold rows to look at.

    python -m stages.diagnose TASK

Rows are told of validation only. Of test there are counts: who reads its rows will end up fitting them.
"""

import sys

import pandas as pd

from stages import task as tasks
from stages.diagnosis import groups, rounds
from stages.pipeline import params as parameters
from stages.pipeline import table
from stages.pipeline.paths import Paths
from stages.pipeline.stage import run

MISTAKES = 12  # kinds of them that are told, the most frequent first


def main(name: str) -> None:
    params, paths = parameters.load(), Paths(name)
    task, last = tasks.load(name, params), params.rounds[-1].next
    gold = {split: table.read(paths.gold(split)) for split in ("validation", "test")}
    history, final = table.read(paths.history(last)), table.read(paths.final_predictions)
    students = {split: rounds.students(history[history.split == split], final[final.split == split]) for split in gold}
    grouped = dict(zip(gold, grouping(task, *gold.values()), strict=True))
    told = {split: counted(task, students[split]["final"], grouped[split], params.method) for split in gold}

    asked = students["validation"]
    missed = rounds.wrong(task, asked, params.method)
    doubt, bar = rounds.doubt(task, asked)
    rows = grouped["validation"].join(missed.add_prefix("wrong_")).assign(status=rounds.status(missed), doubt=doubt)
    doubted = rows[(rows.status == "wrong") & (rows.doubt >= bar)]
    doubted = doubted.sort_values("doubt", ascending=False, kind="stable")[["doubt"]].reset_index()
    doubted.insert(0, "rank", range(1, len(doubted) + 1))
    suspects = doubted.merge(asked["final"][["id", "predicted"]]).merge(gold["validation"], on="id")
    if len(suspects):
        print(f"{len(suspects)} validation rows may be mislabelled: {paths.suspects}", file=sys.stderr)
    table.write(rows.reset_index(), paths.diagnosis)
    table.write(suspects, paths.suspects)
    told |= {"students": rounds.changes(missed), "suspects": len(suspects)}
    table.write_json(told, paths.metrics / "diagnose.json")


def grouping(task, validation: pd.DataFrame, test: pd.DataFrame) -> list[pd.DataFrame]:
    """The groups of the rows of both splits: index id; columns the task's stratum, length and cluster."""
    texts = [groups.read(rows, task) for rows in (validation, test)]
    parts = zip((validation, test), groups.lengths(*texts), groups.clusters(*texts), strict=True)
    return [
        pd.DataFrame({task.stratum: task.strata(rows), "length": length, "cluster": cluster}).set_index(rows.id)
        for rows, length, cluster in parts
    ]


def counted(task, predictions: pd.DataFrame, grouped: pd.DataFrame, method) -> dict:
    """The final student's errors on one split: how many, of which kinds, in which groups."""
    errors = predictions[task.wrong(predictions, method)]
    mistakes = task.mistakes(errors).value_counts().sort_index().sort_values(ascending=False, kind="stable")
    told = {"rows": len(predictions), "wrong": len(errors), "mistakes": mistakes.head(MISTAKES).to_dict()}
    rows = pd.DataFrame({"rows": 1, "wrong": grouped.index.isin(errors.id).astype(int)}, index=grouped.index)
    for group, names in grouped.items():
        told[f"by_{group}"] = rows.groupby(names).sum().to_dict("index")
    return told


if __name__ == "__main__":
    run(main)
