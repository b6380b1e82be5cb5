"""`synthesis publish`: a task's rows and their card, or its student, to the Hugging Face hub."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from typer import Argument, Option


def publish(
    task: Annotated[str, Argument(metavar="TASK", help="The task.")],
    repo: Annotated[str, Argument(metavar="OWNER/NAME", help="The repository of the hub.")],
    dry_run: Annotated[bool, Option("--dry-run", help="List what would leave this machine, and send nothing.")] = False,
    gold: Annotated[bool, Option("--gold", help="Publish the gold rows as well.")] = False,
    student: Annotated[
        bool, Option("--student", help="Publish the student that ships and its model card, in the place of rows.")
    ] = False,
) -> None:
    """Publish a task's rows, or its student, on the hub.

    The rows, with their dataset card, are the final ones, and those that were rejected; gold rows stay here unless you
    say --gold. A repository of the Hugging Face hub that does not exist is made, private until its owner changes that.
    The hub's token is that of `hf auth login`, or HF_TOKEN.

    With --student it is a model repository: a fine-tuned classifier or a student that writes, which transformers loads,
    or another student, with what `synthesis export` wrote of it; and a card that says how it was made, what it is
    worth, and what gold rows and the teacher contributed.

    Example: synthesis publish reviews me/reviews --dry-run
    """
    from synthesis import UserError
    from synthesis.publish import check_name, lay_out, lay_out_student, push
    from synthesis.run import Run

    check_name(repo)
    if student and gold:
        raise UserError("--gold publishes rows, and --student does not: use one of them")
    with TemporaryDirectory() as name:
        folder = Path(name)
        if student:
            lay_out_student(folder, Run.of(task), repo)
        else:
            lay_out(folder, Run.of(task), gold)
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            print(f"{file.stat().st_size:>12,}  {file.relative_to(folder).as_posix()}")
        print(f"nothing was sent to {repo}" if dry_run else push(folder, repo, "model" if student else "dataset"))
