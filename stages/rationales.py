"""Rationales: for each label, reasons that could lead to it (Alg. 1, T_ration; `topK` is method.rationales_per_label).

python -m stages.rationales TASK
"""

from math import ceil

import pandas as pd

from synthesis import files
from synthesis.run import Run, stage
from synthesis.teacher import plans
from synthesis.teacher.ask import Teacher
from synthesis.teacher.cleaning import parse_list
from synthesis.teacher.request import PROVENANCE, Answer

TURNS = 3  # so often lists are asked for before fewer rationales than wanted are taken


def main(run: Run) -> None:
    method, teacher = run.params.method, Teacher(run, "rationales")
    labels = files.read_json(run.paths.labels) if plans.wants_rationales(run) else []
    asked, answers = [], []
    for _ in range(TURNS):
        reasons = distinct(asked, answers)
        missing = {label: method.rationales_per_label - len(reasons.get(label, ())) for label in labels}
        more = [label for label in labels for _ in range(ceil(missing[label] / method.rationales_per_request))]
        if not more:
            break
        answers += teacher.ask(plans.rationales(run, more, before=asked))
        asked += more
    reasons = distinct(asked, answers)
    rows = [
        {"label": label, "rationale": reason, **answer.provenance()}
        for label in labels
        for reason, answer in list(reasons.get(label, {}).values())[: method.rationales_per_label]
    ]
    files.write(pd.DataFrame(rows, columns=["label", "rationale", *PROVENANCE]), run.paths.rationales)
    files.write_json({"rationales": len(rows), **teacher.usage}, run.paths.metrics / "rationales.json")


def distinct(labels: list[str], answers: list[Answer]) -> dict:
    """By label and by text without case: the rationale, and the answer that named it first."""
    reasons = {}
    for label, answer in zip(labels, answers, strict=True):
        for reason in () if answer.rejected else parse_list(answer.text):
            reasons.setdefault(label, {}).setdefault(reason.lower(), (reason, answer))
    return reasons


if __name__ == "__main__":
    stage(main)
