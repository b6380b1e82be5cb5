"""Tuning: a local teacher learns to write and to label gold rows (Kaddour and Liu, 2023), when teacher.tune says so.

    python -m stages.tune TASK

It learns validation rows, and selection rows pick the checkpoint. The stages that ask the teacher then ask this one, by
the same prompts. Without teacher.tune the folder stays empty.
"""

import shutil
import time

from synthesis import files
from synthesis.run import Run, stage


def main(run: Run) -> None:
    metrics, folder, began = {}, run.paths.teacher, time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    if run.params.teacher.tune:
        from synthesis.tuning.fit import Tuning  # late: it needs torch

        gold = {split: files.read(run.paths.gold(split)) for split in ("validation", "selection")}
        tuning = Tuning(run, gold, files.read_json(run.paths.labels))
        metrics = tuning.fit()
        tuning.save(folder)
        log = {"steps": run.params.teacher.tuning.steps, "seconds": round(time.monotonic() - began, 2)}
        files.write_json(log, run.paths.logs / "tune.json")
    folder.mkdir(parents=True, exist_ok=True)
    files.write_json(metrics, run.paths.metrics / "tune.json")


if __name__ == "__main__":
    stage(main)
