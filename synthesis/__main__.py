"""The command line: `synthesis COMMAND`, or `python -m synthesis COMMAND` for the code of the current folder."""

import sys

import typer

from synthesis import UserError
from synthesis.commands import (
    batches,
    compare,
    estimate,
    export,
    lineage,
    mine_feedback,
    new_task,
    predict,
    publish,
    serve,
    store,
    study,
    tune,
    worth,
)

app = typer.Typer(
    help="What goes with the pipeline that `dvc repro` runs. `synthesis COMMAND --help` explains a command.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(new_task.new_task)
app.command()(estimate.estimate)
app.command()(tune.tune)
app.command()(worth.worth)
app.command()(compare.compare)
app.command()(study.study)
app.command()(lineage.lineage)
app.command()(predict.predict)
app.command()(export.export)
app.command()(serve.serve)
app.command()(publish.publish)
app.command()(mine_feedback.mine_feedback)
app.add_typer(store.app, name="store")
app.add_typer(batches.app, name="batches")


def main() -> None:
    """Run a command. Whatever the user can mend becomes one line and exit code 1."""
    try:
        code = app(sys.argv[1:] or ["--help"], prog_name="synthesis", standalone_mode=False)
    except UserError as error:
        sys.exit(f"error: {error}")
    except typer.TyperException as error:  # wrong usage
        command = error.ctx.command_path if error.ctx else "synthesis COMMAND"  # none for an option without a value
        sys.exit(f"error: {error.format_message().rstrip('.')}: see `{command} --help`")
    sys.exit("stopped" if code == INTERRUPTED else 0)


INTERRUPTED = 130  # what typer makes of Ctrl-C


if __name__ == "__main__":
    main()
