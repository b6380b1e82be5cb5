"""A revision of the repository: files as git and DVC have them there, read without a checkout."""

import json
from pathlib import Path

import pandas as pd
import yaml
from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException

from stages.pipeline.stage import UserError

WORKSPACE = "workspace"  # the working tree, as DVC calls it


class Revision:
    """A branch, tag, commit, name of an experiment, or `workspace`. Raises UserError when there is none called so."""

    def __init__(self, name: str):
        self.name = name
        try:
            self.files = DVCFileSystem(rev=None if name == WORKSPACE else name)
            self.params = yaml.safe_load(self.text(Path("params.yaml")))
        except DvcException as error:
            told = " ".join(str(error).split())
            raise UserError(f"{name}: {told}: `dvc exp list -A` and `git branch -a` tell what there is") from None

    @property
    def tasks(self) -> list[str]:
        """Those that run there."""
        return self.params.get("tasks", [])

    def text(self, path: Path) -> str:
        with self.open(path) as file:
            return file.read().decode()

    def json(self, path: Path):
        return json.loads(self.text(path))

    def table(self, path: Path) -> pd.DataFrame:
        with self.open(path) as file:
            return pd.read_parquet(file)

    def open(self, path: Path):
        """The file, opened to read bytes. Raises UserError for one that was never made there, or is not at hand."""
        name = path.as_posix()
        try:
            return self.files.open(name, "rb")
        except OSError:
            if self.files.exists(name) and "md5" in self.files.info(name):  # dvc.lock knows it
                way = "is not in the cache: `dvc pull` or `dvc fetch -a` gets it where it was pushed"
            else:
                way = f"was not made: {self._making()}"
            raise UserError(f"{self.name}: {name} {way}") from None

    def _making(self) -> str:
        return "run `dvc repro`" if self.name == WORKSPACE else "run `dvc exp run`, or `dvc repro` there and commit"
