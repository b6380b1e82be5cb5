"""The model card: what the student that ships is, how it was made, what it is worth and who contributed what."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import EvalResult, ModelCardData
from jinja2 import Environment, StrictUndefined

from synthesis import files
from synthesis.card import cell
from synthesis.method.mixing import GOLD
from synthesis.models.load import fingerprint
from synthesis.paths import SPLITS
from synthesis.report import recipe, worth
from synthesis.report.results import gather
from synthesis.report.tables import in_words
from synthesis.run import Run
from synthesis.students.base import Student
from synthesis.students.saved import Facts

TEMPLATE = Path(__file__).with_name("student_card.md")
ANSWERS = {"span": "a span of the context", "text": "a text"}


def render(run: Run, kept: Facts, repo: str, student: Student | None, exported: bool) -> str:
    """The card of what ships. Raises UserError when an earlier stage has not run.

    kept: what the student is. student: one that a pipeline of transformers loads; None where none does. exported:
    whether its ONNX lies beside it.
    """
    task, paths, card = run.task, run.paths, run.settings.card
    rows, cues = files.read(paths.train(run.last)), files.read(paths.leaks)
    final, baseline, gold, cost = (
        files.read_json(paths.metrics / f"{name}.json") for name in ("final", "baseline", "gold", "cost")
    )
    model = recipe.public(_settings(run, final["ships"]).model)
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {"cell": cell, "count": lambda value: "unknown" if value is None else f"{value:,}"}
    texts = [f"A {column}." for column in kept.reads]
    asked = tuple(texts) if len(texts) > 1 else texts[0]
    pipeline = student and student.pipeline
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        metadata=_metadata(run, kept, repo, model, final, exported and not pipeline),
        name=task.name,
        kind=task.kind,
        student=kept.student,
        repo=repo,
        reads=" and ".join(f"`{column}`" for column in kept.reads),
        answers=" or ".join(f"`{label}`" for label in kept.labels) or ANSWERS[kept.answer],
        verdict=worth.sentences(gather(run)),
        pipeline=pipeline,
        exported=exported,
        example=repr(student and student.call(asked)),
        asked=repr(asked),
        writes=kept.answer == "text",
        labelled=bool(kept.labels),
        calibration=final.get("calibration"),
        metric=task.metric,
        metric_name=in_words(task.metric),
        students={
            f"{worth.LEARNED[final['ships']]}: this student": final,
            "gold rows alone": baseline | {"synthetic_rows": 0, "gold_rows": baseline["rows"]},
            "synthetic rows alone": final["synthetic"],
        },
        final=final,
        gold=gold,
        cost=cost["total"],
        rows=len(rows),
        models=sorted(set(rows.model)),
        model=model,
        lineage={
            paths.train(run.last).as_posix(): files.sha256(paths.train(run.last)),
            **{paths.gold(split).as_posix(): files.sha256(paths.gold(split)) for split in SPLITS},
            paths.student.as_posix(): fingerprint(str(paths.student)),
            **{f"prompts: {file}": prompt["sha256"] for file, prompt in recipe.prompts(task, run.params).items()},
        },
        recipe=recipe.settings(run),
        audited=len(cues) > 0,
        leaks=cues[cues.alarm == 1].says.tolist(),
        source=recipe.public(run.settings.gold.source),
        license=card.student_license,
        rows_license=card.license,
        gold_license=card.gold_license,
    )


def _settings(run: Run, ships: str):
    """The settings that it was trained with."""
    picked = files.read_json(run.paths.metrics / "baseline.json" if ships == GOLD else run.paths.choice)["picked"]
    return run.student.changed(picked)


def _metadata(run: Run, kept: Facts, repo: str, model: str, final: dict, onnx: bool) -> str:
    """The YAML that the hub reads."""
    task, card = run.task, run.settings.card
    result = EvalResult(
        task_type=task.category,
        dataset_type=task.name,
        dataset_name=f"gold rows of {task.name}",
        dataset_split="test",
        metric_type=task.metric,
        metric_value=final["test"][task.metric],
    )
    data = ModelCardData(
        model_name=repo.rpartition("/")[2],
        language=card.language,
        license=card.student_license or "unknown",
        base_model=model if model.count("/") == 1 else None,
        pipeline_tag=task.category,
        library_name="onnx" if onnx else "transformers",
        tags=["s3", "synthetic", kept.student],
        eval_results=[result],
    )
    return data.to_yaml(line_break="\n")
