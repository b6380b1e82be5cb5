"""`synthesis new-task`: a task of your own."""

from typing import Annotated

from typer import Argument, Option

from synthesis import UserError


def new_task(
    name: Annotated[str, Argument(metavar="NAME", help="What to call it: lower-case letters, digits and _.")],
    gold: Annotated[
        str,
        Argument(
            metavar="GOLD",
            help="Its gold rows: a CSV, TSV, JSON, JSONL or Parquet file, or an id of the Hugging Face hub.",
        ),
    ],
    kind: Annotated[
        str,
        Option(
            help="What is learned: classification (of texts), pair (of texts), span_qa (answers in a text), or seq2seq "
            "(to write texts)."
        ),
    ] = "classification",
    column: Annotated[
        list[str] | None,
        Option(
            metavar="OURS=THEIRS", help="What the file calls one of the kind's columns, such as text=body. Repeatable."
        ),
    ] = None,
    writes: Annotated[
        str | None,
        Option(metavar="WHAT", help="(seq2seq) What the teacher writes: target (by default), source, or both."),
    ] = None,
) -> None:
    """Set up a task of your own from a file of gold rows.

    It gets a section in params.yaml, prompts to edit, and a copy of the file. The kinds and their columns:
    classification has text and label; pair has premise, hypothesis (or question) and label; span_qa has context,
    question, answer and perhaps answer_start; seq2seq has source and target. See docs/tasks.md.

    Example: synthesis new-task tickets PATH/tickets.csv --column text=body --column label=queue
    """
    import yaml

    from synthesis import scaffold

    columns = renamed(column)
    task, rows, prompts = scaffold.create(name, gold, kind, columns, writes)
    print(f"task `{name}`: {rows} gold rows, {', '.join(task.fields)}\nNow edit")
    print(f"  {prompts}/*.md  say what your texts are")
    print(f"  data/gold/{name}/README.md  where the gold rows come from")
    entry = yaml.safe_dump([name]).strip()
    print(f"  params.yaml  `tasks`: add `{entry}`; `task.{name}`: budget, test_rows, seed_rows;")
    print("               `teacher`: the model that writes, or `templates` for the template teacher")
    if names := task.settings.gold.labels:
        print(f"               `task.{name}.gold.labels`: the names of {', '.join(names)}, which the teacher is told")
    print(f"then run  dvc repro gold@{name} baseline@{name}  which costs nothing, and  dvc repro  for the whole")
    print("Experiments (dvc exp run, synthesis study) see only what git knows: before the first one")
    print(f"  git add data/gold/{name} prompts/{name} params.yaml")


def renamed(words: list[str] | None) -> dict[str, str]:
    """What a file calls our columns, by words OURS=THEIRS. Raises UserError for other words, and for a column twice."""
    names = {}
    for word in words or []:
        ours, _, theirs = word.partition("=")
        if not theirs:
            raise UserError(f"--column {word}: write OURS=THEIRS, such as text=body")
        if names.setdefault(ours.lower(), theirs) != theirs:
            raise UserError(f"--column {word}: `{ours}` is called `{names[ours.lower()]}` already: name it once")
    return names
