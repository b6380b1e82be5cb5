"""Publishing: the final data, what was rejected, and the card, to a dataset repository on the Hugging Face hub.

    python -m stages.publish TASK OWNER/NAME [--dry-run] [--gold]

The repository is made if it is missing, and is private until its owner changes that. Gold rows stay here unless --gold
is given.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from huggingface_hub import DatasetCard, HfApi, get_token
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from stages import dataset
from stages import task as tasks
from stages.dataset.recipe import sha256
from stages.pipeline import params as parameters
from stages.pipeline import table
from stages.pipeline.paths import SPLITS, Paths
from stages.pipeline.stage import UserError, run


def main(*words: str) -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.publish", description="Push a task's rows to the hub.")
    parser.add_argument("task", metavar="TASK")
    parser.add_argument("repo", metavar="OWNER/NAME")
    parser.add_argument("--dry-run", action="store_true", help="list what would leave, and send nothing")
    parser.add_argument("--gold", action="store_true", help="the gold rows, too")
    given = parser.parse_args(words)
    try:
        validate_repo_id(given.repo)
    except HFValidationError as error:
        raise UserError(f"`{given.repo}`: {' '.join(str(error).split())}") from None
    if "/" not in given.repo:
        raise UserError(f"`{given.repo}` is not owner/name, a repository of the hub")
    with TemporaryDirectory() as folder:
        lay_out(Path(folder), given.task, given.gold)
        for file in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
            print(f"{file.stat().st_size:>12,}  {file.relative_to(folder).as_posix()}")
        if given.dry_run:
            print(f"nothing was sent to {given.repo}")
        else:
            print(push(folder, given.repo))


def lay_out(folder: Path, name: str, with_gold: bool) -> None:
    """Write to `folder` what is to be published. Raises UserError when gold rows would leave that must not."""
    params, paths = parameters.load(), Paths(name)
    task, last = tasks.load(name, params), params.rounds[-1].next
    rows = table.read(paths.train(last))
    rejected = pd.concat([table.read(paths.rejected(q)) for q in range(last + 1)], ignore_index=True)
    gold = {split: table.read(paths.gold(split)) for split in SPLITS}
    card = checked(paths.card, paths.train(last))
    if not with_gold:
        owned = set(tasks.fingerprints(pd.concat(gold.values()), task))
        if copies := copied(rows, owned, task):
            raise UserError(
                f"{paths.train(last)} row `{rows.id[copies[0]]}` is a gold row word for word ({len(copies)} are): "
                "publish with --gold if their licence lets you, or change the prompt that makes the teacher copy"
            )
        rejected, gold = rejected.drop(index=copied(rejected, owned, task)), {}
    configs = {"default": {"train": rows}, "rejected": {"rejected": rejected}, "gold": gold}
    # The hub's library cannot read a table without rows.
    configs = {config: parts for config, parts in configs.items() if any(len(part) for part in parts.values())}
    for config, parts in configs.items():
        for split, part in parts.items():
            table.write(part, folder / dataset.file(config, split))
    card.data.configs = dataset.listed(configs)
    (folder / "README.md").write_text(str(card), encoding="utf-8")


def copied(rows: pd.DataFrame, owned: set, task) -> list[int]:
    """The places of the rows that are gold rows but for case and white space."""
    return [place for place, mark in enumerate(tasks.fingerprints(rows, task)) if mark in owned]


def checked(file: Path, train: Path) -> DatasetCard:
    """The card, which must be of these very rows, with metadata that the hub can read."""
    try:
        text = file.read_text(encoding="utf-8")
        card = DatasetCard(text)
    except FileNotFoundError:
        raise UserError(f"{file} is missing: the stage `card` writes it, run `dvc repro`") from None
    except ValueError as error:
        raise UserError(f"{file}: {' '.join(str(error).split())}") from None
    if sha256(train) not in text:
        raise UserError(f"{file} is the card of other rows than {train}: run `dvc repro`")
    return card


def push(folder: str, repo: str) -> str:
    """Commit the folder's files and return where. Tables that were published before and are no more go."""
    token = get_token()
    if not token:
        raise UserError("the hub wants a token: `hf auth login`, or HF_TOKEN in the environment")
    api = HfApi(token=token)
    try:
        api.create_repo(repo, repo_type="dataset", private=True, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repo, folder_path=folder, repo_type="dataset", delete_patterns="*.parquet",
            commit_message="Rows and card",
        )  # fmt: skip
    except Exception as error:  # which one depends on the HTTP client that the hub library is built on
        raise UserError(f"{repo}: {' '.join(str(error).split()).replace(token, '***')}") from None
    return commit.commit_url


if __name__ == "__main__":
    run(main)
