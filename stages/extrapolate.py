"""Extrapolation: what was mined in round q becomes additional data; in S3 the teacher writes rows like each error.

    python -m stages.extrapolate TASK Q

The gold rows that the student got wrong are sent to the teacher.
"""

from synthesis import files
from synthesis.method import additions
from synthesis.rows import synthesize
from synthesis.run import Run, stage


def main(run: Run, q: int) -> None:
    mined, contexts = files.read(run.paths.errors(q)), files.read(run.paths.contexts)
    rows, metrics = synthesize(run, additions.plan(run, mined, contexts, q), q + 1)
    files.write(rows, run.paths.additional(q + 1))
    files.write_json(metrics, run.paths.metrics / f"round{q}" / "extrapolate.json")


if __name__ == "__main__":
    stage(main)
