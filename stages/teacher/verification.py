"""Verification: the teacher is shown its own rows without their labels, and says what they are."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from stages import teacher
from stages.pipeline.stage import UserError
from stages.teacher import spending
from stages.teacher.prompt import Prompt


def verified(task, rows: pd.DataFrame, labels: list[str], params, usage: dict, spent: dict) -> tuple:
    """The rows, those that the teacher judges otherwise rejected or relabelled (verify.teacher), and the usage of both.

    `usage` is that of the rows, `spent` that of the stages before. The teacher's answer is kept as `blind`, the label
    that was asked for as `asked`. An answer without a label, or with several, is a disagreement. Raises UserError as
    `teacher.ask` does.
    """
    mode = params.verify.teacher
    if not mode:
        return rows, usage
    if mode == "relabel" and "label" not in task.targets:
        raise UserError(f"verify.teacher: relabel needs labels, which task `{task.name}` has not: set it to drop")
    written = rows[rows.rejected == ""].to_dict("records")
    prompt = Prompt.of(task, params, "verify")
    requests = [prompt.request(task.blind_slots(row, labels)) for row in written]
    # As sure as it can be, and in one word.
    settings = {"min_words": 0, "temperature": params.teacher.temperature and 0.0}
    calm = params.model_copy(update={"teacher": params.teacher.model_copy(update=settings)})
    answers, more = teacher.ask(requests, task.name, calm, "verify", spent_before=spending.total([spent, usage]))
    rows = rows.set_index("id").assign(blind="")
    if mode == "relabel":
        rows["asked"] = rows.label
    counts = Counter(verified=len(written), disagreed=0, relabelled=0)
    for row, answer in zip(written, answers, strict=True):
        rows.at[row["id"], "blind"] = answer.text
        judged = None if answer.rejected else task.judged(answer.text, row, labels)
        if judged == {target: row[target] for target in task.targets}:
            continue
        counts["disagreed"] += 1
        if mode == "relabel" and judged:
            counts["relabelled"] += 1
            rows.at[row["id"], "label"] = judged["label"]
        else:
            rows.at[row["id"], "rejected"] = "teacher disagrees"
    return rows.reset_index(), {**counts, **spending.total([usage, more])}
