"""How to get the same rows again."""

from stages.dataset import recipe
from stages.pipeline import table


def facts(run) -> dict:
    name, params = run.task.name, run.params
    settings = params.one(name)
    gold = table.read_json(run.paths.metrics / "gold.json")
    told = {
        "kind": settings.kind,
        "gold rows": recipe.public(settings.gold.source),
        **{f"gold rows of {split}": f"{gold[split]:,}" for split in ("validation", "selection", "test")},
        "teacher": ", ".join(sorted(set(table.read(run.paths.train(run.last)).model))),
        "student": f"{recipe.public(params.student.model)}, {params.student.kind}",
        "prompts": f"prompts/{name}/{params.prompts}/",
        "SHA-256 of the final rows": recipe.sha256(run.paths.train(run.last)),
    }
    return {"told": told, "params": recipe.settings(params), "prompts": recipe.prompts(run.task, params)}
