"""What decided the rows: the parameters and the prompts. The same rows have the same recipe on every machine."""

import hashlib
from pathlib import Path

import yaml

from stages.pipeline.params import Params

# Not base_url and extra: they may tell of the user's endpoint more than is meant for others.
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


def settings(params: Params) -> str:
    """The parameters, as YAML."""
    told = params.model_dump(include=PARAMS)
    told["student"]["model"] = public(params.student.model)
    if params.method.transfer.file:
        told["method"]["transfer"]["file"] = public(params.method.transfer.file)
    return yaml.safe_dump(told, sort_keys=False, allow_unicode=True)


def prompts(task, params: Params) -> dict[str, dict]:
    """By the file's name: text and sha256."""
    return {
        file.name: {"text": file.read_text(encoding="utf-8").strip(), "sha256": sha256(file)}
        for step in task.variables
        if (file := Path("prompts") / task.name / params.prompts / f"{step}.md").is_file()
    }


def public(place: str) -> str:
    """A hub id or a path inside the repository as it is; of a path elsewhere the last part."""
    return Path(place).name if Path(place).is_absolute() else place


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
