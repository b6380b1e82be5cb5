"""What the report shows: every round's students beside the gold baseline, how they learned, and what all of it cost."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from synthesis import files
from synthesis.measures.compute import compute
from synthesis.measures.scores import mined_predictions, score_splits
from synthesis.method.mixing import GOLD, SYNTHETIC
from synthesis.paths import Paths
from synthesis.report.tables import in_words
from synthesis.run import Run
from synthesis.teacher import spending

FINAL, BASELINE = "final", "gold baseline"  # of all synthetic rows alone, and of all gold rows alone


@dataclass(frozen=True)
class Student:
    """The students of a round, of the final data, of a mixture, or of gold rows alone: one for each training seed.

    rows: what they learned. new: how many of these the round before had not. metrics: by split, those of which they
    learned no row; none for a round that converged, in which no student was trained. wrong, validation: how many
    validation rows the first of them got wrong, and of how many; None where there is no such number.
    """

    name: str
    rows: int
    new: int
    metrics: dict[str, dict] = field(default_factory=dict)
    wrong: int | None = None
    validation: int | None = None


@dataclass(frozen=True)
class Results:
    """students: of the rounds, of the final data, of the mixture if that is what ships, and the gold baseline. ships:
    the one of these that ships. rows, rejected: the synthetic rows of all rounds, those that were kept and those that
    the filters left out. learning: step, split, score, data (Figure 1). cost: by stage. compute: see measures.compute.
    """

    run: Run
    students: list[Student]
    ships: Student
    rows: pd.DataFrame
    rejected: pd.DataFrame
    learning: pd.DataFrame
    cost: dict[str, dict]
    compute: dict

    @property
    def baseline(self) -> Student:
        return self.students[-1]

    @property
    def metric(self) -> str:
        """The metric's name in a sentence."""
        return in_words(self.run.task.metric)

    @property
    def tested(self) -> int:
        """How many rows test has."""
        return files.read_json(self.run.paths.metrics / "gold.json")["test"]

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
    learned = files.read_json(metrics / "final.json")
    own = {SYNTHETIC: _final(run, rows, learned["synthetic"]["rows"]), GOLD: _baseline(run)}
    ships = own.get(learned["ships"]) or _mixture(run, learned)
    students = [*_rounds(run, rows), own[SYNTHETIC], *([ships] if ships not in own.values() else []), own[GOLD]]
    return Results(
        run,
        students,
        ships,
        rows=rows,
        rejected=rejected,
        learning=_learning(paths),
        cost={**usages, "total": spending.total(list(usages.values()))},
        compute=compute(fits, learned["synthetic"]),
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


def _final(run: Run, rows: pd.DataFrame, learned: int) -> Student:
    predictions = files.read(run.paths.synthetic_predictions)
    return _student(run, FINAL, learned, int((rows["round"] == run.last).sum()), predictions)


def _mixture(run: Run, learned: dict) -> Student:
    predictions = files.read(run.paths.final_predictions)
    return Student(learned["ships"], learned["rows"], learned["gold_rows"], _on_test(run, predictions))


def _student(run: Run, name: str, rows: int, new: int, predictions: pd.DataFrame) -> Student:
    mined = mined_predictions(predictions)
    wrong = int(run.task.wrong(mined, run.params.method).sum())
    return Student(name, rows, new, score_splits(run.task, predictions), wrong, len(mined))


def _baseline(run: Run) -> Student:
    predictions = files.read(run.paths.baseline_predictions)
    rows = files.read_json(run.paths.metrics / "baseline.json")["rows"]
    return Student(BASELINE, rows, rows, _on_test(run, predictions))


def _on_test(run: Run, predictions: pd.DataFrame) -> dict:
    return {"test": score_splits(run.task, predictions)["test"]}


def _learning(paths: Paths) -> pd.DataFrame:
    """Figure 1: training and test score step by step, of the student of the final data and of the one of gold rows."""
    curves = {"final data": paths.synthetic_curve, "gold": paths.baseline_curve}
    splits = {"train_accuracy": "training", "test_score": "test"}
    parts = []
    for data, file in curves.items():
        mean = pd.read_csv(file).groupby("step")[list(splits)].mean().rename(columns=splits)
        parts.append(mean.melt(var_name="split", value_name="score", ignore_index=False).assign(data=data))
    return pd.concat(parts).reset_index()
