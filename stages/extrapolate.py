"""Extrapolation: for each error of round q, new rows like it with its own label (Alg. 2, lines 8 to 10; Alg. 3).

    python -m stages.extrapolate TASK Q

The gold rows that the student got wrong are sent to the teacher.
"""

from stages import task as tasks
from stages import teacher
from stages.pipeline import params as parameters
from stages.pipeline import table
from stages.pipeline.paths import Paths
from stages.pipeline.stage import number, run
from stages.teacher import spending, synthetic
from stages.teacher.prompt import Prompt
from stages.teacher.verification import verified


def main(name: str, q: str) -> None:
    params, paths, q = parameters.load(), Paths(name), number(q)
    task = tasks.load(name, params)
    prompt = Prompt.of(task, params, "extrapolate")
    labels, errors = table.read_json(paths.labels), table.read(paths.errors(q)).to_dict("records")
    each = params.method.extrapolations_per_error
    wanted = [{**error, "parent": error["id"]} for error in errors for _ in range(each)]
    # An error that persists is asked about again, and must not get the answer of the round before.
    requests = [prompt.request(task.error_slots(row), sample=q * each) for row in wanted]
    spent = spending.before(name, f"extrapolate{q}", params)
    answers, usage = teacher.ask(requests, name, params, check=task.check, spent_before=spent)
    rows = synthetic.rows(task, wanted, answers, q + 1)
    rows, usage = verified(task, rows, labels, params, usage, spent)
    table.write(rows, paths.additional(q + 1))
    table.write_json({"rows": len(wanted), **usage}, paths.metrics / f"round{q}" / "extrapolate.json")


if __name__ == "__main__":
    run(main)
