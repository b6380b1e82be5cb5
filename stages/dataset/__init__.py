"""The data set as it is published: its tables, and the card that tells what they are."""

from pathlib import Path

from jinja2 import Environment, StrictUndefined

CONFIGS = {"default": ["train"], "rejected": ["rejected"]}  # of the hub: its name, its splits
SIZES = (1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")
# What each row carries besides the task's own columns.
PROVENANCE = {
    "id": "the row's name: `seed-12`, or `round1-7` for the eighth row written for round 1",
    "round": "0 for seed data, q for what was extrapolated from the errors of round q - 1",
    "parent": "the id of the gold row that it was extrapolated from; empty for seed data",
    "rationales": "the reasons that the seed prompt named",
    "request": "SHA-256 of the exact request to the teacher",
    "sample": "which answer to that request, where it was asked several times",
    "attempt": "how many answers before this one could not be used",
    "prompt": "SHA-256 of the prompt's text",
    "model": "who wrote it",
    "rejected": "why the row was left out; empty in the training table",
}


def file(config: str, split: str) -> str:
    """Where a table lies in the repository."""
    return f"{config}/{split}.parquet"


def listed(configs: dict) -> list[dict]:
    """The configs as a card's metadata has them: their splits and files."""
    return [
        {"config_name": name, "data_files": [{"split": split, "path": file(name, split)} for split in splits]}
        for name, splits in configs.items()
    ]


def size(rows: int) -> str:
    """The hub's name for so many rows."""
    return next((name for bound, name in SIZES if rows < bound), "1M<n<10M")


def render(facts: dict) -> str:
    """The card. `facts` are the variables of card.md."""
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters["cell"] = cell
    return environment.from_string(Path(__file__).with_name("card.md").read_text(encoding="utf-8")).render(facts)


def cell(text) -> str:
    """A text that stays in its cell of a Markdown table."""
    return " ".join(str(text).split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
