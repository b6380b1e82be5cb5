"""Quality of additional data (section 3.6, Table 6): do they extrapolate their errors, or only repeat them?

Lengths and edit distance count tokens of the student's tokenizer, as Table 6 does: see docs/data.md.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from synthesis.encoding.embedding import embed, pieces
from synthesis.params import Student as Settings

MEASURES = ["cosine", "cosine_others", "edit_distance", "length_error", "length_addition"]


def compare(errors: Sequence[str], additions: Sequence[str], student: Settings) -> pd.DataFrame:
    """The measures of the i-th error and the i-th addition, side by side. `student` names the encoder.

    cosine is that of the mean-pooled encodings. cosine_others is the error's mean cosine with all *other* additions:
    what any two texts of the task have in common in this encoder (NaN for a single pair). edit_distance is
    Levenshtein's, between sequences of tokens; length_error and length_addition count these.
    """
    if not errors:
        return pd.DataFrame(columns=MEASURES, dtype=float)
    from rapidfuzz.distance import Levenshtein

    error_vectors, vectors = (embed(texts, student.model, student.max_tokens)[0] for texts in (errors, additions))
    cosine, summed = (error_vectors * vectors).sum(axis=1), error_vectors @ vectors.sum(axis=0)
    error_tokens, tokens = (pieces(texts, student.model) for texts in (errors, additions))
    return pd.DataFrame(
        {
            "cosine": cosine,
            "cosine_others": (summed - cosine) / (len(errors) - 1) if len(errors) > 1 else np.nan,
            "edit_distance": [Levenshtein.distance(*pair) for pair in zip(error_tokens, tokens, strict=True)],
            "length_error": [len(ids) for ids in error_tokens],
            "length_addition": [len(ids) for ids in tokens],
        }
    )


def means(pairs: pd.DataFrame) -> dict:
    """The number of pairs, and the mean of each measure that there is."""
    return {"pairs": len(pairs), **pairs[MEASURES].mean().dropna().round(4).to_dict()}
