"""A copy of the repository for each test that runs the pipeline, with the real dvc and the real git."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from ruamel.yaml import YAML

from tests import people, warm

os.environ["OMP_NUM_THREADS"] = "1"  # tables and models this small gain nothing from more, and each core has a worker

ROOT = Path(__file__).parent.parent
LOCAL = {
    "NO_PROXY": "*",
    "GIT_AUTHOR_NAME": "t",
    "GIT_AUTHOR_EMAIL": "t@t",
    "GIT_COMMITTER_NAME": "t",
    "GIT_COMMITTER_EMAIL": "t@t",
    "DVC_GLOBAL_CONFIG_DIR": str(ROOT / "tests" / "dvc"),  # no process that phones home after each command
}
# The paper's prompts, the teacher that follows rules, and little of everything.
SMALL = {
    "prompts": "s3",
    "method.rationales": True,
    "teacher.provider": "template",
    "teacher.model": "gpt-4.1-mini",
    "teacher.max_tokens": 1024,
    "teacher.stop": [],
    "task.reviews.gold.budget": 120,
    "task.reviews.gold.test_rows": 80,
    "task.reviews.seed_rows": 40,
    "method.rationales_per_label": 20,
    "student.kind": "words",
    "method.learn": "synthetic",
    "baseline.tune": None,
    "coverage.sample": 20,
}


class Repository:
    """A working copy in a folder of its own, and what a user would type in it."""

    def __init__(self, folder: Path):
        self.folder = folder

    def run(self, *words: str, ok: bool = True, **env: str) -> subprocess.CompletedProcess:
        tools = os.pathsep.join([str(warm.tools()), str(Path(sys.executable).parent), os.environ["PATH"]])
        beside = {"TEACHER_STORE": "teacher.sqlite", "DVC_SITE_CACHE_DIR": "dvc"}
        beside = {name: str(self.folder.parent / file) for name, file in beside.items()}
        environment = {**os.environ, **LOCAL, "PATH": tools, **beside, **env}
        environment.pop("PYTHONPATH", None)
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # the stages of a pipeline compile the same files
        done = subprocess.run(words, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=900)
        if ok and done.returncode:
            raise AssertionError(f"{' '.join(words)}\n{done.stdout}\n{done.stderr}")
        return done

    def stage(self, name: str, *words: str, **kwargs) -> subprocess.CompletedProcess:
        return self.run("python", "-m", f"stages.{name}", *words, **kwargs)

    def command(self, *words: str, **kwargs) -> subprocess.CompletedProcess:
        """A subcommand of `synthesis`, with the code of this repository rather than of the installed one."""
        return self.run("python", "-m", "synthesis", *words, **kwargs)

    def repro(self, *words: str) -> list[str]:
        """`dvc repro`: the names of the stages that it ran."""
        return re.findall(r"Running stage '([^']+)'", self.run("dvc", "repro", *words).stdout)

    def stale(self) -> set[str]:
        """`dvc status`: the names of the stages that something they depend on has changed for; nothing runs."""
        return set(json.loads(self.run("dvc", "status", "--json").stdout))

    def change(self, **params) -> None:
        """Set params by their dotted keys, with `__` for the dots."""
        self.set({key.replace("__", "."): value for key, value in params.items()})

    def set(self, params: dict) -> None:
        yaml = YAML()
        file = self.folder / "params.yaml"
        content = yaml.load(file.read_text())
        for key, value in params.items():
            place = content
            *path, last = key.split(".")
            for part in path:
                place = place[part]
            place[last] = value
        with file.open("w") as stream:
            yaml.dump(content, stream)

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


def copy_sources(folder: Path) -> None:
    """Copy what git tracks or would track, without dvc.lock, to a folder that is made."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file() and name != "dvc.lock":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def checkout(folder: Path) -> Repository:
    """What git tracks or would track, committed in a repository of its own, with the small student and params."""
    copy_sources(folder)
    stand_ins = {"student": "students/words", "reader": "students/words_reader", "writer": "students/words_writer"}
    for name, module in (stand_ins | {"embedding": "encoding/embedding"}).items():
        shutil.copyfile(ROOT / "tests" / f"words_{name}.py", folder / "synthesis" / f"{module}.py")
    repository = Repository(folder)
    repository.set(SMALL)
    repository.run("git", "init", "-q", "-b", "main")
    commit(repository, "start")
    return repository


def commit(repository: Repository, message: str) -> None:
    repository.run("git", "add", "-A")
    repository.run("git", "commit", "-q", "-m", message)


def copied(repository: Repository, place: Path) -> Repository:
    """A copy with all that lies beside it: the response store, and what dvc keeps outside of a repository."""
    shutil.copytree(repository.folder.parent, place, dirs_exist_ok=True, symlinks=True)
    return Repository(place / "repository")


# What all processes of a run share


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """Call once(name, prepare): a repository that the first process to ask makes, and that all others then use.

    `prepare` makes it in an empty folder.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # where each worker has a folder of its own in the one of the run
        shared = shared.parent

    def once(name: str, prepare: Callable[[Path], None]) -> Repository:
        folder = shared / name
        with FileLock(f"{folder}.lock"):
            if not folder.exists():
                draft = tmp_path_factory.mktemp(name)
                prepare(draft)
                draft.rename(folder)
        return Repository(folder / "repository")

    return once


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of prepared repositories come first: one process prepares while others begin in the middle of the list.

    What is quick comes last and keeps all processes busy to the end.
    """
    order = ["all_kinds", "experiments", "reproduced", "fresh"]
    items.sort(key=lambda item: next((i for i, name in enumerate(order) if name in item.fixturenames), len(order)))


@pytest.fixture(scope="session")
def untouched(once) -> Repository:
    """A repository in which nothing has run yet, with its code compiled. Only read its files: `fresh` is a copy."""

    def prepare(folder: Path) -> None:
        checkout(folder / "repository").run("python", "-m", "compileall", "-q", "stages", "synthesis")

    return once("untouched", prepare)


@pytest.fixture(scope="session")
def reproduced(once, untouched) -> Repository:
    """A repository in which `dvc repro` has run. Only read its files: `repository` is a copy."""

    def prepare(folder: Path) -> None:
        repository = copied(untouched, folder)
        repository.repro()
        commit(repository, "reproduced")

    return once("reproduced", prepare)


@pytest.fixture(scope="session")
def experiments(once, reproduced) -> Repository:
    """main and two experiments. Only read its files, or copy them.

    `two` makes two rows an error; `few` has fewer gold rows and rounds, and more training seeds, and ends with what
    ships.
    """

    def prepare(folder: Path) -> None:
        repository = copied(reproduced, folder)
        run = ["dvc", "exp", "run", "--temp"]
        repository.run(*run, "-n", "two", "-S", "method.extrapolations_per_error=2")
        changes = ["task.reviews.gold.budget=60", "student.seeds=2", "rounds=[{q:0,next:1}]"]
        repository.run(*run, "-n", "few", "evaluate@reviews", *(word for change in changes for word in ("-S", change)))

    return once("experiments", prepare)


@pytest.fixture(scope="session")
def all_kinds(once, untouched, reproduced, tmp_path_factory) -> Repository:
    """A repository in which `dvc repro` has run for tasks of all kinds. Only read its files: `side_by_side` is a copy.

    Each task runs in a repository of its own, since after each stage dvc writes all of dvc.lock anew.
    """

    def prepare(folder: Path) -> None:
        whole = copied(reproduced, folder)
        people.add(whole)
        for task in people.ROWS:
            part = copied(untouched, tmp_path_factory.mktemp(task))
            part.run("dvc", "cache", "dir", "--local", str(whole.folder / ".dvc" / "cache"))
            people.add(part)
            part.set({"tasks": [task]})
            part.repro()
            for results in (f"data/{task}", f"metrics/{task}", "reports"):
                shutil.copytree(part.folder / results, whole.folder / results, dirs_exist_ok=True)
            with (whole.folder / "dvc.lock").open("a") as lock:
                lock.write((part.folder / "dvc.lock").read_text().partition("stages:\n")[2])
        commit(whole, "reproduced")

    return once("all_kinds", prepare)


@pytest.fixture
def repository(reproduced, tmp_path) -> Repository:
    """A reproduced repository of the test's own."""
    return copied(reproduced, tmp_path)


@pytest.fixture
def side_by_side(all_kinds, tmp_path) -> Repository:
    """A reproduced repository of the test's own, with tasks of all kinds."""
    return copied(all_kinds, tmp_path)


@pytest.fixture
def fresh(untouched, tmp_path) -> Repository:
    """A repository of the test's own in which nothing has run yet."""
    return copied(untouched, tmp_path)


@pytest.fixture(autouse=True, scope="session")
def ctrl_c():
    """A job in the background of a shell ignores Ctrl-C, and so would the processes that tests start and stop."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
