"""One arm as a DVC experiment: whether it is finished, running it, and how many rows it accepted."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import yaml

from synthesis import UserError
from synthesis.comparison.study import override
from synthesis.params import Params
from synthesis.paths import Paths

DVC = [sys.executable, "-m", "dvc", "exp"]
RAN, SKIPPED = r"^Running stage", r"^Stage '.*' (?:is cached|didn't change)"  # in what DVC says


@dataclass(frozen=True)
class Experiment:
    """A name, the values by the keys of params.yaml that it changes, and all the parameters that this gives.

    targets: the stages that it must reach; none: all.
    """

    name: str
    values: dict[str, Any]
    params: Params
    targets: list[str] = field(default_factory=list)

    @property
    def ref(self) -> str:
        """What git calls it; empty when none was made from the commit at hand."""
        head = _git("rev-parse", "HEAD")
        return _git("for-each-ref", "--format=%(refname)", f"refs/exps/{head[:2]}/{head[2:]}/{self.name}")

    def is_finished(self) -> bool:
        """Whether it was made from the commit at hand, with these parameters, and from inputs as they are now.

        Its inputs are what its dvc.lock depends on and no stage writes: code, prompts and gold files.
        """
        if not self.ref:
            return False
        stages = yaml.safe_load(self._show("dvc.lock"))["stages"].values()
        used, written = ({file["path"] for stage in stages for file in stage.get(key, [])} for key in ("deps", "outs"))
        if _git("diff", "--name-only", self.ref, "--", "dvc.yaml", *(used - written)):
            return False
        with suppress(UserError):  # its parameters were none of today's
            return override(yaml.safe_load(self._show("params.yaml")), {}, self.name) == self.params
        return False

    def run(self) -> str:
        """Run it in a folder of its own, in the place of an earlier one of its name. Returns how many stages that took.

        Raises UserError when it fails, after what DVC says.
        """
        began = time.monotonic()
        if self.ref:
            subprocess.run([*DVC, "remove", "--quiet", self.name], check=True)
        values = [f"--set-param={key}={_hydra(value)}" for key, value in self.values.items()]
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # where stages find `python`
        with TemporaryFile("w+", encoding="utf-8") as log:
            words = [*DVC, "run", "--temp", "--name", self.name, *values, *self.targets]
            process = subprocess.Popen(words, stdout=log, stderr=log, env=os.environ | {"PATH": path})
            try:
                code = process.wait()
            except KeyboardInterrupt:  # from a terminal it reaches DVC as well, which may miss it while it starts
                while process.poll() is None:
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(5)
                    process.send_signal(signal.SIGINT)
                raise
            log.seek(0)
            output = log.read()
        if code:
            sys.stderr.write(output)
            raise UserError(f"experiment {self.name} failed, see above: mend that and repeat the command, it goes on")
        ran, skipped = (len(re.findall(pattern, output, re.MULTILINE)) for pattern in (RAN, SKIPPED))
        return f"{ran} stages ran, {skipped} were skipped, {time.monotonic() - began:.0f} s"

    def accepted(self, task: str) -> list[int]:
        """How many rows of the teacher it accepted: as seed data, and in each round."""
        files = ["seed.json", *(f"round{entry.q}/extrapolate.json" for entry in self.params.rounds)]
        return [json.loads(self._show((Paths(task).metrics / file).as_posix()))["accepted"] for file in files]

    def _show(self, file: str) -> str:
        return _git("show", f"{self.ref}:{file}")


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"git {words[0]}: {' '.join(done.stderr.split())}")
    return done.stdout.strip()


def _hydra(value) -> str:
    """A value as --set-param reads it: JSON, but for the keys of mappings, which stand without quotes."""
    return re.sub(r'"(\w+)":', r"\1:", json.dumps(value, ensure_ascii=False))
