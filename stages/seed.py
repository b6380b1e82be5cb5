"""Seed data: the rows of round 0, written from labels and rationales (Alg. 1), or from contexts (section 2.4).

python -m stages.seed TASK
"""

from synthesis import files, transfer
from synthesis.rows import synthesize
from synthesis.run import Run, stage
from synthesis.teacher import plans
from synthesis.teacher.plans import Plan


def main(run: Run) -> None:
    labels, theirs = files.read_json(run.paths.labels), run.params.method.transfer
    if theirs.file and theirs.into == "rounds":
        _, metrics = synthesize(run, Plan([], []), 0)
        rows = transfer.read(run.task, theirs.file, labels)
    else:
        tables = map(files.read, (run.paths.rationales, run.paths.contexts, run.paths.gold("validation")))
        rows, metrics = synthesize(run, plans.seed(run, labels, *tables), 0)
    files.write(rows, run.paths.seed)
    files.write_json(metrics, run.paths.metrics / "seed.json")


if __name__ == "__main__":
    stage(main)
