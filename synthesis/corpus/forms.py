"""How varied questions are: their forms, and what they ask for."""

from __future__ import annotations

from collections.abc import Iterable
from math import log2

import pandas as pd

ASKING = ("who", "whom", "whose", "what", "which", "when", "where", "why", "how")
LONGER = ("how", "what", "which")  # what follows these tells more: "how many", "what year"
BE_HAVE_DO = ("is", "are", "was", "were", "do", "does", "did", "has", "have", "had")
MODALS = ("can", "could", "will", "would", "may", "might", "must", "shall", "should")


def form(question: str) -> str:
    """The question word with, after "how", "what" and "which", the word that follows; "yes or no"; or "other".

    A question word that is not the first one counts as well: "in what year", "... by whom".
    """
    words = [word.strip(".,;:?!()\"'“”").lower() for word in question.split()]
    if words and words[0] in BE_HAVE_DO + MODALS:
        return "yes or no"
    place = next((place for place, word in enumerate(words) if word in ASKING), None)
    if place is None:
        return "other"
    return " ".join(words[place : place + 2]) if words[place] in LONGER else words[place]


def entropy(values: Iterable[str]) -> float:
    """Of the shares of the values, in bits: 0 when all are the same."""
    shares = pd.Series(list(values), dtype=object).value_counts(normalize=True)
    return round(max(0.0, -sum(share * log2(share) for share in shares)), 4)


def counts(values: pd.Series, most: int | None = None) -> dict[str, int]:
    """How often each value is there, the most frequent first, then by the alphabet; most: so many of them."""
    counted = values.value_counts()
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:most]
    return {value: int(count) for value, count in ordered}


def variety(pairs: pd.DataFrame) -> dict:
    """Counts and entropies (bits) of the forms and entity types of pairs, and distinct answers as a share of the pairs.

    pairs: question, answer, entity, and template where there are any.
    """
    asked = pairs.question.map(form)
    return {
        "forms": counts(asked, 20),
        "form_entropy": entropy(asked),
        "entities": counts(pairs.entity),
        "entity_entropy": entropy(pairs.entity),
        "distinct_answers": round(pairs.answer.nunique() / len(pairs), 4) if len(pairs) else 0.0,
    }
