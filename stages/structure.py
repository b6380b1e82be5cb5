"""Structure and bias: what real, synthetic and mixed questions ask, which gaps are filled, and who answers which.

    python -m stages.structure TASK

Only for tasks with a corpus. All sets are samples of one size, as divergences grow with fewer questions. `gold` is what
two sets of real questions differ by, so nothing nearer to test than it can be called better.
"""

import pandas as pd

from synthesis import files
from synthesis.method import transfer
from synthesis.method.mixing import GOLD, SYNTHETIC, mix
from synthesis.run import Run, stage, whole_budget


def main(run: Run) -> None:
    table, metrics = pd.DataFrame(), {}
    if run.settings.corpus is not None:
        from synthesis.measures import structure  # late: most tasks need no spaCy

        task, paths, seed, params = run.task, run.paths, run.params.seed, run.params
        gold, ships = run.gold(), files.read_json(paths.choice)["ships"]
        written = transfer.final_rows(run)
        learned = {
            name: mix(what, task, written, whole_budget(gold), seed, params.method).rows
            for name, what in {"gold": GOLD, "synthetic": SYNTHETIC, "mixed": ships}.items()
        }
        size = min(params.coverage.sample, len(gold["test"]), *map(len, learned.values()))
        sets = {"test": read(run, gold["test"])}
        sets |= {name: read(run, rows.sample(size, random_state=seed)) for name, rows in learned.items()}
        even = sets | {"test": sets["test"].sample(size, random_state=seed)}
        answered = {"ships": paths.final_predictions, "gold": paths.baseline_predictions}
        scored = structure.scores(sets["test"], {name: score(run, file) for name, file in answered.items()})
        table = structure.gaps(even).merge(scored, how="left", on=["aspect", "value"])
        effects = table[table.effect != ""].groupby(["effect", "aspect"]).value.agg(sorted)
        metrics = structure.numbers(even) | {
            effect: effects[effect].to_dict() if effect in effects else {} for effect in ("fills", "widens")
        }
    files.write(table, run.paths.structure)
    files.write_json(metrics, run.paths.metrics / "structure.json")


def read(run: Run, rows: pd.DataFrame) -> pd.DataFrame:
    """The aspects of the questions and first answers of rows."""
    from synthesis.measures import structure

    [question], [answer] = run.task.columns, run.task.targets
    return structure.read(rows[question].tolist(), rows[answer].tolist())


def score(run: Run, file) -> pd.Series:
    """The metric on each row of test, in its order, the mean over training seeds."""
    predictions = files.read(file).query("split == 'test'")
    scores = run.task.scores(predictions)[run.task.metric].groupby(predictions.id).mean()
    return scores.loc[run.gold()["test"].id]


if __name__ == "__main__":
    stage(main)
