"""`synthesis store`: the response store."""

import json
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

from typer import Argument, Option, Typer

from synthesis import UserError

app = Typer(help="Look after the response store: the answers paid for.")


@app.command()
def info() -> None:
    """Print where the store is, and how much it holds.

    Example: synthesis store info
    """
    with _store() as store:
        print(json.dumps(store.info(), indent=2))


@app.command()
def prune(
    older_than: Annotated[
        float | None, Option(metavar="DAYS", min=0, help="Those that were not used for so many days.")
    ] = None,
    model: Annotated[str | None, Option(metavar="NAME", help="Those that this model wrote.")] = None,
) -> None:
    """Delete answers, by age, by model, or by both together.

    Example: synthesis store prune --older-than 30
    """
    if older_than is None and model is None:
        raise UserError("say which answers to delete, by --older-than DAYS, --model NAME, or both")
    with _store() as store:
        print(f"{store.prune(older_than, model)} deleted", file=sys.stderr)


@app.command()
def export(
    file: Annotated[
        Path,
        Argument(metavar="FILE", dir_okay=False, help="A file of JSON lines; gzip packs it when it ends in .gz."),
    ],
) -> None:
    """Write all answers to a file, for another machine, a colleague, or data/teacher/ of this repository.

    Example: synthesis store export answers.jsonl
    """
    from synthesis.files import whole
    from synthesis.teacher.exports import open_text

    with _store(file) as store, whole(file) as draft, open_text(draft, "w", file.suffix == ".gz") as lines:
        print(f"{store.export(lines)} exported", file=sys.stderr)


@app.command("import")
def take(
    file: Annotated[Path, Argument(metavar="FILE", dir_okay=False, help="What `synthesis store export` wrote.")],
) -> None:
    """Add the answers of an export. What is in the store already stays as it is.

    Example: synthesis store import answers.jsonl
    """
    from synthesis.teacher.exports import open_text

    with _store(file) as store, open_text(file, "r", file.suffix == ".gz") as lines:
        print(f"{store.take(lines, str(file))} new", file=sys.stderr)


@contextmanager
def _store(file: Path | None = None):
    """The response store. Raises UserError when it cannot be used, or the file that it is read from or written to."""
    from synthesis.teacher.store import Store

    with closing(Store()) as store:
        try:
            yield store
        except (OSError, EOFError, UnicodeDecodeError) as error:
            raise UserError(f"{file}: {error}") from None
