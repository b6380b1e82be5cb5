"""Seed data: the rows of round 0, written from labels and rationales (Alg. 1), or from contexts (section 2.4).

method.seed has other ways: a tuned teacher writes them by itself, or annotates unlabelled rows
(synthesis/method/seeding.py).

    python -m stages.seed TASK
"""

from synthesis import files
from synthesis.method import seeding, transfer
from synthesis.method.seeding import Sources
from synthesis.rows import synthesize
from synthesis.run import Run, stage
from synthesis.teacher.plans import Plan


def main(run: Run) -> None:
    theirs = run.params.method.transfer
    if theirs.file and theirs.into == "rounds":
        _, metrics = synthesize(run, Plan([], []), 0)
        rows = transfer.read(run.task, theirs.file, files.read_json(run.paths.labels), theirs.where)
    else:
        rows, metrics = seeding.write(run, Sources.of(run))
    files.write(rows, run.paths.seed)
    files.write_json(metrics, run.paths.metrics / "seed.json")


if __name__ == "__main__":
    stage(main)
