"""`synthesis serve`: the exported student over HTTP."""

import sys
from typing import Annotated

from typer import Argument, Option


def serve(
    task: Annotated[str, Argument(metavar="TASK", help="A task of params.yaml.")],
    host: Annotated[str, Option(help="The address to listen on; 0.0.0.0 is open to other machines.")] = "127.0.0.1",
    port: Annotated[int, Option(min=0, max=65535, help="The port to listen on; 0 is any that is free.")] = 8080,
    threads: Annotated[
        int | None, Option(min=1, help="That the model uses; by default as many as there are processors.")
    ] = None,
) -> None:
    """Serve what `synthesis export` wrote, until it is stopped.

    POST /predict takes the JSON of text-embeddings-inference. There are /health, /info and /metrics, and at / a page to
    try it.

    Example: synthesis serve reviews --port 8080
    """
    from synthesis import UserError
    from synthesis.models.load import fingerprint
    from synthesis.run import Run

    run = Run.of(task)
    if not run.paths.export.is_dir():
        raise UserError(f"{run.paths.export} is missing: `synthesis export {task}` writes it")
    from synthesis.service import app, engine

    made_of, student = engine.facts(run.paths.export)["student"], run.paths.student
    if student.is_dir() and made_of != fingerprint(str(student)):
        print(f"warning: the export is not of {student} as it is now: run `synthesis export {task}`", file=sys.stderr)
    app.serve(run.paths.export, host, port, threads)
