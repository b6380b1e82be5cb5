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
    asked, answers, used = [], [], [spending.before(name, "rationales", params)]
    for _ in range(TURNS):
        found = distinct(asked, answers)
        missing = {label: method.rationales_per_label - len(found.get(label, ())) for label in labels}
        more = [label for label in labels for _ in range(ceil(missing[label] / method.rationales_per_request))]
        if not more:
            break
        slots = {label: {"label": task.word(label), "count": method.rationales_per_request} for label in labels}
        requests = [prompt.request(slots[label], sample=asked.count(label)) for label in more]
        told, usage = teacher.ask(requests, name, params, "rationale", spent_before=spending.total(used))
        asked, answers, used = asked + more, answers + told, [*used, usage]
    found = distinct(asked, answers)
    rows = [
        {"label": label, "rationale": rationale, **synthetic.provenance(answer)}
        for label in labels
        for rationale, answer in list(found.get(label, {}).values())[: method.rationales_per_label]
    ]
    table.write(pd.DataFrame(rows, columns=["label", "rationale", *synthetic.PROVENANCE]), paths.rationales)
    table.write_json({"rationales": len(rows), **spending.total(used[1:])}, paths.metrics / "rationales.json")


def distinct(labels: list[str], answers: list) -> dict:
    """By label and by text without case: the rationale and the answer that named it first."""
    found = {}
    for label, answer in zip(labels, answers, strict=True):
        for rationale in () if answer.rejected else parse_list(answer.text):
            found.setdefault(label, {}).setdefault(rationale.lower(), (rationale, answer))
    return found


if __name__ == "__main__":
    run(main)
