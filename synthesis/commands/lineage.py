"""`synthesis lineage`: where a synthetic row comes from."""

import json
from typing import Annotated

from typer import Argument, Option

from synthesis import UserError


def lineage(
    row: Annotated[str, Argument(metavar="ROW", help="The row's id, such as seed-12 or round1-7.")],
    task: Annotated[str | None, Argument(metavar="TASK", help="The task; needed where several run.")] = None,
    as_json: Annotated[bool, Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Trace a synthetic row back to what it was made of.

    That is the gold row and the student's wrong answer to it, or the rationales; the prompt; and the teacher's answer
    before it was cleaned. Last comes what became of the row.

    Example: synthesis lineage round1-7
    """
    from synthesis import params
    from synthesis.lineage import Lineage
    from synthesis.run import Run

    settings = params.load()
    if task is None and len(settings.tasks) > 1:
        raise UserError(f"several tasks run ({', '.join(settings.tasks)}): name one after the row")
    steps = Lineage(Run.of(task or settings.tasks[0], settings)).trace(row)
    print(json.dumps(steps, indent=2, ensure_ascii=False) if as_json else text(steps))


def text(steps: dict[str, dict]) -> str:
    """The steps for a terminal. What the teacher or a gold file says must not control it: such letters are escaped."""
    lines = []
    for step, fields in steps.items():
        lines.append(step)
        for name, value in fields.items():
            if isinstance(value, dict):
                value = ", ".join(f"{key} {part}" for key, part in value.items())
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            shown = "".join(map(_printable, shown))
            lines.append(f"    {name}: {shown}".replace("\n", "\n        "))
        lines.append("")
    return "\n".join(lines[:-1])


def _printable(letter: str) -> str:
    return letter if letter.isprintable() or letter == "\n" else ascii(letter)[1:-1]
