"""Synthetic rows: asked for, verified, and kept with their provenance."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from synthesis import files
from synthesis.run import Run
from synthesis.tasks.base import Task
from synthesis.teacher import plans
from synthesis.teacher.ask import Teacher
from synthesis.teacher.plans import Plan
from synthesis.teacher.request import PROVENANCE, Answer


def synthesize(run: Run, plan: Plan, q: int) -> tuple[pd.DataFrame, dict]:
    """The rows that the plan of round q wants, as the teacher writes them, and what to report about them.

    The report has `rows`, how many were asked for, counts of the verification if there was one, and the teacher's
    usage. Raises UserError when the teacher cannot be asked; what was answered by then stays in the response store.
    """
    teacher, task, counts = Teacher(run, f"extrapolate{q - 1}" if q else "seed"), run.task, {}
    if plan.requests:
        rows = table(task, plan.rows, teacher.ask(plan.requests, check=task.check), q)
        if run.params.verify.teacher:
            rows, counts = verify(run, teacher, rows, files.read_json(run.paths.labels))
    else:
        rows = table(task, plan.rows, [_gold(row[task.written]) for row in plan.rows], q)
    return rows, {"rows": len(plan.rows), **counts, **teacher.usage}


def table(task: Task, wanted: list[dict], answers: list[Answer], q: int) -> pd.DataFrame:
    """Round q's rows: the task's columns and targets, `parent` (the gold row extrapolated from) and `rationales`."""
    name = f"round{q}" if q else "seed"
    rows = [
        {
            "id": f"{name}-{i}",
            **task.complete(row, answer.text),
            "round": q,
            "parent": row.get("parent", ""),
            "rationales": row.get("rationales", []),
            **answer.provenance(),
        }
        for i, (row, answer) in enumerate(zip(wanted, answers, strict=True))
    ]
    return pd.DataFrame(rows, columns=["id", *task.fields, "round", "parent", "rationales", *PROVENANCE])


def _gold(text: str) -> Answer:
    """A gold row's own text in the place of an answer."""
    return Answer(text, request="", sample=0, attempt=0, prompt="", model="gold")


def verify(run: Run, teacher: Teacher, rows: pd.DataFrame, labels: list[str]) -> tuple[pd.DataFrame, dict]:
    """The rows, those that the teacher judges otherwise rejected or relabelled (verify.teacher), and counts of them.

    The teacher's answer is kept as `blind`, and, when rows are relabelled, the label that was asked for as `asked`. An
    answer without a label, or with several, is a disagreement. Raises UserError as `Teacher.ask` does.
    """
    task, mode = run.task, run.params.verify.teacher
    if mode == "relabel":
        task.require("labels", "verify.teacher: relabel", "set it to drop")
    written = rows[rows.rejected == ""].to_dict("records")
    # As sure as the teacher can be, and in one word.
    settings = {"min_words": 0, "temperature": run.params.teacher.temperature and 0.0}
    answers = teacher.ask(
        plans.verification(run, written, labels), teacher=run.params.teacher.model_copy(update=settings)
    )
    rows = rows.set_index("id").assign(blind="")
    if mode == "relabel":
        rows["asked"] = rows.label
    counts = Counter(verified=len(written), disagreed=0, relabelled=0)
    for row, answer in zip(written, answers, strict=True):
        rows.at[row["id"], "blind"] = answer.text
        verdict = None if answer.rejected else task.judge(answer.text, row, labels)
        if verdict == {target: row[target] for target in task.targets}:
            continue
        counts["disagreed"] += 1
        if mode == "relabel" and verdict:
            counts["relabelled"] += 1
            rows.at[row["id"], "label"] = verdict["label"]
        else:
            rows.at[row["id"], "rejected"] = "teacher disagrees"
    return rows.reset_index(), dict(counts)
