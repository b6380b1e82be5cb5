"""A copy of the repository for each test that runs the pipeline, with the real dvc and the real git."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests import people

ROOT = Path(__file__).parent.parent
LOCAL = {"NO_PROXY": "*", "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t", "GIT_COMMITTER_NAME": "t"}
SMALL = {
    "task.reviews.gold.budget": 120,
    "task.reviews.gold.test_rows": 80,
    "task.reviews.seed_rows": 40,
    "method.rationales_per_label": 20,
    "student.kind": "words",
    "coverage.sample": 20,
}


class Repository:
    """A working copy in a folder of its own, and what a user would type in it."""

    def __init__(self, folder: Path):
        self.folder = folder

    def run(self, *words: str, ok: bool = True, **env: str) -> subprocess.CompletedProcess:
        tools = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        store = str(self.folder.parent / "teacher.sqlite")
        environment = {
            **os.environ,
            **LOCAL,
            "GIT_COMMITTER_EMAIL": "t@t",
            "PATH": tools,
            "TEACHER_STORE": store,
            **env,
        }
        environment.pop("PYTHONPATH", None)
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


def checkout(folder: Path) -> Repository:
    """What git tracks or would track, committed in a repository of its own, with the small student and params."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file() and name != "dvc.lock":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    stand_ins = {"student": "words", "reader": "words_reader", "embedding": "embedding"}
    for name, module in stand_ins.items():
        shutil.copyfile(ROOT / "tests" / f"words_{name}.py", folder / "synthesis" / "students" / f"{module}.py")
    repository = Repository(folder)
    repository.set(SMALL)
    repository.run("git", "init", "-q", "-b", "main")
    repository.run("git", "add", "-A")
    repository.run("git", "commit", "-q", "-m", "start")
    return repository


def run_and_committed(repository: Repository) -> Repository:
    repository.repro()
    repository.run("git", "add", "-A")
    repository.run("git", "commit", "-q", "-m", "reproduced")
    return repository


def copied(repository: Repository, place: Path) -> Repository:
    """A copy with all that lies beside it: the response store."""
    shutil.copytree(repository.folder.parent, place, dirs_exist_ok=True, symlinks=True)
    return Repository(place / "repository")


@pytest.fixture(autouse=True, scope="session")
def ctrl_c():
    """A job in the background of a shell ignores Ctrl-C, and so would the processes that tests start and stop."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory) -> Repository:
    """A repository in which `dvc repro` has run. Do not change it: copy it by the fixture `repository`."""
    repository = checkout(tmp_path_factory.mktemp("reproduced") / "repository")
    return run_and_committed(repository)


@pytest.fixture
def repository(reproduced, tmp_path) -> Repository:
    """A reproduced repository of the test's own."""
    return copied(reproduced, tmp_path)


@pytest.fixture
def fresh(tmp_path) -> Repository:
    """A repository in which nothing has run yet."""
    return checkout(tmp_path / "repository")


@pytest.fixture(scope="session")
def all_kinds(tmp_path_factory) -> Repository:
    """A repository in which `dvc repro` has run for the five tasks. Do not change it: use `side_by_side`."""
    repository = checkout(tmp_path_factory.mktemp("kinds") / "repository")
    people.add(repository)
    return run_and_committed(repository)


@pytest.fixture
def side_by_side(all_kinds, tmp_path) -> Repository:
    """A reproduced repository of the test's own, with the five tasks."""
    return copied(all_kinds, tmp_path)
