"""Staleness is exact: each change reruns precisely the stages that depend on it, on the real dvc.yaml.

Some tests run all that follows from a change; others are content with the stages that the change itself makes stale.
"""

import pytest


def round_from(step: str, q: int, last: int = 1) -> set[str]:
    """The stages of rounds q to `last`, from a step of round q on, and what follows the rounds."""
    steps = ["train", "mine", "extrapolate", "combine"]
    first = {f"{name}@reviews-round{q}" for name in steps[steps.index(step) :]}
    rest = {f"{name}@reviews-round{r}" for r in range(q + 1, last + 1) for name in steps}
    looks = {f"{name}@reviews" for name in ("quality", "coverage", "structure", "audit", "diagnose", "report", "card")}
    return first | rest | looks | {"choose@reviews", "evaluate@reviews"}


def test_nothing_changed(repository):
    assert repository.repro() == []


def test_how_it_is_run_reruns_nothing(repository):
    repository.set({"asking.concurrency": 3, "asking.base_url": "http://127.0.0.1:1/v1", "asking.timeout": 5})
    assert repository.repro() == []


def test_comment_and_order_rerun_nothing(repository):
    repository.edit("params.yaml", "seed: 13", "# a comment\nseed: 13")
    repository.edit("params.yaml", "  warmup: 0.1             # share of the steps\n", "")
    repository.edit("params.yaml", "  batch: 16\n", "  warmup: 0.1\n  batch: 16\n")
    assert repository.repro() == []


@pytest.mark.slow
def test_extrapolation_prompt(repository):
    repository.edit("prompts/reviews/s3/extrapolate.md", "{{ text }}", "{{ text }} ({{ predicted }}?)")
    ran = repository.repro()
    assert set(ran) == round_from("extrapolate", 0) | {"tune@reviews", "harm@reviews"}, "which have nothing to do"
    assert len(ran) == len(set(ran))
    repository.run("git", "checkout", "prompts")
    assert repository.repro() == [], "back to the first prompt: everything is in the run-cache"
    assert repository.run("dvc", "status").stdout.strip().endswith("up to date.")


def test_seed_prompt(repository):
    repository.edit(
        "prompts/reviews/s3/seed.md", '{% if rationales %} that has {{ rationales | join(", ") }}{% endif %}', ""
    )
    reads = {*(f"extrapolate@reviews-round{q}" for q in (0, 1)), "report@reviews", "card@reviews"}
    assert repository.stale() == {"tune@reviews", "seed@reviews"} | reads
    learns = ["train@reviews-round0", "mine@reviews-round0"]
    assert repository.repro(learns[-1]) == ["tune@reviews", "seed@reviews", "start@reviews", *learns]
    assert repository.stale() == {"combine@reviews-round0"} | reads


def test_rationale_prompt_wording(repository):
    """The template teacher reads what a prompt shows, not its wording: the same seed rows stop the rerun there.

    Only report and card, which quote the prompts, are others.
    """
    repository.edit("prompts/reviews/s3/rationale.md", "Picture yourself", "See yourself")
    assert set(repository.repro()) == {"rationales@reviews", "seed@reviews", "report@reviews", "card@reviews"}


def test_prompt_variant_and_back(repository):
    repository.change(prompts="direct")
    asks = {
        "tune@reviews",
        "rationales@reviews",
        "seed@reviews",
        "extrapolate@reviews-round0",
        "extrapolate@reviews-round1",
    }
    assert repository.stale() == asks | {"report@reviews", "card@reviews"}
    asked = repository.repro("seed@reviews")
    assert set(asked[:-1]) == {"tune@reviews", "rationales@reviews"} and asked[-1] == "seed@reviews"
    repository.change(prompts="s3")
    assert repository.repro() == []


def test_task_param(repository):
    repository.set({"task.reviews.seed_rows": 44})
    assert repository.stale() == {"seed@reviews"}


def test_other_tasks_param(repository):
    repository.set({"task.imdb.seed_rows": 44, "task.imdb.gold.budget": 10})
    assert repository.repro() == []


def test_training_param(repository):
    repository.set({"student.weight_decay": 3.0})
    trains = {"train@reviews-round0", "train@reviews-round1", "baseline@reviews", "choose@reviews", "evaluate@reviews"}
    assert repository.stale() == trains | {"report@reviews", "card@reviews"}


@pytest.mark.slow
def test_rounds_two_three_two(repository):
    two = [{"q": 0, "next": 1}, {"q": 1, "next": 2}]
    repository.change(rounds=[*two, {"q": 2, "next": 3}])
    assert repository.stale() == round_from("train", 2, last=2)
    steps = [f"{name}@reviews-round2" for name in ("train", "mine", "extrapolate", "combine")]
    assert repository.repro(steps[-1]) == steps
    repository.change(rounds=two)
    assert repository.repro() == []


def test_code_of_a_stage(repository):
    """A stage whose code changed runs; what it writes is the same, so nothing after it does."""
    with (repository.folder / "stages/mine.py").open("a") as file:
        file.write("\n# another comment\n")
    assert set(repository.repro()) == {"mine@reviews-round0", "mine@reviews-round1"}


def test_gold_rows(repository):
    file = repository.folder / "data/gold/reviews/reviews.csv"
    rows = file.read_text().splitlines(keepends=True)
    file.write_text("".join(rows[:-1]))
    assert repository.repro("gold@reviews") == ["gold@reviews"]
    stale = repository.stale()
    assert {"baseline@reviews", "train@reviews-round0"} <= stale
    assert "rationales@reviews" not in stale, "the teacher was asked about labels, which are the same"
    assert "seed@reviews" in stale, "the filters compare with gold rows, and what they reject is replaced"
