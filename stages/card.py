"""The dataset card: what the rows are, how they were made, what they are worth and what they must not be used for.

python -m stages.card TASK
"""

import pandas as pd
from huggingface_hub import DatasetCardData

from stages import dataset
from stages import task as tasks
from stages.dataset import recipe
from stages.pipeline import params as parameters
from stages.pipeline import table
from stages.pipeline.paths import Paths
from stages.pipeline.stage import run


def main(name: str) -> None:
    params, paths = parameters.load(), Paths(name)
    task, settings, last = tasks.load(name, params), params.one(name), params.rounds[-1].next
    rows = table.read(paths.train(last))
    combined = [table.read_json(paths.metrics / f"round{q}" / "combine.json") for q in range(last + 1)]
    final, baseline, gold, cost = (
        table.read_json(paths.metrics / f"{file}.json") for file in ("final", "baseline", "gold", "cost")
    )
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
        "recipe": recipe.settings(params),
        "prompts": recipe.prompts(task, params),
        "train": dataset.file("default", "train"),
        "sha256": recipe.sha256(paths.train(last)),
        "source": recipe.public(settings.gold.source),
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


if __name__ == "__main__":
    run(main)
