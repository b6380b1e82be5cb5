"""How sure what ships may be of its answers: its calibration, fitted on gold rows that it has not learned."""

import numpy as np
import pandas as pd

from synthesis import files
from synthesis.method.mixing import mix
from synthesis.params import Student as Settings
from synthesis.run import Run
from synthesis.students import saved
from synthesis.students.calibration import fit, logs, test
from synthesis.students.lesson import learn


def calibrate(run: Run, ships: str, written: pd.DataFrame, settings: Settings) -> dict:
    """Fit temperature and threshold on selection rows, and note them with what ships. Returns what is to be told.

    Where it has learned the selection rows, a student that has not, but is like it in all else, answers them: that is
    what scikit-learn's CalibratedClassifierCV does with `ensemble=False`. It is as sure of itself, but which label it
    leans to is its own, so that only the temperature is taken from it. Kinds without labels have no calibration.
    """
    task, gold = run.task, run.gold()
    if not task.can("labels"):
        return {}
    answers = files.read(run.paths.final_predictions).query("seed == 0")
    own = (answers.split == "selection").any()
    if not own:
        rows = mix(ships, task, written, gold["validation"], run.params.seed, run.params.method).rows
        one, asked = settings.changed({"seeds": 1}), {**gold, "test": gold["test"].head(0)}
        answers = learn(task, rows, asked, one, run.last, gold["selection"].head(0)).predictions
    labels = task.labels(gold["validation"])
    logits, truth = _logits(answers.query("split == 'selection'"), labels)
    calibration = fit(logits, truth, move=bool(own))
    saved.calibrate(run.paths.student, task.name, calibration)
    tested = files.read(run.paths.final_predictions).query("seed == 0 and split == 'test'")
    return {"calibration": calibration._asdict() | {"rows": len(truth)} | test(calibration, *_logits(tested, labels))}


def _logits(predictions: pd.DataFrame, labels: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Logits, (rows, labels), and the place of each row's label."""
    chances = predictions[[f"p({label})" for label in labels]].to_numpy()
    return logs(chances), predictions.label.map(labels.index).to_numpy()
