"""Scaffold a task of your own: its params, prompts and a place for its gold rows.

make new-task NAME=tickets GOLD=PATH/tickets.csv        (or a hub id: GOLD=owner/name)
make new-task NAME=tickets GOLD=PATH/tickets.csv TEXT=body LABEL=queue
"""

import re
import shutil
from pathlib import Path

from ruamel.yaml import YAML

from stages import source
from stages.pipeline import params as parameters
from stages.pipeline import table
from stages.pipeline.stage import UserError, run

KIND = "classification"


def main(name: str, gold: str, text: str = "", label: str = "") -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name == "gold":
        raise UserError(
            "NAME must be lower-case letters, digits and _ and start with a letter: make new-task NAME=tickets"
        )
    if not gold:
        raise UserError("GOLD is missing: make new-task NAME=... GOLD=a CSV, JSONL or Parquet file, or a hub id")
    if name in parameters.load().task:
        raise UserError(f"params.yaml has a task `{name}` already")
    rows = source.read(gold, "train")
    columns = {"text": text or "text", "label": label or "label"}
    for ours, theirs in columns.items():
        if theirs not in rows.columns:
            there = ", ".join(map(str, rows.columns))
            raise UserError(f"{gold} has no column `{theirs}` (there: {there}): say which one by {ours.upper()}=...")
    folder, prompts = Path("data/gold") / name, Path("prompts") / name / "s3"
    if prompts.exists():
        raise UserError(f"{prompts} exists already: remove it or choose another NAME")
    folder.mkdir(parents=True, exist_ok=True)
    if Path(gold).is_file():
        kept = folder / Path(gold).name
        if not (kept.exists() and kept.samefile(gold)):
            shutil.copyfile(gold, kept)
        gold = kept.as_posix()
    (folder / "README.md").write_text(f"# {name}\n\nSource, licence and meaning of the labels of `{gold}`.\n")
    shutil.copytree(Path("prompts/_new") / KIND, prompts)
    labels = rows[columns["label"]].nunique()
    _add(
        name,
        {
            "kind": KIND,
            "gold": {
                "source": gold,
                "test": None,
                "columns": columns,
                "labels": {},
                "budget": None,
                "test_rows": max(len(rows) // 3, labels),
                "overlap": "error",
            },
            "seed_rows": 500,
            "templates": None,
            "words": {},
        },
    )
    print(f"task `{name}`: {len(rows)} gold rows, {labels} labels\nNow edit")
    print(f"  {prompts}/*.md  say what your texts are; {{{{ label }}}} shows a label's name")
    print(f"  {folder}/README.md  where the gold rows come from")
    print(f"  params.yaml  `tasks`: add `- {name}`; `task.{name}`: budget, test_rows, seed_rows;")
    print("               `teacher.provider: openai` and a model (the template teacher has no grammar for this task)")
    print(f"then run  dvc repro gold@{name} baseline@{name}  which costs nothing, and  dvc repro  for the whole")


def _add(name: str, task: dict) -> None:
    """Put the task under `task:` in params.yaml, whose comments stay."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    content = yaml.load(parameters.FILE.read_text(encoding="utf-8"))
    content["task"][name] = task
    with table.whole(parameters.FILE) as draft, draft.open("w", encoding="utf-8") as file:
        yaml.dump(content, file)


if __name__ == "__main__":
    run(main)
