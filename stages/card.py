"""The dataset card: what the rows are, how they were made, what they are worth and what they must not be used for.

python -m stages.card TASK
"""

import hashlib
from pathlib import Path

import pandas as pd
import yaml
from huggingface_hub import DatasetCardData

from stages import dataset
from stages import task as tasks
from stages.pipeline import params as parameters
from stages.pipeline import table
from stages.pipeline.paths import Paths
from stages.pipeline.stage import run

# What decides the rows. Not base_url and extra: they may tell of the user's endpoint more than is meant for others.
RECIPE = {
    "prompts": True,
    "seed": True,
    "gold": True,
    "method": True,
    "filters": True,
    "verify": True,
    "teacher": {"provider", "system", "temperature", "top_p", "max_tokens"},
    "student": True,
}


def main(name: str) -> None:
    params, paths = parameters.load(), Paths(name)
    task, settings, last = tasks.load(name, params), params.one(name), params.rounds[-1].next
    rows = table.read(paths.train(last))
    combined = [table.read_json(paths.metrics / f"round{q}" / "combine.json") for q in range(last + 1)]
    final, baseline, gold, cost = (
        table.read_json(paths.metrics / f"{file}.json") for file in ("final", "baseline", "gold", "cost")
    )
    recipe = params.model_dump(include=RECIPE)
    recipe["student"]["model"] = public(params.student.model)
    facts = {
        "metadata": metadata(name, task, settings.card, len(rows)),
        "name": name,
        "kind": settings.kind,
        "rows": len(rows),
        "rounds": last,
        "given": [f"`{column}`" for column in task.columns[:-1]],  # the teacher writes the last one
        "stratum": task.stratum.replace("_", " "),
        "counts": pd.crosstab(task.strata(rows), rows["round"]),
        "rejected": pd.DataFrame([each["rejected"] for each in combined]).sum().astype(int).to_dict(),
        "leaks": table.read(paths.leaks).query("alarm == 1").says.tolist(),
        "columns": [*task.columns, *task.targets],
        "provenance": dataset.PROVENANCE,
        "metric": task.metric,
        "marks": {"these rows": final, "gold validation rows instead": baseline},
        "gold": gold,
        "cost": cost["total"],
        "models": sorted(set(rows.model)),
        "recipe": yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True),
        "prompts": {
            file.name: {"text": file.read_text(encoding="utf-8").strip(), "sha256": sha256(file)}
            for step in task.variables
            if (file := Path("prompts") / name / params.prompts / f"{step}.md").is_file()
        },
        "train": dataset.file("default", "train"),
        "sha256": sha256(paths.train(last)),
        "source": public(settings.gold.source),
        "license": settings.card.license,
        "gold_license": settings.card.gold_license,
    }
    with table.whole(paths.card) as draft:
        draft.write_text(dataset.render(facts), encoding="utf-8")


def metadata(name: str, task, told, rows: int) -> str:
    """The YAML that the hub reads."""
    data = DatasetCardData(
        pretty_name=name,
        language=told.language,
        license=told.license or "unknown",
        size_categories=[dataset.size(rows)],
        task_categories=[task.category],
        tags=["synthetic", "s3", "dvc"],
        configs=dataset.listed(dataset.CONFIGS),
    )
    return data.to_yaml(line_break="\n")


def public(place: str) -> str:
    """A hub id or a path inside the repository as it is; of a path elsewhere the last part."""
    return Path(place).name if Path(place).is_absolute() else place


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    run(main)
