"""What decided the rows: the parameters and the prompts. The same rows have the same recipe on every machine."""

from pathlib import Path

import yaml

from synthesis import files
from synthesis.params import Params
from synthesis.run import Run
from synthesis.tasks.base import Task

# Not teacher.extra, which may reveal more of the user's endpoint than is meant for others, and not teacher.model, which
# each row names.
PARAMS = {
    "prompts": True,
    "seed": True,
    "gold": True,
    "method": True,
    "filters": True,
    "verify": True,
    "teacher": {"provider", "system", "temperature", "top_p", "max_tokens"},
    "student": True,
}


def settings(run: Run) -> str:
    """The parameters, as YAML; the student is the task's own."""
    params = run.params
    shown = params.model_dump(include=PARAMS) | {"student": run.student.model_dump()}
    shown["student"]["model"] = public(run.student.model)
    for name in ("transfer", "replay"):
        section = shown["method"][name]
        if section and section["file"]:
            section["file"] = public(section["file"])
    return yaml.safe_dump(shown, sort_keys=False, allow_unicode=True)


def prompts(task: Task, params: Params) -> dict[str, dict]:
    """By the file's name: text and sha256."""
    return {
        file.name: {"text": file.read_text(encoding="utf-8").strip(), "sha256": files.sha256(file)}
        for step in task.variables
        if (file := Path("prompts") / task.name / params.prompts / f"{step}.md").is_file()
    }


def public(place: str) -> str:
    """A hub id or a path inside the repository as it is; of a path elsewhere the last part."""
    path = Path(place)
    return path.name if path.is_absolute() or ".." in path.parts else place
