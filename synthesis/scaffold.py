"""A new task: its section of params.yaml, its prompts, and a place for its gold rows."""

from __future__ import annotations

import filecmp
import re
import shutil
from functools import partial
from pathlib import Path

import pandas as pd
import yaml
from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from synthesis import UserError, files, params, source, tasks
from synthesis.tasks.base import Task
from synthesis.tasks.cells import check_texts

PROMPTS = Path("prompts")
TEMPLATES = PROMPTS / "_new"  # prompts to start from: by kind, and where there are others by what the teacher writes
SHORT = "short"  # the variant for small models, here as in the tasks that ship; all other names start from `full`


def create(
    name: str, gold: str, kind: str, columns: dict[str, str], writes: str | None = None
) -> tuple[Task, int, Path]:
    """Write all that a task needs but its own words. Returns the task, its number of gold rows and its prompts' folder.

    gold: a file or a hub id. columns: this repository's names and the file's, where they differ. writes: what the
    teacher writes, for kinds that have a choice. A file that exists is left alone. Raises UserError, and leaves nothing
    behind, for a name that is taken or none, and for a gold file that lacks what the kind needs.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in ("gold", "teacher"):  # folders of data/
        raise UserError(
            f"`{name}` cannot name a task: use lower-case letters, digits and _, a letter first; and neither "
            "`gold` nor `teacher`"
        )
    settings = params.load()
    if name in settings.task:
        raise UserError(f"params.yaml has a task `{name}` already")
    folder, prompts = Path("data/gold") / name, PROMPTS / name / settings.prompts
    if prompts.exists():
        raise UserError(f"{prompts} exists already: remove it, or choose another name")
    kept = folder / Path(gold).name
    if Path(gold).is_file() and kept.exists() and not filecmp.cmp(kept, gold, shallow=False):
        raise UserError(f"{kept} exists already and is another file: remove it, or give {gold} another name")
    rows = source.read(gold, "train", "GOLD")
    task, section = _describe(name, gold, kind, columns, writes, rows)
    folder.mkdir(parents=True, exist_ok=True)
    if Path(gold).is_file():
        if not kept.exists():
            shutil.copyfile(gold, kept)
        section["gold"]["source"] = kept.as_posix()
    readme = folder / "README.md"
    if not readme.exists():
        files.write_text(f"# {name}\n\nSource, licence and meaning of `{section['gold']['source']}`.\n", readme)
    own = TEMPLATES / "_".join([kind, *task.writes])
    variant = SHORT if settings.prompts == SHORT else "full"
    shutil.copytree((own if own.is_dir() else TEMPLATES / kind) / variant, prompts)
    add(name, section)
    return task, len(rows), prompts


def _describe(
    name: str, gold: str, kind: str, columns: dict[str, str], writes: str | None, rows: pd.DataFrame
) -> tuple[Task, dict]:
    """The task and its section of params.yaml. Raises UserError for what the gold rows lack."""
    section = {
        "kind": kind,
        "gold": {
            "source": gold,
            "test": None,
            "columns": columns,
            "labels": {},
            "budget": None,
            "test_rows": max(len(rows) // 3, 1),
            "overlap": "error",
            "conflicts": "error",
            "unanswerable": "drop",
        },
        "seed_rows": 500,
        "templates": None,
        "words": {},
        "answers": None,
        "writes": writes,
        "pool": None,
        "corpus": None,
        "harm": None,
        "metric": None,
        "student": {},
        "card": {"language": None, "license": None, "gold_license": None},
    }
    try:
        task = tasks.load(name, params.Task.model_validate(section))
    except ValidationError as error:
        raise UserError(params.messages(error)) from None
    if writes:
        task.require("writes", "--writes", "leave it out")
    section["gold"]["columns"] = names = _columns(task, gold, columns, rows)
    check_texts(rows, [names[column] for column in task.columns], gold)
    rows = pd.DataFrame({ours: rows[theirs] for ours, theirs in names.items()})
    section["gold"]["labels"] = task.new_labels(rows, gold, partial(source.class_names, gold))
    section["gold"]["unanswerable"] = "error"  # the stage `gold` says how many there are, and what to do about them
    section |= task.new_settings(rows)
    return tasks.load(name, params.Task.model_validate(section)), section


def _columns(task: Task, gold: str, given: dict[str, str], rows: pd.DataFrame) -> dict[str, str]:
    """The file's name of each of the task's columns and targets. Raises UserError for one that is not there."""
    for column in given:
        if column not in task.fields:
            raise UserError(f"--column {column}=...: a task of kind {task.kind} has only {', '.join(task.fields)}")
    names = {}
    for column in task.fields:
        theirs = given.get(column, column)
        if theirs in rows.columns:
            names[column] = theirs
        elif column in given or column not in task.optional:
            there = ", ".join(map(str, rows.columns))
            raise UserError(f"{gold} has no column `{theirs}` (there: {there}): say which by --column {column}=...")
    return names


def add(name: str, section: dict) -> None:
    """Put the task under `task:` in params.yaml, whose comments stay."""
    writer = YAML()
    writer.preserve_quotes = True
    writer.width = 120
    writer.indent(mapping=2, sequence=4, offset=2)
    content = writer.load(params.FILE.read_text(encoding="utf-8"))
    # not at the end, since the last entry holds the blank line before the next section
    content["task"].insert(0, _quoted(name), _quoted(section))
    with files.whole(params.FILE) as draft, draft.open("w", encoding="utf-8") as file:
        writer.dump(content, file)


def _quoted(value):
    """The same with quotes around every string that YAML 1.1, which `params.load` and DVC read, takes for another kind.

    ruamel writes YAML 1.2, in which no, on and 2024-01-01 are strings.
    """
    if isinstance(value, dict):
        return {_quoted(key): _quoted(part) for key, part in value.items()}
    if not isinstance(value, str):
        return value
    plain = yaml.SafeLoader("").resolve(yaml.ScalarNode, value, (True, False)) == "tag:yaml.org,2002:str"
    return value if plain and value.isprintable() and value.isascii() else DoubleQuotedScalarString(value)
