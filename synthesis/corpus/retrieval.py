"""Questions about another sentence that shares the answer (Fabbri et al., 2020, section 3).

A question that is made of the very sentence that holds the answer repeats its words. Where another text of the corpus
has a sentence with the same answer that says something alike, but not the same, the question is asked about that one.
"""

from __future__ import annotations

from collections import defaultdict

from synthesis.corpus.questions import Pair
from synthesis.tasks import squad

LEAST, MOST = 0.30, 0.95  # token F1 of the two sentences
COMPARED = 20  # sentences that share an answer are compared with so many others at most: linear in the corpus


def retrieve(pairs: list[Pair]) -> list[Pair | None]:
    """For each pair another one, of a sentence that shares its answer; None where there is none that qualifies.

    The question of the first was then asked about a sentence that was retrieved for that of the second.
    """
    sharing = defaultdict(list)
    for place, pair in enumerate(pairs):
        if pair.answer not in ("yes", "no"):
            sharing[squad.normalised(pair.answer)].append(place)
    found: list[Pair | None] = [None] * len(pairs)
    for places in sharing.values():
        for rank, place in enumerate(places):
            steps = range(1, min(COMPARED, len(places) - 1) + 1)
            others = (pairs[places[(rank + step) % len(places)]] for step in steps)
            found[place] = next((other for other in others if qualifies(pairs[place], other)), None)
    return found


def qualifies(one: Pair, other: Pair) -> bool:
    """Whether a sentence is of another text, and like this one, but not too much."""
    return one.text != other.text and LEAST <= squad.f1(one.sentence, [other.sentence]) <= MOST
