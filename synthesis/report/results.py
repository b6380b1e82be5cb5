"""What the report shows: every round's students beside the gold baseline, how they learned, and what all of it cost."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from synthesis import files
from synthesis.measures.compute import compute
from synthesis.measures.scores import mined_predictions, score_splits
from synthesis.paths import Paths
from synthesis.run import Run
from synthesis.teacher import spending

FINAL, BASELINE = "final", "gold baseline"


@dataclass(frozen=True)
class Student:
    """The students of a round, the final ones, or the gold baseline: one for each training seed.

    rows: what they learned. new: how many of these the round before had not. metrics: by split; none for a round that
    converged, in which no student was trained. wrong, validation: how many validation rows the first of them got wrong,
    and of how many; None for a round that converged and for the baseline, which learns these rows too.
    """

    name: str
    rows: int
    new: int
    metrics: dict[str, dict] = field(default_factory=dict)
    wrong: int | None = None
    validation: int | None = None


@dataclass(frozen=True)
class Results:
    """students: of the rounds, the final one and the baseline, in this order. rows, rejected: the synthetic rows of all
    rounds, those that were kept and those that the filters left out. learning: step, split, score, data (Figure 1).
    cost: by stage. compute: see measures.compute.
    """

    run: Run
    students: list[Student]
    rows: pd.DataFrame
    rejected: pd.DataFrame
    learning: pd.DataFrame
    cost: dict[str, dict]
    compute: dict

    @property
    def final(self) -> Student:
        return self.students[-2]

    @property
    def baseline(self) -> Student:
        return self.students[-1]

    @property
    def metric(self) -> str:
        """The metric's name in a sentence."""
        return self.run.task.metric.replace("f1", "F1")

    def on_test(self, student: Student) -> tuple[float, float, float]:
        """The student's metric on test in %, between the ends of its interval: low, value, high."""
        return tuple(100 * student.metrics["test"][key] for key in ("low", self.run.task.metric, "high"))

    def by_round(self, rows: pd.DataFrame) -> list[int]:
        """How many of the rows were written for each round, seed data first."""
        return rows["round"].value_counts().reindex(range(self.run.last + 1), fill_value=0).tolist()


def gather(run: Run) -> Results:
    """The results of a run that is complete. Raises UserError when an earlier stage has not run."""
    paths, metrics = run.paths, run.paths.metrics
    rows, rejected = files.read(paths.train(run.last)), files.read(paths.rejected(run.last))
    fits = [files.read_json(metrics / f"round{entry.q}" / "train.json") for entry in run.params.rounds]
    usages = {stage: spending.usage(file) for stage, file in spending.files(run.task.name, run.params).items()}
    return Results(
        run,
        students=[*_rounds(run, rows), _final(run, rows), _baseline(run)],
        rows=rows,
        rejected=rejected,
        learning=_learning(paths),
        cost={**usages, "total": spending.total(list(usages.values()))},
        compute=compute(fits, files.read_json(metrics / "final.json")),
    )


def _rounds(run: Run, rows: pd.DataFrame) -> list[Student]:
    history, students = files.read(run.paths.history(run.last)), []
    for entry in run.params.rounds:
        name, learned = f"round {entry.q}", int((rows["round"] <= entry.q).sum())
        predictions = history[history["round"] == entry.q]
        if predictions.empty:
            students.append(Student(name, learned, new=0))
        else:
            students.append(_student(run, name, learned, int((rows["round"] == entry.q).sum()), predictions))
    return students


def _final(run: Run, rows: pd.DataFrame) -> Student:
    learned = files.read_json(run.paths.metrics / "final.json")
    new = int((rows["round"] == run.last).sum()) if learned["synthetic_rows"] else learned["gold_rows"]
    return _student(run, FINAL, learned["rows"], new, files.read(run.paths.final_predictions))


def _student(run: Run, name: str, rows: int, new: int, predictions: pd.DataFrame) -> Student:
    mined = mined_predictions(predictions)
    wrong = int(run.task.wrong(mined, run.params.method).sum())
    return Student(name, rows, new, score_splits(run.task, predictions), wrong, len(mined))


def _baseline(run: Run) -> Student:
    predictions = files.read(run.paths.baseline_predictions)
    rows = predictions[predictions.split != "test"].id.nunique()
    return Student(BASELINE, rows, rows, {"test": score_splits(run.task, predictions)["test"]})


def _learning(paths: Paths) -> pd.DataFrame:
    """Figure 1: training and test score step by step, of the final student and of the one that learns gold rows."""
    curves = {"final data": paths.final_curve, "gold": paths.baseline_curve}
    splits = {"train_accuracy": "training", "test_score": "test"}
    parts = []
    for data, file in curves.items():
        mean = pd.read_csv(file).groupby("step")[list(splits)].mean().rename(columns=splits)
        parts.append(mean.melt(var_name="split", value_name="score", ignore_index=False).assign(data=data))
    return pd.concat(parts).reset_index()
