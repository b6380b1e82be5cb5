"""Publishing on the Hugging Face hub: the final data, what was rejected, and the card, as a dataset repository; or the
student and its card, as a model repository.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
from huggingface_hub import DatasetCard, HfApi, get_token
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from synthesis import UserError, files, student_card
from synthesis import card as dataset
from synthesis.models.load import fingerprint
from synthesis.run import Run


def check_name(repo: str) -> None:
    """Raise UserError when it is not the name of a repository of the hub, owner/name."""
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise UserError(f"`{repo}`: {' '.join(str(error).split())}") from None
    if "/" not in repo:
        raise UserError(f"`{repo}` is not owner/name, a repository of the hub")


def lay_out(folder: Path, run: Run, with_gold: bool) -> None:
    """Write to `folder` what is to be published. Raises UserError when gold rows would leave that must not."""
    rows, rejected = files.read(run.paths.train(run.last)), files.read(run.paths.rejected(run.last))
    gold, card = run.gold(), _card(run)
    if not with_gold:
        own = run.task.fingerprints(pd.concat(gold.values()), whole=True)
        copies = rows.id[run.task.fingerprints(rows, whole=True).isin(own)]
        if not copies.empty:
            raise UserError(
                f"{run.paths.train(run.last)} row `{copies.iloc[0]}` is a gold row word for word ({len(copies)} are): "
                "publish with --gold if their licence lets you, or change the prompt that makes the teacher copy"
            )
        rejected, gold = rejected[~run.task.fingerprints(rejected, whole=True).isin(own)], {}
    tables = {"default": {"train": rows}, "rejected": {"rejected": rejected}, "gold": gold}
    # The hub's library cannot read a table without rows.
    tables = {config: splits for config, splits in tables.items() if any(len(table) for table in splits.values())}
    for config, splits in tables.items():
        for split, table in splits.items():
            files.write(table, folder / dataset.table_path(config, split))
    card.data.configs = dataset.configs(tables)
    (folder / "README.md").write_text(str(card), encoding="utf-8")


def _card(run: Run) -> DatasetCard:
    """The card, which must be of these very rows, with metadata that the hub can read."""
    file, train = run.paths.card, run.paths.train(run.last)
    try:
        text = file.read_text(encoding="utf-8")
        card = DatasetCard(text)
    except FileNotFoundError:
        raise UserError(f"{file} is missing: the stage `card` writes it, run `dvc repro`") from None
    except ValueError as error:
        raise UserError(f"{file}: {' '.join(str(error).split())}") from None
    if files.sha256(train) not in text:
        raise UserError(f"{file} is the card of other rows than {train}: run `dvc repro`")
    return card


def lay_out_student(folder: Path, run: Run, repo: str) -> None:
    """Write to `folder` the student that ships, its ONNX where there is one, and its card.

    What `transformers.pipeline` loads has its calibration in its weights. Raises UserError where nobody could load what
    would be published.
    """
    from synthesis.service import engine
    from synthesis.students import saved

    paths, name = run.paths, run.task.name
    kept = saved.facts(paths.student, name)
    student = saved.load(paths.student, kept.student)
    made_of = engine.facts(paths.export)["student"] if paths.export.is_dir() else ""
    exported, pipeline = made_of == fingerprint(str(paths.student)), getattr(student, "pipeline", None)
    if not exported and not pipeline and hasattr(student, "graph"):
        raise UserError(
            f"a student of kind {kept.student} is published as ONNX, and {paths.export} is "
            f"{'that of another student' if made_of else 'missing'}: run `synthesis export {name}`"
        )
    if pipeline:
        if kept.labels:
            student.calibrate(kept.calibration)
        saved.save(student, run.task, folder)
    else:
        files.copy(paths.student, folder)
    if exported:
        # Without what Python and people leave there: compiled code names folders of this machine.
        shutil.copytree(paths.export, folder / "onnx", ignore=shutil.ignore_patterns("__pycache__", ".*"))
    text = student_card.render(run, kept, repo, student if pipeline else None, exported)
    (folder / "README.md").write_text(text, encoding="utf-8")


def push(folder: Path, repo: str, kind: str = "dataset") -> str:
    """Commit the folder's files to a repository of this kind and return where.

    Tables, or a student's weights, settings and export, that were published before and are no more are deleted.
    """
    token = get_token()
    if not token:
        raise UserError("the hub wants a token: `hf auth login`, or HF_TOKEN in the environment")
    api = HfApi(token=token)
    try:
        api.create_repo(repo, repo_type=kind, private=True, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repo,
            folder_path=folder,
            repo_type=kind,
            delete_patterns="*.parquet" if kind == "dataset" else ["*.safetensors", "*.json", "onnx/*"],
            commit_message="Rows and card" if kind == "dataset" else "Student and card",
        )
    except Exception as error:  # which one depends on the HTTP client that the hub library is built on
        raise UserError(f"{repo}: {' '.join(str(error).split()).replace(token, '***')}") from None
    return commit.commit_url
