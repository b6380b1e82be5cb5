"""What the teacher's answers and training cost."""

from stages.page import cells
from stages.page.cells import Number, Table

COUNTS = "calls", "cached", "tokens_in", "tokens_out"
METHODS = {"s3": "S3", "zerogen": "ZeroGen, as many rows"}


def facts(run) -> dict:
    return {
        "teacher": Table(
            "The teacher's answers, by stage",
            ["stage", "calls", "from the store", "tokens in", "tokens out", "dollars", "seconds"],
            [
                [
                    stage,
                    *(cells.count(usage[key]) for key in COUNTS),
                    cells.dollars(usage["dollars"]),
                    cells.decimal(usage["seconds"], 1),
                ]
                for stage, usage in run.cost.items()
            ],
        ),
        "training": Table(
            "Training, in floating-point operations",
            ["method", "fits", "records", "tokens", "operations", "by the paper's formula"],
            [
                [
                    told,
                    *(cells.count(run.compute[method][key]) for key in ("fits", "records", "tokens")),
                    *(_operations(run.compute[method][key]) for key in ("flops", "flops_by_the_paper")),
                ]
                for method, told in METHODS.items()
            ],
        ),
        "ratio": f"{run.compute['ratio_of_flops']:.2f}",
    }


def _operations(value: int) -> Number:
    return Number(f"{value:.2e}", value)
