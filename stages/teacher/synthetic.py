"""The rows that the teacher writes, with their provenance."""

import pandas as pd

PROVENANCE = ["request", "sample", "attempt", "prompt", "model", "rejected"]


def provenance(answer) -> dict:
    """Where a row comes from: the answer's key in the store (request, sample, attempt), the prompt's hash, the model.

    `rejected` is empty, or the reason why the answer cannot be used.
    """
    return {
        "request": answer.request,
        "sample": answer.sample,
        "attempt": answer.attempt,
        "prompt": answer.prompt,
        "model": answer.model,
        "rejected": answer.rejected or "",
    }


def rows(task, wanted: list[dict], answers: list, q: int) -> pd.DataFrame:
    """Round q's rows: the task's columns and targets, `parent` (the gold id extrapolated from) and `rationales`."""
    name = f"round{q}" if q else "seed"
    written = [
        {
            "id": f"{name}-{i}",
            **task.answered(answer.text, row),
            "round": q,
            "parent": row.get("parent", ""),
            "rationales": row.get("rationales", []),
            **provenance(answer),
        }
        for i, (row, answer) in enumerate(zip(wanted, answers, strict=True))
    ]
    columns = ["id", *task.columns, *task.targets, "round", "parent", "rationales", *PROVENANCE]
    return pd.DataFrame(written, columns=columns)
