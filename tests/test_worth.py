"""What the teacher's rows are worth: told from a sample, and by the number of gold rows."""

import json
import re

import pytest

from synthesis.commands.worth import verdict
from synthesis.comparison import worth
from synthesis.comparison.worth import Case
from tests.conftest import Repository


def metric(repository: Repository, name: str) -> dict:
    return json.loads((repository.folder / "metrics/reviews" / name).read_text())


def test_the_report_begins_with_what_ships(reproduced):
    first = " ".join((reproduced.folder / "reports/reviews.md").read_text().split("\n\n")[1].split())
    page = (reproduced.folder / "reports/reviews.html").read_text()
    assert first in page
    found, final = metric(reproduced, "worth.json"), metric(reproduced, "final.json")
    assert found["test"] == final["test"]
    shown = f"accuracy {100 * found['test']['accuracy']:.1f} ["
    assert shown in first
    if found["ships"] == "gold":
        assert found["difference"] == 0
        assert found["p"] == 1
        assert found["gold_equivalent"] == {"rows": 0, "low": 0, "high": 0}
        assert "Their gold equivalent is none" in first
    else:
        assert f"p = {found['p']:.3f}" in first or "p <.001" in first
        assert "more gold rows would be needed" in first or "the gold equivalent is none" in first


@pytest.mark.parametrize("learn", ["gold", pytest.param("balanced", marks=pytest.mark.slow), "synthetic", "best"])
def test_what_the_first_sentence_says_follows_from_the_test(repository, learn):
    """Not every difference is called more than chance, and none without its p value."""
    repository.set({"method.learn": learn})
    repository.repro("report@reviews")
    first = " ".join((repository.folder / "reports/reviews.md").read_text().split("\n\n")[1].split())
    found = metric(repository, "worth.json")
    assert found["ships"] == learn or learn == "best"
    if found["difference"]:
        assert ("not shown to be more than chance" in first) == (found["p"] >= 0.05)
        assert ("points more" in first) == (found["difference"] > 0)
    else:
        assert "points" not in first
    table = (repository.folder / "reports/reviews.md").read_text()
    assert re.search(
        {"gold": "gold baseline, ships", "synthetic": "final, ships"}.get(found["ships"], "balanced, ships"), table
    )


def test_a_sample_tells_whether_more_rows_are_likely_to_pay(repository):
    """It costs what it asks for, and the run that follows finds it in the store."""
    told = repository.command("worth", "reviews", "--rows", "20").stdout
    assert re.search(r"^20 rows of the teacher \(\d+ answers, \$0\.00\)", told)
    assert "| gold rows alone" in told
    assert told.strip().splitlines()[-1].startswith(("More rows are", "Whether more rows"))
    assert not repository.stale(), "it changes nothing that the pipeline has made"


def test_a_sample_needs_rationales_and_the_gold_rows_alone(fresh):
    done = fresh.command("worth", "reviews", ok=False)
    assert done.returncode == 1
    way_out = "run `dvc repro rationales@reviews baseline@reviews`"
    assert done.stderr == f"error: data/reviews/gold/labels.json is missing: {way_out}\n"
    told = " ".join(fresh.command("worth", "--help").stdout.split())
    assert "dvc repro rationales@TASK baseline@TASK" in told
    assert fresh.command("worth", "nothing", ok=False).stderr.startswith("error: params.yaml has no task `nothing`")


@pytest.mark.parametrize(
    ("differences", "said"),
    [([0.05, -0.1], "likely to pay"), ([0.01, -0.1], "cannot be told"), ([-0.05, -0.1], "not likely to pay")],
)
def test_the_verdict_on_a_sample(differences, said):
    assert said in verdict([{"difference": each, "error": 0.02} for each in differences])


def case(budget: int, gold: float, test: float, p: float, ships: str = "balanced") -> Case:
    return Case(budget, {"gold": gold, "synthetic": 0.6, "test": test}, ships, p, round(100 * (test - gold)), 500)


def test_runs_of_as_many_gold_rows_share_a_line():
    """The p values are corrected for all runs: .03 is no longer enough."""
    cases = [case(50, 0.6, 0.7, 0.001), case(50, 0.62, 0.68, 0.03), case(400, 0.8, 0.8, 1.0, "gold")]
    head, _, few, many = worth.table(cases)
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in (head, few, many)]
    few, many = (dict(zip(cells[0], line, strict=True)) for line in cells[1:])
    assert few["gold rows alone"] == "61.0 (60.0 to 62.0)"
    assert few["difference"] == "+8.0 (+6.0 to +10.0)"
    assert (few["runs"], few["better"], few["worse"], few["ships"]) == ("2", "1", "0", "balanced 2")
    assert (many["difference"], many["ships"], many["gold equivalent"]) == ("+0.0", "gold 1", "0")


def test_the_most_that_a_gold_equivalent_is_told_as_is_no_number_of_rows():
    cases = [Case(50, {"gold": 0.6, "synthetic": 0.6, "test": 0.7}, "both", 0.001, rows, 500) for rows in (500, 35)]
    told = [worth.table(part)[-1].split("|")[-3].strip() for part in (cases, cases[:1], cases[1:])]
    assert told == ["35 to over 500", "over 500", "35"]


def test_a_picture_by_gold_rows(tmp_path):
    cases = [case(50, 0.6, 0.7, 0.001), case(50, 0.62, 0.68, 0.03), case(400, 0.8, 0.8, 1.0, "gold")]
    worth.picture(cases, "t", "accuracy", tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_the_comparison_reads_what_runs_have_left(reproduced):
    told = reproduced.command("compare", "main", "--worth").stdout
    found = metric(reproduced, "worth.json")
    assert f"{100 * found['test']['accuracy']:.1f}" in told
    assert "Holm's correction for 1 runs" in told
    calls = metric(reproduced, "cost.json")["total"]["calls"]
    assert told.splitlines()[4].split("|")[-2].strip() == str(calls), "those for rationales are among them"
