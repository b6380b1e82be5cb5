"""`synthesis tune`: what a teacher at an endpoint is fine-tuned on."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def tune(
    export: Annotated[Path, Option(metavar="FILE", dir_okay=False, help="The file to write, a chat a line.")],
    task: Annotated[str | None, Argument(metavar="TASK", help="By default the first that params.yaml runs.")] = None,
) -> None:
    """Write the lessons of a tuned teacher, for an endpoint.

    The lines are chats as OpenAI's fine-tuning takes them: the repository's own prompts, answered by validation rows.
    Upload the file, and set teacher.model to the name of the model that came back. A model on this machine is tuned by
    `dvc repro` with teacher.tune: gold.

    Example: synthesis tune reviews --export tuning.jsonl
    """
    import json

    from synthesis import files, params
    from synthesis.run import Run
    from synthesis.tuning.lessons import exchanges

    settings = params.load()
    run = Run.of(task or settings.tasks[0], settings)
    found = exchanges(run, files.read(run.paths.gold("validation")), files.read_json(run.paths.labels))
    lines = [{"messages": each.messages(settings.teacher.system)} for each in found]
    files.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), export)
    print(f"{export}: {len(lines):,} chats of the validation rows of {run.task.name}")
