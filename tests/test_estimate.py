"""What the teacher will cost, before it is asked; and what it did cost, counted over the whole pipeline."""

import json
import re
import shutil

import pytest

from synthesis.commands.estimate import cells
from synthesis.estimate import Line, Tokens
from synthesis.params import Params, Round
from synthesis.teacher import spending
from tests.llm_server import Server

OPENAI = {"teacher.provider": "openai", "teacher.model": "gpt-4.1-mini", "asking.concurrency": 8}


def estimate(repository, *words, **env) -> dict[str, list[str]]:
    """The cells of each line by task and stage."""
    lines = repository.command("estimate", *words, **env).stdout.split("\n\n")[0].splitlines()[1:]
    found = {}
    for line in lines:
        head, stage, *cells = re.split(r"\s{2,}", line) if not line.startswith("total") else [*line.split(None, 1), ""]
        found[f"{head} {stage}" if head != "total" else "total"] = cells if head != "total" else stage.split("  ")
    return found


def test_the_template_teacher_costs_nothing(repository):
    found = estimate(repository)
    assert found["reviews rationales"][:6] == ["2", "0", "~0", "0", "0.0000", "0.0000"]
    assert found["reviews seed"][0] == "40"
    for q in (0, 1):
        metrics = json.loads((repository.folder / f"metrics/reviews/round{q}/extrapolate.json").read_text())
        assert found[f"reviews extrapolate {q}"][0] == str(metrics["wanted"])


def test_before_anything_ran_it_is_marked_as_assumed(fresh):
    fresh.set({**OPENAI, "asking.budget": {"dollars": 2}})
    shutil.rmtree(fresh.folder / "metrics", ignore_errors=True)
    found = estimate(fresh)
    assert found["reviews seed"][:2] == ["~40", "0"]
    assert found["reviews seed"][3] == "<=40,960"
    assert found["reviews extrapolate 0"][0] == "~18"  # 20% of 90 validation rows
    spend = float(found["reviews seed"][5].removeprefix("<="))
    tokens = int(found["reviews seed"][2].removeprefix("~").replace(",", ""))
    assert spend == pytest.approx((0.4 * tokens + 1.6 * 40960) / 1e6, abs=1e-4)
    assert "budget: $2 (the estimate is" in fresh.command("estimate").stdout
    assert "reviews verify seed" not in found
    fresh.set({"verify.teacher": "drop"})
    found = estimate(fresh)
    assert found["reviews verify seed"][0] == "~40" and found["reviews verify extrapolate 0"][0] == "~18"


@pytest.mark.parametrize(
    "changes",
    [
        {"method.seed": "annotate"},
        {"method.transfer": {"file": "theirs.jsonl", "into": "rounds"}},
    ],
)
def test_rationales_that_no_seed_prompt_would_name_are_not_paid_for(fresh, changes):
    fresh.set({**OPENAI, **changes})
    fresh.stage("gold", "reviews")
    fresh.stage("rationales", "reviews", OPENAI_API_KEY="none", OPENAI_BASE_URL="http://127.0.0.1:9")
    told = json.loads((fresh.folder / "metrics/reviews/rationales.json").read_text())
    assert told["rationales"] == told["calls"] == 0


def test_more_rows_cost_in_proportion(fresh):
    fresh.set({**OPENAI, "verify.teacher": "drop"})
    shutil.rmtree(fresh.folder / "metrics", ignore_errors=True)
    few, many = estimate(fresh), estimate(fresh, "--rows", "1000000")
    assert few["reviews seed"][0] == "~40" and many["reviews seed"][:2] == ["~1,000,000", "0"]
    assert many["reviews verify seed"][0] == "~1,000,000"
    for stage in ("reviews rationales", "reviews extrapolate 0", "reviews verify extrapolate 0"):
        assert many[stage] == few[stage], "these follow the labels and the gold rows"
    tokens, more = (int(found["reviews seed"][2].removeprefix("~").replace(",", "")) for found in (few, many))
    assert more == 25_000 * tokens


def test_rows_are_verified_one_by_one_however_they_are_written(fresh):
    shutil.rmtree(fresh.folder / "metrics", ignore_errors=True)
    fresh.set({**OPENAI, "prompts": "direct", "verify.teacher": "drop", "method.rows_per_request": 5})
    found = estimate(fresh)
    assert [found[f"reviews {stage}"][0] for stage in ("seed", "verify seed")] == ["~8", "~40"]
    fresh.set({"method.add": "contrasts", "method.extrapolations_per_error": 2, "method.rows_per_request": 1})
    found = estimate(fresh)  # of 20% of 90 validation rows, two pairs each
    assert [found[f"reviews {stage}"][0] for stage in ("extrapolate 0", "verify extrapolate 0")] == ["~36", "~72"]


def test_rounds_of_gold_rows_that_nobody_has_counted_are_said_to_be_left_out(fresh):
    told = "reviews: its gold rows are not counted yet, and so its rounds count as none: run `dvc repro gold@reviews`."
    assert told not in fresh.command("estimate").stdout
    fresh.set({"task.reviews.gold.budget": None})
    assert told in fresh.command("estimate").stdout
    fresh.set({"gold.budget": 100})
    assert told not in fresh.command("estimate").stdout


@pytest.mark.parametrize(("seconds", "told"), [(59.7, "~1 min 0 s"), (119.4, "~1 min 59 s"), (None, "unknown")])
def test_a_minute_has_sixty_seconds(seconds, told):
    line = Line("t", "seed", 1, 0, Tokens(1, 1), 0.0, 0.0, seconds, assumed=False, bound=False)
    assert cells(line)[-1] == told


def test_an_unknown_price_is_said_to_be_unknown(fresh):
    fresh.set({**OPENAI, "asking.base_url": "http://127.0.0.1:9/v1"})
    assert estimate(fresh)["reviews seed"][4:6] == ["unknown", "unknown"]


def test_a_task_of_ones_choice_and_one_that_is_none(fresh):
    assert {line.split()[0] for line in estimate(fresh, "imdb")} == {"imdb", "total"}
    done = fresh.command("estimate", "nonsense", ok=False)
    assert done.returncode == 1 and "no task `nonsense`" in done.stderr and "Traceback" not in done.stderr


def test_what_is_stored_counts_and_is_not_spent_again_and_the_budget_spans_stages(repository):
    with Server() as server:
        space = server.space(text="A film with warm music and slow scenes.", usage=[10, 20])
        repository.set({**OPENAI, "asking.base_url": space.url, "method.rationales_per_label": 1})
        repository.set({"method.rationales_per_prompt": 1, "asking.budget": {"requests": 45}})
        repository.set({"method.replacements": 0.0})
        key = {"OPENAI_API_KEY": "none"}
        repository.stage("rationales", "reviews", **key)
        used = json.loads((repository.folder / "metrics/reviews/rationales.json").read_text())
        assert estimate(repository)["reviews rationales"][:4] == ["2", "2", "20", "40"]
        repository.stage("seed", "reviews", **key)
        found = estimate(repository)
        assert found["reviews seed"][:4] == ["40", "40", "400", "800"]
        done = repository.stage("extrapolate", "reviews", "0", ok=False, **key)
        left = 45 - used["calls"] - 40
        assert "asking.budget: 45 of 45 requests are spent" in done.stderr
        assert f"{left} of " in done.stderr and space.stats["calls"] == 45
        assert estimate(repository) == estimate(repository), "looking changes nothing"


def test_cost_is_the_sum_of_the_stages(repository):
    cost = json.loads((repository.folder / "metrics/reviews/cost.json").read_text())
    assert list(cost) == ["rationales", "seed", "extrapolate0", "extrapolate1", "total"]
    seed = json.loads((repository.folder / "metrics/reviews/seed.json").read_text())
    assert cost["seed"] == {name: seed[name] for name in cost["seed"]}
    calls = sum(stage["calls"] for name, stage in cost.items() if name != "total")
    assert cost["total"]["calls"] == calls > 40 and cost["total"]["dollars"] == 0
    assert "metrics/reviews/cost.json" in repository.run("dvc", "metrics", "show").stdout


def test_spent_before_is_upstream_and_the_other_tasks_but_nothing_downstream(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    params = Params.model_construct(tasks=["one", "two"], rounds=[Round(q=0, next=1), Round(q=1, next=2)])
    calls = iter(10**power for power in range(8))
    for name in params.tasks:
        for file in spending.files(name, params).values():
            file.parent.mkdir(parents=True, exist_ok=True)
            usage = {"calls": next(calls), "tokens_in": 2, "tokens_out": 3, "tokens_at_most": 5, "dollars": 0.5}
            file.write_text(json.dumps({"rows": 7, **usage}))
    assert spending.before("one", "rationales", params)["calls"] == 11110000
    assert spending.before("one", "extrapolate0", params)["calls"] == 11110011
    assert spending.before("two", "extrapolate1", params)["calls"] == 1111111
    assert spending.before("two", "seed", params) == {
        "calls": 11111, "tokens_in": 10, "tokens_out": 15, "tokens_reasoning": 0, "tokens_at_most": 25, "dollars": 2.5,
    }  # fmt: skip
    file.write_text(json.dumps({**usage, "tokens_in": None, "dollars": None}))
    before = spending.before("one", "seed", params)
    assert (before["tokens_in"], before["tokens_at_most"], before["dollars"]) == (None, 25, None)
    assert spending.before("two", "extrapolate1", params)["dollars"] is not None
