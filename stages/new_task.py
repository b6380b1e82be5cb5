"""Scaffold a task of your own: its params, prompts and a place for its gold rows.

make new-task NAME=tickets GOLD=PATH/tickets.csv TEXT=body LABEL=queue      (or a hub id: GOLD=owner/name)
make new-task NAME=claims KIND=pair GOLD=PATH/claims.csv PREMISE=article HYPOTHESIS=claim LABEL=verdict
make new-task NAME=answers KIND=pair GOLD=PATH/answers.csv PREMISE=sentence QUESTION=question LABEL=label
make new-task NAME=manuals KIND=span_qa GOLD=PATH/manuals.jsonl CONTEXT=page QUESTION=question ANSWER=answer
"""

import re
import shutil
from pathlib import Path

from ruamel.yaml import YAML

from stages import source
from stages import task as tasks
from stages.pipeline import params as parameters
from stages.pipeline import table
from stages.pipeline.stage import UserError, run


def main(name: str, gold: str, kind: str, *columns: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name == "gold":
        raise UserError(
            "NAME must be lower-case letters, digits and _ and start with a letter: make new-task NAME=tickets"
        )
    if not gold:
        raise UserError("GOLD is missing: make new-task NAME=... GOLD=a CSV, JSONL or Parquet file, or a hub id")
    params = parameters.load()
    if name in params.task:
        raise UserError(f"params.yaml has a task `{name}` already")
    folder, prompts = Path("data/gold") / name, Path("prompts") / name / params.prompts
    if prompts.exists():
        raise UserError(f"{prompts} exists already: remove it or choose another NAME")
    rows = source.read(gold, "train")
    task, settings = described(name, gold, kind, named(columns), params, rows)
    folder.mkdir(parents=True, exist_ok=True)
    if Path(gold).is_file():
        kept = folder / Path(gold).name
        if not (kept.exists() and kept.samefile(gold)):
            shutil.copyfile(gold, kept)
        settings["gold"]["source"] = kept.as_posix()
    (folder / "README.md").write_text(f"# {name}\n\nSource, licence and meaning of `{settings['gold']['source']}`.\n")
    shutil.copytree(Path("prompts/_new") / (f"{kind}_question" if asks(task) else kind), prompts)
    _add(name, settings)
    print(f"task `{name}`: {len(rows)} gold rows, {', '.join((*task.columns, *task.targets))}\nNow edit")
    print(f"  {prompts}/*.md  say what your texts are")
    print(f"  {folder}/README.md  where the gold rows come from")
    print(f"  params.yaml  `tasks`: add `- {name}`; `task.{name}`: budget, test_rows, seed_rows;")
    print("               `teacher.provider: openai` and a model, or `templates` for the template teacher")
    print(f"then run  dvc repro gold@{name} baseline@{name}  which costs nothing, and  dvc repro  for the whole")


def named(columns: tuple[str, ...]) -> dict[str, str]:
    """`TEXT=body` as {"text": "body"}."""
    pairs = (column.partition("=") for column in columns)
    return {ours.lower(): theirs for ours, _, theirs in pairs if theirs}


def described(name: str, gold: str, kind: str, columns: dict, params, rows) -> tuple:
    """The task and its params, once its gold rows are what the kind needs. Raises UserError for what they lack."""
    settings = {
        "kind": kind,
        "gold": {
            "source": gold,
            "test": None,
            "columns": columns,
            "labels": {},
            "budget": None,
            "test_rows": max(len(rows) // 3, 1),
            "overlap": "error",
        },
        "seed_rows": 500,
        "templates": None,
        "words": {},
        "answers": None,
        "card": {"language": None, "license": None, "gold_license": None},
    }
    entry = parameters.Task.model_validate(settings)
    task = tasks.load(name, params.model_copy(update={"task": {name: entry}}))
    ours = (*task.columns, *task.targets)
    for column in columns:
        if column not in ours:
            said = ", ".join(f"{one.upper()}=..." for one in ours)
            raise UserError(f"{column.upper()}=...: a task of kind {kind} has no `{column}` (it has {said})")
    for column in ours:
        theirs = columns.setdefault(column, column)
        if theirs in rows.columns:
            continue
        if column in task.optional and theirs == column:
            del columns[column]
            continue
        there = ", ".join(map(str, rows.columns))
        raise UserError(f"{gold} has no column `{theirs}` (there: {there}): say which one by {column.upper()}=...")
    settings["gold"]["columns"] = {column: columns[column] for column in ours if column in columns}
    task.verified(rows.rename(columns={theirs: ours for ours, theirs in columns.items()}), gold, None)
    if task.learner == "span":
        settings["answers"] = "gold"
    return task, settings


def asks(task) -> bool:
    """Whether a pair's second text is a question, which needs prompts of its own."""
    return task.columns == ("premise", "question")


def _add(name: str, task: dict) -> None:
    """Put the task under `task:` in params.yaml, whose comments stay."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    content = yaml.load(parameters.FILE.read_text(encoding="utf-8"))
    content["task"].insert(0, name, task)  # the last entry holds the blank line before the next section
    with table.whole(parameters.FILE) as draft, draft.open("w", encoding="utf-8") as file:
        yaml.dump(content, file)


if __name__ == "__main__":
    run(main)
