"""Gold rows: read, check, and split into validation (mined), selection (picks the checkpoint) and test.

    python -m stages.gold TASK

Protocol `honest`: the three are disjoint, and validation and selection together are the budget. Protocol `paper`:
all of the budget is both mined and used for selection, as Wang et al. (2023) did.

Source rows beyond the budget become a pool of unlabelled rows, which a teacher may annotate (method.seed). Their
targets are left out, so that no stage can read them.

Corrected predictions (synthesis mine-feedback) are validation rows beside the budget: selection and test stay as they
are, and none of them has to do with a row of these.

Seed prompts quote no other gold row than the contexts, and with method.examples rows of validation. But seed data
depend on all three: a seed row that the filters reject because of a gold row is replaced (synthesis/rows.py).
"""

import pandas as pd

from synthesis import feedback, files, splits
from synthesis.run import Run, stage


def main(run: Run) -> None:
    task, seed = run.task, run.params.seed
    rows, dropped = splits.read(task, run.settings.gold.source, "train")
    labels = task.labels(rows)
    test, pool, dropped_from_test = splits.test_and_pool(task, rows, seed)
    also_in_test = len(rows) - len(pool) if run.settings.gold.test else 0
    gold = splits.budgeted(task, pool, run.params)
    if run.params.gold.protocol == "paper":
        validation = selection = gold
    else:
        selection, validation = splits.split(gold, round(len(gold) * run.params.gold.selection), task, seed + 1)
    parts = {"validation": validation, "selection": selection, "test": test}
    splits.check_splits(task, parts, labels, run.params)
    corrected, left_out = feedback.fresh(task, labels, parts)
    parts["validation"] = validation = pd.concat([validation, corrected])

    for name, part in parts.items():
        files.write(part, run.paths.gold(name))
    files.write_json(labels, run.paths.labels)
    files.write(task.contexts(validation), run.paths.contexts)
    unlabelled = splits.unlabelled(task, pool, pd.concat([gold, corrected]), test, seed)
    files.write(unlabelled, run.paths.pool)
    strata = task.strata(gold)
    metrics = {
        **{name: len(part) for name, part in parts.items()},
        f"{task.stratum}s": strata.nunique(),
        f"largest_{task.stratum}": round(strata.value_counts(normalize=True).max(), 4),
        "dropped": {**dropped, "also_in_test": also_in_test},
    }
    if len(unlabelled):
        metrics["pool"] = len(unlabelled)
    if len(corrected) or left_out:
        metrics["feedback"] = {"rows": len(corrected), "left_out": left_out}
    if remarks := task.remarks(gold):
        metrics["remarks"] = remarks
    if run.settings.gold.test:
        metrics["dropped_from_test"] = dropped_from_test
    files.write_json(metrics, run.paths.metrics / "gold.json")


if __name__ == "__main__":
    stage(main)
