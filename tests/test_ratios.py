"""Ratios side by side: a table and a picture of runs whose outcome was planted."""

import numpy as np
import pandas as pd
import pytest

from synthesis import UserError, params, tasks
from synthesis.comparison import ratios
from synthesis.paths import Paths
from tests.conftest import ROOT

TASK = tasks.load("webquestions", params.load(ROOT / "params.yaml").one("webquestions"))
PATHS = Paths("webquestions")
ROWS = 60


class Planted:
    """A revision that git need not have: its name, and what stands in its files."""

    tasks = ["webquestions"]

    def __init__(self, ratio: float, seed: int, right: int, language: int, arm: str = "ratio", rows: int = ROWS):
        """right: so many answers of the test are right. language: so many of 40 items are, of 30 before."""
        self.name, self.seed = f"webquestions-{arm}-{ratio:g}-{seed}", seed
        self.params = {"method": {"ratio": ratio, "learn": "mix"}, "seed": seed, "tasks": ["webquestions"],
                       "task": {"webquestions": TASK.settings.model_dump()}}  # fmt: skip
        told = pd.DataFrame({"id": [f"test-{row}" for row in range(rows)], "split": "test", "seed": 0})
        told["references"], told["predicted"] = [["yes"]] * rows, ["yes"] * right + ["no"] * (rows - right)
        self.tables = {PATHS.final_predictions: told, PATHS.untrained: items(30), PATHS.harm: items(language)}
        scores = {"items": 40, "perplexity": 50.0}
        self.jsons = {
            PATHS.metrics / "final.json": {"rows": 100, "synthetic_rows": round(100 * ratio)},
            PATHS.metrics / "harm.json": {"lambada": {"before": scores, "after": scores | {"perplexity": 50.0 + seed}}},
        }

    def json(self, path):
        return self.jsons[path]

    def table(self, path):
        return self.tables[path]


def items(right: int) -> pd.DataFrame:
    return pd.DataFrame({"test": "lambada", "item": range(40), "right": [1] * right + [0] * (40 - right)})


def cells(lines: list[str]) -> list[dict[str, str]]:
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_planted_effects_are_told(tmp_path):
    """0.3 is better on test and loses nothing; 1 is no other on test and loses language."""
    runs = [Planted(ratio, seed, right + seed - 13, language)
            for ratio, right, language in ((0, 20, 30), (0.3, 40, 29), (1, 20, 10)) for seed in (13, 14)]  # fmt: skip
    runs += [Planted(0.3, seed, 21 + seed - 13, 30, "raw") for seed in (13, 14)]
    arms, task = ratios.compare(runs, "webquestions")
    zero, better, worse, raw = cells(ratios.table(arms, task))
    assert [row["arm"] for row in (zero, better, worse, raw)] == ["ratio", "ratio", "ratio", "raw"]
    assert (zero["ratio"], zero["runs"], zero["difference"], zero["p"]) == ("0", "2", "", "")
    assert better["exact match on test"] == "67.5 (66.7 to 68.3)" and better["rows (synthetic)"] == "100 (30)"
    assert better["difference"] == "+33.3" and better["p"] == "<.001"
    assert worse["difference"] == "+0.0" and worse["p"] == "1.000"
    assert (better["lambada, before"], better["lambada, after"]) == ("75.0", "72.5 (72.5 to 72.5)")
    assert (better["p of lambada"], worse["p of lambada"]) == ("1.000", "<.001")
    assert worse["perplexity of lambada"] == "50.0 to 63.5"
    ratios.picture(arms, task, tmp_path / "ratios.png")
    assert (tmp_path / "ratios.png").read_bytes().startswith(b"\x89PNG")
    assert {arm.line: len(arm.runs) for arm in arms} == {"ratio": 2, "raw": 2}


def test_runs_without_tests_of_language(tmp_path):
    runs = [Planted(ratio, 13, 20, 30) for ratio in (0, 0.5)]
    for run in runs:
        run.jsons[PATHS.metrics / "harm.json"] = {}
    arms, task = ratios.compare(runs, "webquestions")
    assert [row["ratio"] for row in cells(ratios.table(arms, task))] == ["0", "0.5"]
    ratios.picture(arms, task, tmp_path / "ratios.png")


def test_runs_of_which_one_took_no_test_of_language_and_one_was_asked_for_fewer_items(tmp_path):
    runs = [Planted(0, 13, 20, 30), Planted(0, 14, 20, 25), Planted(0.5, 13, 20, 30)]
    runs[1].tables[PATHS.harm] = runs[1].tables[PATHS.harm].head(20)
    runs[1].tables[PATHS.untrained] = runs[1].tables[PATHS.untrained].head(20)
    arms, task = ratios.compare(runs, "webquestions")
    assert arms[0].right("lambada", "after").tolist() == [[1, 1]] * 20
    runs[2].jsons[PATHS.metrics / "harm.json"] = {}
    arms, task = ratios.compare(runs, "webquestions")
    assert "lambada" not in "".join(ratios.table(arms, task))
    ratios.picture(arms, task, tmp_path / "ratios.png")


def test_runs_with_other_tests_are_refused():
    fewer, other, none = Planted(0.5, 13, 20, 30, rows=50), Planted(0.5, 13, 20, 30), Planted(0.5, 13, 20, 30)
    other.tables[PATHS.final_predictions]["references"] = [["no"]] * ROWS
    for run in (fewer, other):
        with pytest.raises(UserError, match=r"--ratios: the runs took different tests"):
            ratios.compare([Planted(0, 13, 20, 30), run], "webquestions")
    none.params["method"] = {"learn": "best"}
    with pytest.raises(UserError, match=r"--ratios: webquestions-ratio-0.5-13 learns `best` and has no ratio"):
        ratios.compare([none], "webquestions")


def test_scores_of_an_arm_stand_row_by_row():
    arms, _ = ratios.compare([Planted(0, 13, 20, 30), Planted(0, 14, 22, 30)], "webquestions")
    assert arms[0].scores.shape == (ROWS, 2) and np.isclose(arms[0].scores.mean(), 21 / 60)
