"""The dataset card: what the rows are, how they were made, what they are worth and what they must not be used for."""

from pathlib import Path

import pandas as pd
from huggingface_hub import DatasetCardData
from jinja2 import Environment, StrictUndefined

from synthesis import files
from synthesis.report import recipe
from synthesis.report.tables import in_words
from synthesis.run import Run

TEMPLATE = Path(__file__).with_name("card.md")
TABLES = {"default": ["train"], "rejected": ["rejected"]}  # of the data set: by a config of the hub its splits
SIZES = (1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")
# What each row carries besides the task's own columns.
PROVENANCE = {
    "id": "the row's name: `seed-12`, or `round1-7` for the eighth row written for round 1",
    "round": "0 for seed data, q for what was extrapolated from the errors of round q - 1",
    "parent": "the id of the gold row that it was extrapolated from; empty for seed data",
    "replaces": "the id of the rejected row that it was asked for in the place of; empty where it was none",
    "rationales": "the reasons that the seed prompt named",
    "item": "the place in the answer, from 0, where that is a list of several rows",
    "request": "SHA-256 of the exact request to the teacher",
    "sample": "which answer to that request, where it was asked several times",
    "attempt": "how many answers before this one could not be used",
    "prompt": "SHA-256 of the prompt's text",
    "model": "who wrote it",
    "rejected": "why the row was left out; empty in the training table",
}


def render(run: Run) -> str:
    """The card of a run's final rows. Raises UserError when an earlier stage has not run."""
    task, paths, settings = run.task, run.paths, run.settings
    rows, rejected = files.read(paths.train(run.last)), files.read(paths.rejected(run.last))
    cues = files.read(paths.leaks)
    final, baseline, gold, cost = (
        files.read_json(paths.metrics / f"{name}.json") for name in ("final", "baseline", "gold", "cost")
    )
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {"cell": cell, "count": lambda value: "unknown" if value is None else f"{value:,}"}
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        metadata=metadata(run, len(rows)),
        name=task.name,
        kind=task.kind,
        rows=len(rows),
        rounds=run.last,
        given=[f"`{column}`" for column in task.given],
        stratum=in_words(task.stratum),
        counts=pd.crosstab(task.strata(rows), rows["round"]),
        rejected=rejected.rejected.value_counts().sort_index().to_dict(),
        audited=len(cues) > 0,
        leaks=cues[cues.alarm == 1].says.tolist(),
        columns=task.fields,
        provenance=PROVENANCE,
        metric=task.metric,
        metric_name=in_words(task.metric),
        students={"these rows": final["synthetic"], "gold rows instead": baseline},
        gold=gold,
        cost=cost["total"],
        models=sorted(set(rows.model)),
        recipe=recipe.settings(run),
        prompts=recipe.prompts(task, run.params),
        train=table_path("default", "train"),
        sha256=files.sha256(paths.train(run.last)),
        source=recipe.public(settings.gold.source),
        license=settings.card.license,
        gold_license=settings.card.gold_license,
    )


def metadata(run: Run, rows: int) -> str:
    """The YAML that the hub reads."""
    card = run.settings.card
    data = DatasetCardData(
        pretty_name=run.task.name,
        language=card.language,
        license=card.license or "unknown",
        size_categories=[next((name for limit, name in SIZES if rows < limit), "1M<n<10M")],
        task_categories=[run.task.category],
        tags=["synthetic", "s3", "dvc"],
        configs=configs(TABLES),
    )
    return data.to_yaml(line_break="\n")


def configs(tables: dict) -> list[dict]:
    """The configs as a card's metadata has them, from the splits of each: their names and files."""
    return [
        {"config_name": name, "data_files": [{"split": split, "path": table_path(name, split)} for split in splits]}
        for name, splits in tables.items()
    ]


def table_path(config: str, split: str) -> str:
    """Where a table lies in the data set's repository."""
    return f"{config}/{split}.parquet"


def cell(text) -> str:
    """A text that stays in its cell of a Markdown table."""
    return " ".join(str(text).split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
