"""Extrapolation: what was mined in round q becomes additional data; in S3 the teacher writes rows like each error.

    python -m stages.extrapolate TASK Q

The gold rows that the student got wrong are sent to the teacher.
"""

from importlib import import_module

from stages import task as tasks
from stages import teacher
from stages.pipeline import params as parameters
from stages.pipeline import table
from stages.pipeline.paths import Paths
from stages.pipeline.stage import number, run
from stages.teacher import spending, synthetic
from stages.teacher.verification import verified


def main(name: str, q: str) -> None:
    params, paths, q = parameters.load(), Paths(name), number(q)
    task = tasks.load(name, params)
    addition = import_module(f"stages.addition.{params.method.add}")
    wanted, requests = addition.plan(task, table.read(paths.errors(q)), params, q)
    spent = spending.before(name, f"extrapolate{q}", params)
    answers, usage = teacher.ask(requests, name, params, check=task.check, spent_before=spent)
    if not requests:
        answers = [synthetic.gold(row[task.written]) for row in wanted]
    rows = synthetic.rows(task, wanted, answers, q + 1)
    if requests:
        rows, usage = verified(task, rows, table.read_json(paths.labels), params, usage, spent)
    table.write(rows, paths.additional(q + 1))
    table.write_json({"rows": len(wanted), **usage}, paths.metrics / f"round{q}" / "extrapolate.json")


if __name__ == "__main__":
    run(main)
