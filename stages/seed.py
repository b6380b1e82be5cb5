"""Seed data: the rows of round 0, written from labels and rationales (Alg. 1), or from contexts (section 2.4).

python -m stages.seed TASK
"""

from stages import task as tasks
from stages import teacher
from stages.pipeline import params as parameters
from stages.pipeline import table
from stages.pipeline.paths import Paths
from stages.pipeline.stage import run
from stages.teacher import spending, synthetic
from stages.teacher.prompt import Prompt
from stages.teacher.verification import verified


def main(name: str) -> None:
    params, paths = parameters.load(), Paths(name)
    task = tasks.load(name, params)
    labels, transfer = table.read_json(paths.labels), params.method.transfer
    if transfer.file and transfer.into == "rounds":
        table.write(synthetic.borrowed(task, transfer.file, labels), paths.seed)
        table.write_json({"rows": 0, **spending.total([])}, paths.metrics / "seed.json")
        return
    rationales = table.read(paths.rationales).groupby("label").rationale.apply(list).to_dict()
    prompt = Prompt.of(task, params, "seed")
    count, each = params.one(name).seed_rows, params.method.rationales_per_prompt
    wanted = list(task.seeds(count, labels, rationales, each, params.seed, table.read(paths.contexts)))
    requests = [prompt.request(task.seed_slots(row)) for row in wanted]
    spent = spending.before(name, "seed", params)
    answers, usage = teacher.ask(requests, name, params, check=task.check, spent_before=spent)
    rows = synthetic.rows(task, wanted, answers, 0)
    rows, usage = verified(task, rows, labels, params, usage, spent)
    table.write(rows, paths.seed)
    table.write_json({"rows": len(wanted), **usage}, paths.metrics / "seed.json")


if __name__ == "__main__":
    run(main)
