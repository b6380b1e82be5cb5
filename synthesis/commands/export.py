"""`synthesis export`: the student as ONNX."""

from typing import Annotated

from typer import Argument, Option


def export(
    task: Annotated[str, Argument(metavar="TASK", help="A task of params.yaml.")],
    int8: Annotated[
        bool,
        Option(
            "--int8",
            help="Layers of 8 bits: smaller, and about twice as fast; but what else is in a batch then changes the "
            "answers a little. Refused where less than 98% of the answers to selection rows stay the same.",
        ),
    ] = False,
) -> None:
    """Write the student that ships as ONNX, to run without torch.

    data/TASK/export holds the model, its tokenizer, what else is to be known (export.json), and what an image is built
    from: `docker build data/TASK/export`. Whether it answers as the student does is measured on selection rows.

    Example: synthesis export reviews
    """
    from synthesis import export as exporting
    from synthesis.run import Run

    run = Run.of(task)
    print(exporting.summary(run.paths.export, exporting.export(run, int8)))
