"""What docs/experiments.md tells a user to type, with the real dvc and git: branches, experiments, a teammate."""

import csv
import json

import pytest

from tests.conftest import Repository, commit, copied
from tests.llm_server import Server

FINAL = "metrics/reviews/final.json"
TEXT, MISTAKEN = "{{ text }}", "{{ text }} ({{ predicted }}?)"


def clone(repository: Repository, name: str) -> Repository:
    """What a teammate has: git's part, and neither data nor cache."""
    folder = repository.folder.parent / name
    repository.run("git", "clone", "-q", str(repository.folder), str(folder))
    return Repository(folder)


@pytest.fixture
def with_experiments(experiments, tmp_path) -> Repository:
    return copied(experiments, tmp_path)


def clean(repository: Repository) -> bool:
    """Nothing differs from the commit, nothing would run."""
    changed = repository.run("git", "status", "--porcelain").stdout
    return not changed and repository.run("dvc", "status").stdout.strip().endswith("up to date.")


def test_branch_diff_merge_and_conflict(with_experiments):
    """On the experiment of one round, which is the shortest."""
    repository = with_experiments
    repository.run("dvc", "exp", "apply", "few")
    commit(repository, "Few")
    repository.run("git", "switch", "-q", "-c", "mistaken")
    repository.edit("prompts/reviews/s3/extrapolate.md", TEXT, MISTAKEN)
    assert "extrapolate@reviews-round0" in repository.repro("evaluate@reviews")
    diff = json.loads(repository.run("dvc", "metrics", "diff", "main", "--json").stdout)
    assert FINAL in diff, diff
    assert "metrics/reviews/round0/train.json" not in diff, diff
    repository.run("git", "commit", "-qam", "What it was taken for")

    repository.run("git", "switch", "-q", "main")
    repository.run("dvc", "checkout")
    assert repository.repro("evaluate@reviews") == []
    repository.set({"method.extrapolations_per_error": 2})
    repository.repro("evaluate@reviews")
    repository.run("git", "commit", "-qam", "Two rows an error")

    assert "CONFLICT" in repository.run("git", "merge", "mistaken", ok=False).stdout
    repository.run("git", "checkout", "ORIG_HEAD", "--", "dvc.lock", "metrics")
    assert repository.repro()[0] == "extrapolate@reviews-round0"
    repository.run("git", "commit", "-qam", "Merge mistaken")
    assert clean(repository)
    assert len(repository.run("git", "log", "--merges", "--format=%h").stdout.split()) == 1
    assert MISTAKEN in (repository.folder / "prompts/reviews/s3/extrapolate.md").read_text()


def test_experiment_without_editing(with_experiments):
    repository = with_experiments
    assert clean(repository), "they ran in folders of their own"
    listed = repository.run("dvc", "exp", "show", "--csv").stdout.splitlines()
    main, two = (next(row for row in csv.DictReader(listed) if name in row.values()) for name in ("main", "two"))
    assert (main["method.extrapolations_per_error"], two["method.extrapolations_per_error"]) == ("1", "2")
    assert float(two[f"{FINAL}:rows"]) > float(main[f"{FINAL}:rows"])

    repository.run("dvc", "exp", "branch", "two", "two-an-error")
    repository.run("git", "merge", "-q", "two-an-error")
    repository.run("dvc", "checkout")
    assert repository.repro() == []
    assert clean(repository)


def test_teammate(repository, monkeypatch):
    assert repository.run("dvc", "remote", "list").stdout == "", "the repository itself names no remote"
    repository.run("dvc", "remote", "add", "--default", "team", str(repository.folder.parent / "remote"))
    repository.run("git", "commit", "-qam", "A remote")
    repository.run("dvc", "push")
    monkeypatch.setenv("TEACHER_STORE", str(repository.folder.parent / "empty.sqlite"))
    teammate = clone(repository, "teammate")
    assert teammate.run("dvc", "pull").stdout
    assert clean(teammate)
    assert teammate.repro() == []
    ours, theirs = (each.folder / "data/reviews/student/words.json" for each in (repository, teammate))
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("stage, data", [("report", False), ("mine", True)])
def test_a_stale_lock_is_noticed(repository, stage, data):
    """`.ci/check`, as on a runner that has no data, and where they are."""
    here = repository if data else clone(repository, "runner")
    check = here.run("bash", ".ci/check", "HEAD")
    assert check.stdout.startswith("Metrics against HEAD:")
    with (here.folder / "stages" / f"{stage}.py").open("a") as file:
        file.write("\n# another comment\n")
    check = here.run("bash", ".ci/check", "HEAD", ok=False)
    assert check.returncode == 1
    assert "run `dvc repro` and commit dvc.lock" in check.stderr
    assert f"{stage}@reviews" in check.stderr
    assert check.stdout == ""


@pytest.mark.slow
def test_back_to_an_old_prompt_costs_no_call(fresh, monkeypatch):
    prompt = "prompts/reviews/s3/seed.md"
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with Server() as server:
        endpoint = server.space(text="A film with warm music and slow scenes, and number {n} of them.")
        llm = {"teacher.provider": "openai", "asking.base_url": endpoint.url, "asking.budget": None}
        fresh.set({**llm, "method.rationales": False, "task.reviews.seed_rows": 10, "method.replacements": 0.0})
        fresh.repro("seed@reviews")
        assert endpoint.stats["calls"] == 10
        fresh.edit(prompt, "film", "new film")
        fresh.repro("seed@reviews")
        assert endpoint.stats["calls"] == 20
        fresh.edit(prompt, "new film", "film")
        assert fresh.repro("seed@reviews") == [], "the run-cache has it"
        fresh.run("git", "commit", "-qam", "A real LLM")
        elsewhere = clone(fresh, "elsewhere")
        assert "seed@reviews" in elsewhere.repro("seed@reviews"), "no run-cache here, but the same response store"
        assert endpoint.stats["calls"] == 20
