"""What training costs in floating-point operations: S3 with its R + 1 fits against ZeroGen with one (appendix B)."""

FLOPS_PER_TOKEN = 6  # and parameter, in training
TOKENS = 512  # the paper's input length, to which its records are padded
PARAMETERS = 66_000_000  # DistilBERT's, the embeddings included


def by_the_paper(records: int) -> int:
    """Appendix B: the operations of training on `records`, a row counted as often as it is learned."""
    return FLOPS_PER_TOKEN * TOKENS * PARAMETERS * records


def compute(rounds: list[dict], final: dict) -> dict:
    """All fits of S3 against one of ZeroGen on as many rows, which costs what the final fit does.

    `rounds` and `final`: records, tokens and flops of one student, as the metrics of training have them. A round that
    converged has no fit. Beside the counted `flops` stand those of appendix B for the same records.
    """
    s3, zerogen = (
        {
            "fits": len(fits),
            "records": (records := sum(fit["records"] for fit in fits)),
            "tokens": sum(fit["tokens"] for fit in fits),
            "flops": sum(fit["flops"] for fit in fits),
            "flops_by_the_paper": by_the_paper(records),
        }
        for fits in ([fit for fit in (*rounds, final) if fit["records"]], [final])
    )
    ratios = {f"ratio_of_{key}": round(s3[key] / zerogen[key], 4) for key in ("flops", "flops_by_the_paper")}
    return {"s3": s3, "zerogen": zerogen, **ratios}
