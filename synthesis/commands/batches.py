"""`synthesis batches`: the batches of the provider openai-batch that are open at the endpoint."""

import asyncio
from importlib import import_module
from typing import Annotated

from typer import Argument, Typer

app = Typer(help="List or cancel open batches of the provider openai-batch.")


@app.command("list")
def show() -> None:
    """List the batches whose answers are not in the response store yet.

    Example: synthesis batches list
    """
    _manage(None)


@app.command()
def cancel(
    ids: Annotated[list[str] | None, Argument(metavar="ID", help="Only these; by default all.")] = None,
) -> None:
    """Cancel open batches. What is answered by then is paid for, and the next run keeps it.

    Example: synthesis batches cancel batch_6733
    """
    _manage(ids or [])


def _manage(ids: list[str] | None) -> None:
    from synthesis import params

    provider = import_module("synthesis.providers.openai-batch")  # not a name that an import statement can have
    asyncio.run(provider.manage(params.load(), ids))
