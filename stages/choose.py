"""The choice: what the final student learns, and so what ships.

    python -m stages.choose TASK

It is method.learn; or, if that is best, what cross-validation on gold rows prefers, where all students have the
settings that gold rows picked for themselves. Rows of test have no part in it.
"""

from synthesis import files
from synthesis.method import choice, transfer
from synthesis.run import Run, stage


def main(run: Run) -> None:
    paths, learn = run.paths, run.params.method.learn
    chosen = {"ships": learn, "picked": {}, "judged": {}}
    if learn == "best":
        picked = files.read_json(paths.metrics / "baseline.json")["picked"]
        alone = files.read(paths.baseline_folds).set_index("id").score
        synthetic, settings = transfer.final_rows(run), run.student.changed(picked)
        judged = choice.compare(choice.judge(run, synthetic, run.gold(), settings, alone))
        chosen = {"ships": choice.choose(judged), "picked": picked, "judged": judged}
    files.write_json(chosen, paths.choice)


if __name__ == "__main__":
    stage(main)
