"""Rationales: for each label, reasons that could lead to it (Alg. 1, T_ration; `topK` is method.rationales_per_label).

python -m stages.rationales TASK
"""

import sys
from collections import Counter
from math import ceil

import pandas as pd

from synthesis import UserError, files
from synthesis.run import Run, stage
from synthesis.teacher import plans
from synthesis.teacher.ask import Teacher
from synthesis.teacher.cleaning import parse_list
from synthesis.teacher.rejections import advice, shorten
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
        new = teacher.ask(plans.rationales(run, more, before=asked))
        answers += new
        asked += more
        if all(answer.rejected for answer in new):  # of the next lists no more could be used
            break
    reasons = distinct(asked, answers)
    check(run, {label: len(reasons.get(label, ())) for label in labels}, asked, answers)
    rows = [
        {"label": label, "rationale": reason, **answer.provenance()}
        for label in labels
        for reason, answer in list(reasons.get(label, {}).values())[: method.rationales_per_label]
    ]
    files.write(pd.DataFrame(rows, columns=["label", "rationale", *PROVENANCE]), run.paths.rationales)
    files.write_json({"rationales": len(rows), **teacher.usage}, run.paths.metrics / "rationales.json")


def check(run: Run, counts: dict[str, int], asked: list[str], answers: list[Answer]) -> None:
    """Whether each label has the rationales that it should have, at least half of them.

    Raises UserError when it has fewer because answers were rejected, or none at all; of fewer because the teacher
    repeats itself it warns.
    """
    wanted = run.params.method.rationales_per_label
    for label, count in counts.items():
        if count >= wanted / 2:
            continue
        own = [answer for name, answer in zip(asked, answers, strict=True) if name == label]
        rejected = [answer for answer in own if answer.rejected]
        lacking = f"label `{label}` of {run.task.name} has {count} of {wanted} rationales (method.rationales_per_label)"
        if rejected:
            reason, times = Counter(answer.rejected for answer in rejected).most_common(1)[0]
            example = next(shorten(answer.text) for answer in rejected if answer.rejected == reason)
            raise UserError(
                f"{lacking}: {len(rejected)} of {len(own)} lists were rejected, {times} of them because of: {reason} "
                f"(for example `{example}`). {advice(reason, 'rationale')}, or lower method.rationales_per_request"
            )
        if not count:
            raise UserError(
                f"{lacking}: no list could be read, for example `{shorten(own[0].text)}`. {advice('', 'rationale')}"
            )
        print(
            f"warning: {lacking}: the teacher repeats itself. Seed prompts vary less than they could", file=sys.stderr
        )


def distinct(labels: list[str], answers: list[Answer]) -> dict:
    """By label and by text without case: the rationale, and the answer that named it first."""
    reasons = {}
    for label, answer in zip(labels, answers, strict=True):
        for reason in () if answer.rejected else parse_list(answer.text):
            reasons.setdefault(label, {}).setdefault(reason.lower(), (reason, answer))
    return reasons


if __name__ == "__main__":
    stage(main)
