"""Studies: arms as data, run as DVC experiments, and compared."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml
from dvc.utils.hydra import to_hydra_overrides

from synthesis import UserError
from synthesis.commands import study as command
from synthesis.comparison import study
from synthesis.comparison.experiment import Experiment, _hydra
from tests.conftest import LOCAL, ROOT, Repository

# What gold rows alone are learned by.
KINDS = [{"kind": "probe"}, {"kind": "finetune"}, {"kind": "setfit", "learning_rate": 2e-5}]
GOLD = {"baseline.tune": KINDS, "method.learn": "synthetic"}
ACCEPTED = {"s3": [500, 120, 90]}  # as seed data, and in two rounds
# What each arm changes in params.yaml.
ARMS = {
    "s3": {},
    "no-extrapolation": {"method.mine": "nothing", "task.imdb.seed_rows": 710},
    "no-rationales": {"method.rationales": False},
    "zerogen": {"method.rationales": False, "method.mine": "nothing", "task.imdb.seed_rows": 710},
    "goldgen": {"method.mine": "gold", "method.mined": [120, 90], "method.extrapolations_per_error": 1},
    "progen": {
        "method.rationales": False,
        "method.mine": "helpful",
        "method.add": "feedback",
        "method.influence": True,
        "method.mined": [120, 90],
    },
    "mined-gold": {"method.add": "copies"},
    "gold-and-s3": {"method.learn": "both"},
    "gold-repeated": {"method.learn": "gold-repeated"},
    "shuffled": {"method.learn": "shuffled"},
    "theirs": {"method.transfer.file": "x.parquet", "method.mine": "nothing"},
    "our-additions": {"method.transfer.file": "x.parquet", "method.transfer.into": "final"},
    "own-additions": {"method.transfer.file": "x.parquet"},
}


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a study and load it."""
    monkeypatch.setattr(study, "FOLDER", tmp_path)

    def write(text: str) -> study.Study:
        (tmp_path / "mine.yaml").write_text(text)
        return study.load("mine")

    return write


def overrides(arms: list[study.Arm]) -> dict[str, dict]:
    return {arm.name: arm.overrides(ACCEPTED.get) for arm in arms}


def test_the_arms_are_those_that_the_papers_compare():
    arms = study.load("arms").expand("imdb", {"transfer": ["x.parquet"]}, {})
    probe = {"student.kind": "probe", **GOLD}
    assert overrides(arms) == {name: probe | values for name, values in ARMS.items()}
    needs = {arm.name: arm.needs for arm in arms if arm.needs}
    assert needs == {"no-rationales": "rationales", "zerogen": "rationales", "progen": "labels"}
    assert [arm.name for arm in study.load("arms").expand("imdb", {}, {})] == list(ARMS)[:-3]


def test_lists_and_values_can_be_replaced():
    finetune = {"student.kind": "finetune", "method.learn": "gold"}
    arms = study.load("budgets").expand("rte", {"budget": [50, 70]}, finetune)
    assert overrides(arms) == {
        "s3-50": {**GOLD, **finetune, "gold.budget": 50},
        "gold-and-s3-50": {**GOLD, **finetune, "gold.budget": 50, "method.learn": "both"},
        "s3-70": {**GOLD, **finetune, "gold.budget": 70},
        "gold-and-s3-70": {**GOLD, **finetune, "gold.budget": 70, "method.learn": "both"},
    }
    assert arms[0].what == "S3 with 50 gold rows"
    prompts = study.load("prompts")
    assert [arm.set["prompts"] for arm in prompts.expand("rte", {}, {})] == ["s3", "direct", "short"]
    assert prompts.compare == ["spread"]


@pytest.mark.parametrize("name", [file.stem for file in (ROOT / "studies").glob("*.yaml")])
def test_every_arm_of_every_study_has_parameters_that_fit(name):
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    for task in content["task"]:
        for arm in study.load(name).expand(task, {}, {}):
            study.override(content, arm.overrides(lambda _: ACCEPTED["s3"]), arm.name)


def test_the_example_of_the_command_names_arms_that_there_are():
    name, named = re.search(r"Example: synthesis study (\w+) .*--arms (\S+)", command.study.__doc__).groups()
    study.choose(study.load(name).expand("reviews", {}, {}), named.split(","))


def test_chosen_arms_bring_those_that_they_need(write):
    own = """
        what: a study
        arms:
          - {name: a, what: the baseline}
          - {name: b, what: another}
          - {name: c, what: counts, set: {"task.{task}.seed_rows": {as_many_as: b}}}
          - {name: d, what: another}
          - {name: e, what: counts what counts, set: {"task.{task}.seed_rows": {as_many_as: c}}}
    """
    arms = write(own).expand("t", {}, {})
    for chosen in ("c", "e"):
        assert [arm.name for arm in study.choose(arms, [chosen])] == list(dict.fromkeys(["a", "b", "c", chosen]))
    with pytest.raises(UserError, match="the study has no arm `f` \\(there: a, b, c, d, e\\)"):
        study.choose(arms, ["f"])


def test_names_and_sentences_may_be_nothing_but_a_number(write):
    own = "what: w\nlists: {n: [1, 2]}\narms: [{name: '{n}', what: '{n}', for_each: n, set: {seed: '{n}'}}]"
    arms = write(own).expand("t", {}, {})
    assert [(arm.name, arm.what, arm.set) for arm in arms] == [("1", "1", {"seed": 1}), ("2", "2", {"seed": 2})]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("what: [", "mine.yaml is not YAML"),
        ("what: a study\narms: []", "arms: list should have at least 1 item"),
        ("arms: [{name: a, sett: {}}]", "what is missing; arms.0.what is missing; arms.0.sett is not a parameter"),
        (
            "what: w\narms: [{name: a, what: w, needs: wings}]",
            "arms.0.needs: input should be 'labels', 'rationales', 'pairs', 'texts' or 'writes'",
        ),
        (
            "what: w\ncompare: [all]\narms: [{name: a, what: w}]",
            "compare.0: input should be 'spread', 'budgets', 'worth' or 'ratios'",
        ),
        (
            "what: w\ncompare: [spread, worth]\narms: [{name: a, what: w}]",
            "compare: `worth` is shown in the place of all else: name it alone",
        ),
        ("what: w\narms: [{name: a, what: w, for_each: x}]", "the study has no list `x` (there: none)"),
        ("what: w\narms: [{name: '{x}', what: w}]", "arm `{x}`: {x} is neither {task} nor its for_each"),
        ("what: w\nlists: {x: [1, 2]}\narms: [{name: a, what: w, for_each: x}]", "two arms would be called `a`"),
        (
            "what: w\narms: [{name: a, what: w, set: {gold.budget: {as_many_as: b}}}]",
            "arm `a` takes a count from `b`, which is no arm before it",
        ),
    ],
)
def test_what_is_wrong_in_a_study_is_said_in_one_line(write, text, message):
    with pytest.raises(UserError, match=re.escape(message)) as error:
        write(text).expand("t", {}, {})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"method.minne": "gold"}, "arm `a`: params.yaml has no `method.minne`"),
        ({"student.kind.x": 1}, "arm `a`: params.yaml has no `student.kind.x`"),
        (
            {"method.mine": "guess", "seed": -1},
            "arm `a`: seed: input should be greater than or equal",
        ),
    ],
)
def test_what_is_wrong_in_an_arm_is_said_before_anything_runs(values, message):
    with pytest.raises(UserError, match=re.escape(message)):
        study.override(yaml.safe_load((ROOT / "params.yaml").read_text()), values, "a")


@pytest.mark.parametrize(
    "value",
    [1, 2.0e-5, True, None, "a", "1", "naïve", "a b/c=d,e: {x}.parquet", [1, "two", None], {"a": {"b_c": [1.5]}}, []],
)
def test_values_reach_the_experiment_as_they_are(value):
    [parsed] = to_hydra_overrides([f"key={_hydra(value)}"])
    read = parsed.value()
    assert json.loads(json.dumps(read, default=lambda quoted: quoted.text)) == value


# The command


QUICK = ["--set", "student.kind=words", "--set", "baseline.tune=null"]
WORDS = ["study", "arms", "--task", "reviews", *QUICK, "--arms", "no-extrapolation"]


def interrupted(repository: Repository, line: str) -> tuple[int, str]:
    """Run WORDS, and press Ctrl-C while the arm after the one of that line runs. The exit code, and standard error."""
    mine = {"TEACHER_STORE": str(repository.folder.parent / "teacher.sqlite")}
    with subprocess.Popen(
        [sys.executable, "-m", "synthesis", *WORDS], cwd=repository.folder, env=os.environ | LOCAL | mine,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        while not process.stdout.readline().startswith(line):
            assert process.poll() is None, process.stderr.read()
        time.sleep(2)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        _, errors = process.communicate(timeout=60)
    return process.returncode, errors


def accepted(repository: Repository, revision: str) -> list[int]:
    """The rows that were accepted, as seed data and in each round."""
    files = [f"metrics/reviews/{name}.json" for name in ("seed", "round0/extrapolate", "round1/extrapolate")]
    return [json.loads(repository.run("git", "show", f"{revision}:{file}").stdout)["accepted"] for file in files]


def refs(repository: Repository) -> dict[str, str]:
    """Experiments: what git calls them, by name."""
    names = repository.run("git", "for-each-ref", "--format=%(refname)", "refs/exps").stdout.split()
    return {name.rpartition("/")[2]: name for name in names if name.count("/") == 4}


@pytest.mark.slow
def test_a_study_goes_on_where_it_was_stopped(repository):
    """S3 has run in the workspace; an arm without extrapolation learns as many rows, all of them seed data."""
    code, errors = interrupted(repository, "reviews-s3: ")
    assert code == 1 and errors.endswith("stopped\n") and "Traceback" not in errors
    assert refs(repository).keys() == {"reviews-s3"}
    assert repository.run("git", "status", "--short").stdout == "", "the workspace is as it was"

    output = repository.command(*WORDS).stdout
    assert output.startswith("reviews-s3: was finished before\nreviews-no-extrapolation: ")
    assert re.search(r"^reviews-no-extrapolation: \d+ stages ran, [1-9]\d* were skipped, \d+ s$", output, re.MULTILINE)
    assert "gold rows alone" in output
    table = pd.read_csv(repository.folder / "reports/reviews-arms.csv")
    assert table.arm.tolist() == ["reviews-s3", "reviews-no-extrapolation", "gold rows alone"]
    counts = accepted(repository, "HEAD")
    assert accepted(repository, refs(repository)["reviews-no-extrapolation"]) == [sum(counts), 0, 0]
    assert table.rows.tolist()[:2] == [sum(counts)] * 2, "the arms differ in their rows and not in how many they are"
    assert repository.run("git", "status", "--short").stdout == "", "the workspace is as it was"

    again = repository.command(*WORDS).stdout
    assert again.count("was finished before") == 2 and "stages ran" not in again
    assert again.splitlines()[2:] == output.splitlines()[2:]


@pytest.mark.slow
def test_an_arm_is_finished_only_on_the_inputs_of_today(repository, monkeypatch):
    monkeypatch.chdir(repository.folder)
    values = {"method.learn": "both", "tasks": ["reviews"]}

    def finished() -> bool:
        content = yaml.safe_load(Path("params.yaml").read_text())
        return Experiment("mine", values, study.override(content, values, "mine")).is_finished()

    assert not finished()
    repository.run("dvc", "exp", "run", "--temp", "-n", "mine", "-S", "method.learn=both")
    assert finished()
    values["method.learn"] = "gold"
    assert not finished()
    values["method.learn"] = "both"
    repository.change(seed=14)
    assert not finished()
    repository.change(seed=13)
    repository.edit("prompts/reviews/s3/seed.md", "film", "picture")
    assert not finished()
    repository.edit("prompts/reviews/s3/seed.md", "picture", "film")
    (repository.folder / "README.md").write_text("what no stage reads")
    assert finished()
    repository.run("git", "commit", "-qam", "another baseline")
    assert not finished()


@pytest.mark.slow
def test_an_arm_that_fails_stops_the_study(fresh):
    done = fresh.command("study", "arms", "--set", "student.kind=nonsense", ok=False)
    assert done.returncode == 1
    assert "student.kind is `nonsense`" in done.stderr, "what DVC and the stage say"
    assert done.stderr.splitlines()[-1].startswith("error: experiment reviews-s3 failed, see above")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["nonsense"],
            "there is no study studies/nonsense.yaml (there: arms, budgets, loops, prompts, ",
        ),
        (["arms", "--set", "seed"], "--set seed: there is no `=` in it"),
        (["arms", "--set", "seed=-1"], "arm `s3`: seed: input should be greater than or equal to 0"),
        (["arms", "--arms", "s4"], "the study has no arm `s4` (there: s3, no-extrapolation,"),
        (["arms", "--each", "budget=3"], "the study has no list `budget` (there: transfer)"),
        (["arms", "--task", "nonsense"], "params.yaml has no task `nonsense`"),
        (["arms", "--set", "seed=[1"], "a value of --set or --each is not YAML: while parsing a flow sequence"),
        (["arms", "--each", "transfer=["], "a value of --set or --each is not YAML: while parsing"),
        (["budgets", "--each", "budget="], "no arm is left, as their lists are empty"),
        (["prompts", "--each", "variant=s3"], "study prompts tells how much its arms differ, and there is one"),
        (["ratio"], "study ratio: no arm is left, as tasks of kind classification have no texts"),
    ],
)
def test_wrong_words_are_refused_before_anything_runs(fresh, words, message):
    done = fresh.command("study", *words, ok=False)
    assert done.returncode == 1 and message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_count_from_an_arm_that_is_left_out_is_refused(fresh):
    (fresh.folder / "studies/mine.yaml").write_text(
        "what: w\narms:\n  - {name: a, what: w}\n  - {name: b, what: w, needs: texts}\n"
        "  - {name: c, what: w, set: {'task.{task}.seed_rows': {as_many_as: b}}}\n"
    )
    done = fresh.command("study", "mine", ok=False)
    assert done.stderr == "error: arm `c` takes a count from `b`, which is left out: give it `needs`\n"
