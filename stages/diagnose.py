"""Diagnosis: where students are wrong, what each round mended and broke, and which gold rows to look at.

    python -m stages.diagnose TASK

Only rows of validation are named. Of test there are counts: who reads its rows will end up fitting them.
"""

import sys

from synthesis import files
from synthesis.measures import errors
from synthesis.run import Run, stage


def main(run: Run) -> None:
    task, paths, method = run.task, run.paths, run.params.method
    gold = {split: files.read(paths.gold(split)) for split in ("validation", "test")}
    groups = dict(zip(gold, errors.group_rows(task, *gold.values()), strict=True))
    history, last = files.read(paths.history(run.last)), files.read(paths.synthetic_predictions)
    students = {split: errors.by_student(history, last, split) for split in gold}
    metrics = {split: errors.count_errors(task, students[split]["final"], groups[split], method) for split in gold}

    students = students["validation"]
    wrong = errors.find_wrong(task, students, method)
    doubt, bar = errors.doubt(task, students)
    rows = groups["validation"].join(wrong.add_prefix("wrong_")).assign(status=errors.status(wrong), doubt=doubt)
    suspects = errors.suspects(rows, bar).merge(students["final"][["id", "predicted"]])
    suspects = suspects.merge(gold["validation"], on="id")
    if len(suspects):
        print(f"{len(suspects)} validation rows may be mislabelled: {paths.suspects}", file=sys.stderr)
    files.write(rows.reset_index(), paths.diagnosis)
    files.write(suspects, paths.suspects)
    metrics |= {"students": errors.count_changes(wrong), "suspects": len(suspects)}
    files.write_json(metrics, paths.metrics / "diagnose.json")


if __name__ == "__main__":
    stage(main)
