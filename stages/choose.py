"""The choice: what the final student learns, and so what ships.

    python -m stages.choose TASK

It is method.learn; or, if that is best, what cross-validation on gold rows prefers. Rows of test have no part in it.
"""

from synthesis import choice, files
from synthesis.run import Run, stage


def main(run: Run) -> None:
    paths, learn, table = run.paths, run.params.method.learn, {}
    if learn == "best":
        alone = files.read(paths.baseline_folds).set_index("id").score
        scores = choice.judge(run, files.read(paths.train(run.last)), run.gold(), alone)
        table = choice.compare(scores)
        learn = choice.choose(table)
    files.write_json({"ships": learn, "judged": table}, paths.metrics / "choose.json")


if __name__ == "__main__":
    stage(main)
