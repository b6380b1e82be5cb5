"""Where everything lies. dvc.yaml names the same paths."""

import os
from pathlib import Path

SPLITS = ("validation", "selection", "test")


def user_file(variable: str, name: str) -> Path:
    """The file that an environment variable names, or `name` in the user's cache directory.

    A relative path counts from the repository. Experiments may run in a copy of it that is deleted afterwards;
    DVC_ROOT, which dvc sets for what it runs, is the repository that they came from.
    """
    if path := os.environ.get(variable):
        return Path(os.environ.get("DVC_ROOT", ""), path)
    import platformdirs

    return Path(platformdirs.user_cache_dir("synthesis-step-by-step")) / name


class Paths:
    """The files of one task."""

    def __init__(self, task: str):
        self.data = Path("data") / task
        self.metrics = Path("metrics") / task
        self.logs = Path("logs") / task  # what differs between equal runs: in neither git nor DVC
        self.feedback = Path("data/gold") / task / "feedback.jsonl"  # corrected predictions, in git
        self.labels = self.data / "gold" / "labels.json"
        self.contexts = self.data / "gold" / "contexts.parquet"
        self.pool = self.data / "gold" / "pool.parquet"
        self.teacher = self.data / "teacher"
        self.rationales = self.data / "rationales.parquet"
        self.seed = self.data / "seed.parquet"
        self.pairs = self.data / "pairs.parquet"
        self.student = self.data / "student"
        self.final_predictions = self.data / "predictions.parquet"
        self.final_curve = self.data / "curve.csv"
        self.synthetic_predictions = self.data / "synthetic" / "predictions.parquet"
        self.synthetic_curve = self.data / "synthetic" / "curve.csv"
        self.untrained = self.data / "harm" / "untrained.parquet"
        self.structure = self.data / "structure.parquet"
        self.harm = self.data / "harm" / "student.parquet"
        self.export = self.data / "export"
        self.baseline_student = self.data / "baseline" / "student"
        self.baseline_predictions = self.data / "baseline" / "predictions.parquet"
        self.baseline_curve = self.data / "baseline" / "curve.csv"
        self.baseline_folds = self.data / "baseline" / "folds.parquet"
        self.baseline_budgets = self.data / "baseline" / "budgets.parquet"
        self.choice = self.metrics / "choose.json"
        self.worth = self.metrics / "worth.json"
        self.learning = self.data / "learning.csv"
        self.card = self.data / "README.md"
        self.quality = self.data / "quality.parquet"
        self.coverage_points = self.data / "coverage" / "points.parquet"
        self.coverage_sweep = self.data / "coverage" / "sweep.csv"
        self.coverage_map = self.data / "coverage" / "map.png"
        self.leaks = self.data / "leaks.parquet"
        self.diagnosis = self.data / "diagnosis.parquet"
        self.suspects = self.data / "suspects.parquet"
        self.report = Path("reports") / f"{task}.md"
        self.page = Path("reports") / f"{task}.html"
        self.picture = Path("reports") / f"{task}.png"

    def gold(self, split: str) -> Path:
        return self.data / "gold" / f"{split}.parquet"

    def round(self, q: int) -> Path:
        return self.data / f"round{q}"

    def additional(self, q: int) -> Path:
        """What the teacher wrote for round q."""
        return self.round(q) / "additional.parquet" if q else self.seed

    def train(self, q: int) -> Path:
        return self.round(q) / "train.parquet"

    def rejected(self, q: int) -> Path:
        return self.round(q) / "rejected.parquet"

    def history(self, q: int) -> Path:
        return self.round(q) / "history.parquet"

    def predictions(self, q: int) -> Path:
        return self.round(q) / "predictions.parquet"

    def influence(self, q: int) -> Path:
        return self.round(q) / "influence.parquet"

    def curve(self, q: int) -> Path:
        return self.round(q) / "curve.csv"

    def errors(self, q: int) -> Path:
        return self.round(q) / "errors.parquet"
