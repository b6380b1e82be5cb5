"""Evaluation: a student learns what was chosen, is kept, and takes the test.

    python -m stages.evaluate TASK

Where gold rows alone were chosen, it is the student of the gold baseline. Beside what ships, a student of the synthetic
rows alone takes the test, as in S3: it shows what the teacher's rows teach by themselves.
"""

import pandas as pd

from synthesis import files
from synthesis.confidence import calibrate
from synthesis.measures import paired
from synthesis.measures.equivalent import gold_equivalent
from synthesis.measures.scores import score_splits
from synthesis.method import replay, transfer
from synthesis.method.mixing import GOLD, SYNTHETIC, mix
from synthesis.params import Student as Settings
from synthesis.run import Run, stage, whole_budget
from synthesis.students import saved
from synthesis.students.lesson import Outcome, learn
from synthesis.students.tuning import best_settings


def main(run: Run) -> None:
    paths, choice = run.paths, files.read_json(run.paths.choice)
    ships, settings = choice["ships"], run.student.changed(choice["picked"])
    written = transfer.final_rows(run)
    own = tuned(run, SYNTHETIC, written, settings)
    alone, synthetic = teach(run, SYNTHETIC, written, own)
    files.write(alone.predictions, paths.synthetic_predictions)
    files.write_csv(alone.curve, paths.synthetic_curve)
    if ships == GOLD:
        own = run.student.changed(files.read_json(paths.metrics / "baseline.json")["picked"])
        final = keep_baseline(run)
    else:
        own = own if ships == SYNTHETIC else tuned(run, ships, written, settings)
        outcome, final = (alone, synthetic) if ships == SYNTHETIC else teach(run, ships, written, own)
        saved.save(outcome.student, run.task, paths.student)
        files.write(outcome.predictions, paths.final_predictions)
        files.write_csv(outcome.curve, paths.final_curve)
    calibrated = calibrate(run, ships, written, own)
    files.write_json({"ships": ships, **final, **calibrated, "synthetic": synthetic}, paths.metrics / "final.json")
    files.write_json({"ships": ships, **worth(run)}, paths.worth)


def teach(run: Run, what: str, written: pd.DataFrame, settings: Settings) -> tuple[Outcome, dict]:
    """The outcome of a student of this mixture of the written rows with gold ones, and its metrics."""
    task, gold, seed, method = run.task, run.gold(), run.params.seed, run.params.method
    mixture = mix(what, task, written, whole_budget(gold), seed, method)
    selection = mixture.checkpoint(gold["selection"])
    texts = replay.texts(method.replay, task, len(mixture.rows), seed)
    outcome = learn(task, mixture.rows, gold, settings, run.last, selection, watch=True, replay=texts)
    counts = {"synthetic_rows": len(mixture.synthetic), "gold_rows": len(mixture.gold)}
    return outcome, {"rows": sum(counts.values()), **counts, **outcome.metrics(task)}


def tuned(run: Run, what: str, written: pd.DataFrame, settings: Settings) -> Settings:
    """The settings that are best for this mixture, of those that method.tune names."""
    gold, method = run.gold(), run.params.method
    if not method.tune:
        return settings
    held_back = mix(what, run.task, written, gold["validation"], run.params.seed, method)  # tried on rows not learned
    return best_settings(run.task, held_back.rows, gold, settings, method.tune)


def worth(run: Run) -> dict:
    """What ships beside gold rows alone, row by row of test: metrics in [0, 1], the difference, its p value, and how
    many more gold rows it stands for."""
    task, files_of = run.task, {"test": run.paths.final_predictions, "gold": run.paths.baseline_predictions}
    predictions = {name: files.read(path).query("split == 'test'") for name, path in files_of.items()}
    ships, alone = (paired.scores(task, rows) for rows in predictions.values())
    rows, budgets = len(whole_budget(run.gold())), files.read(run.paths.baseline_budgets)
    return {
        **{name: score_splits(task, rows)["test"] for name, rows in predictions.items()},
        "difference": round(float(ships.mean() - alone.mean()), 4),
        "p": round(paired.p_value(task, ships, alone), 4),
        "gold_equivalent": gold_equivalent(budgets, alone.mean(axis=1), ships.mean(axis=1), rows),
    }


def keep_baseline(run: Run) -> dict:
    """The gold baseline becomes what ships. Returns its metrics."""
    paths, metrics = run.paths, files.read_json(run.paths.metrics / "baseline.json")
    files.copy(paths.baseline_student, paths.student)
    files.write(files.read(paths.baseline_predictions).assign(round=run.last), paths.final_predictions)
    files.copy(paths.baseline_curve, paths.final_curve)
    counts = {"rows": metrics["rows"], "synthetic_rows": 0, "gold_rows": metrics["rows"]}
    return counts | {key: metrics[key] for key in ("records", "tokens", "flops", "test")}


if __name__ == "__main__":
    stage(main)
