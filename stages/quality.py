"""Quality of the additional data (section 3.6, Table 6): does an addition extrapolate its error, or only repeat it?

    python -m stages.quality TASK

Each addition that was kept is compared with the gold row that it was extrapolated from, in the column that the teacher
writes. Lengths and edit distance count tokens of the student's tokenizer, as Table 6 does: see docs/data.md.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from stages import task as tasks
from stages.pipeline import params as parameters
from stages.pipeline import table
from stages.pipeline.paths import Paths
from stages.pipeline.stage import run
from stages.student.embedding import embed, pieces

MEASURES = ["cosine", "cosine_others", "edit_distance", "length_error", "length_addition"]


def main(name: str) -> None:
    params, paths = parameters.load(), Paths(name)
    task, last = tasks.load(name, params), params.rounds[-1].next
    rows = table.read(paths.train(last))
    added = rows[rows.parent != ""].reset_index(drop=True)
    errors = table.read(paths.gold("validation")).set_index("id").loc[added.parent].reset_index()
    told = added[["id", "parent", "round"]].assign(**{task.stratum: task.strata(errors)})
    told = told.join(pairs(errors[task.written].tolist(), added[task.written].tolist(), params.student))
    table.write(told, paths.quality)
    rejected = pd.Series({q: len(table.read(paths.rejected(q))) for q in range(1, last + 1)})
    table.write_json(
        {
            **means(told),
            "rejected": int(rejected.sum()),
            "by_round": {
                str(q): {**means(told[told["round"] == q]), "rejected": int(count)} for q, count in rejected.items()
            },
            f"by_{task.stratum}": {stratum: means(group) for stratum, group in told.groupby(task.stratum)},
        },
        paths.metrics / "quality.json",
    )


def pairs(errors: Sequence[str], additions: Sequence[str], student) -> pd.DataFrame:
    """The i-th error and the i-th addition, side by side. `student` (params.Student) names the encoder.

    cosine is that of the mean-pooled encodings. cosine_others is the error's mean cosine with all *other* additions:
    what any two texts of the task have in common in this encoder (NaN for a single pair). edit_distance is
    Levenshtein's, between sequences of tokens; length_error and length_addition count these.
    """
    if not errors:
        return pd.DataFrame(columns=MEASURES, dtype=float)
    from rapidfuzz.distance import Levenshtein

    z_error, z_addition = (embed(texts, student.model, student.max_tokens)[0] for texts in (errors, additions))
    cosine, summed = (z_error * z_addition).sum(axis=1), z_error @ z_addition.sum(axis=0)
    x_error, x_addition = (pieces(texts, student.model) for texts in (errors, additions))
    return pd.DataFrame(
        {
            "cosine": cosine,
            "cosine_others": (summed - cosine) / (len(errors) - 1) if len(errors) > 1 else np.nan,
            "edit_distance": [Levenshtein.distance(*pair) for pair in zip(x_error, x_addition, strict=True)],
            "length_error": [len(tokens) for tokens in x_error],
            "length_addition": [len(tokens) for tokens in x_addition],
        }
    )


def means(rows: pd.DataFrame) -> dict:
    """The number of pairs, and the mean of each measure that there is."""
    return {"pairs": len(rows), **rows[MEASURES].mean().dropna().round(4).to_dict()}


if __name__ == "__main__":
    run(main)
