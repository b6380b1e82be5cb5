"""Rationales: for each label, reasons that could lead to it (Alg. 1, T_ration; `topK` is method.rationales_per_label).

python -m stages.rationales TASK
"""

from math import ceil

import pandas as pd

from stages import task as tasks
from stages import teacher
from stages.pipeline import params as parameters
from stages.pipeline import table
from stages.pipeline.paths import Paths
from stages.pipeline.stage import run
from stages.teacher import spending, synthetic
from stages.teacher.answers import parse_list
from stages.teacher.prompt import Prompt

TURNS = 3  # so often lists are asked for before fewer rationales than wanted are taken


def main(name: str) -> None:
    params, paths = parameters.load(), Paths(name)
    task, method = tasks.load(name, params), params.method
    wanted = method.rationales and "rationale" in task.variables  # rows that are written from contexts need none
    prompt = Prompt.of(task, params, "rationale") if wanted else None
    labels = table.read_json(paths.labels) if wanted else []
    lists = {label: ceil(method.rationales_per_label / method.rationales_per_request) for label in labels}
    spent = spending.before(name, "rationales", params)
    found, usage = {}, {}
    for _ in range(TURNS if labels else 0):
        asked = [label for label, count in lists.items() for _ in range(count)]
        slots = [{"label": task.word(label), "count": method.rationales_per_request} for label in asked]
        answers, usage = teacher.ask([prompt.request(each) for each in slots], name, params, spent_before=spent)
        found = distinct(asked, answers)
        missing = {label: max(method.rationales_per_label - len(found.get(label, ())), 0) for label in labels}
        if not any(missing.values()):
            break
        lists = {label: count + ceil(missing[label] / method.rationales_per_request) for label, count in lists.items()}
    rows = [
        {"label": label, "rationale": rationale, **synthetic.provenance(answer)}
        for label in labels
        for rationale, answer in list(found.get(label, {}).values())[: method.rationales_per_label]
    ]
    table.write(pd.DataFrame(rows, columns=["label", "rationale", *synthetic.PROVENANCE]), paths.rationales)
    table.write_json({"rationales": len(rows), **usage}, paths.metrics / "rationales.json")


def distinct(labels: list[str], answers: list) -> dict:
    """By label and by text without case: the rationale and the answer that named it first."""
    found = {}
    for label, answer in zip(labels, answers, strict=True):
        for rationale in () if answer.rejected else parse_list(answer.text):
            found.setdefault(label, {}).setdefault(rationale.lower(), (rationale, answer))
    return found


if __name__ == "__main__":
    run(main)
