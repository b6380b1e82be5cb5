"""Quality of the additional data (section 3.6, Table 6): does an addition extrapolate its error, or only repeat it?

    python -m stages.quality TASK

Each addition that was kept is compared with the gold row that it was extrapolated from, in the column that the teacher
writes.
"""

from synthesis import files
from synthesis.measures import quality
from synthesis.measures.quality import means
from synthesis.run import Run, stage


def main(run: Run) -> None:
    task, paths = run.task, run.paths
    rows, rejected = files.read(paths.train(run.last)), files.read(paths.rejected(run.last))
    added = rows[rows.parent != ""].reset_index(drop=True)
    errors = files.read(paths.gold("validation")).set_index("id").loc[added.parent].reset_index()
    pairs = added[["id", "parent", "round"]].assign(**{task.stratum: task.strata(errors)})
    pairs = pairs.join(quality.compare(errors[task.written].tolist(), added[task.written].tolist(), run.student))
    files.write(pairs, paths.quality)
    dropped = {q: int((rejected["round"] == q).sum()) for q in range(1, run.last + 1)}
    metrics = {
        **means(pairs),
        "rejected": sum(dropped.values()),
        "by_round": {str(q): {**means(pairs[pairs["round"] == q]), "rejected": count} for q, count in dropped.items()},
        f"by_{task.stratum}": {stratum: means(group) for stratum, group in pairs.groupby(task.stratum)},
    }
    files.write_json(metrics, paths.metrics / "quality.json")


if __name__ == "__main__":
    stage(main)
