"""What kinds of tasks share that are conditioned on a context (section 2.4)."""

import random
from collections.abc import Iterator

import pandas as pd
from stages.pipeline.stage import UserError
from stages.task._faults import words


def folded(texts: pd.Series) -> pd.Series:
    """Texts without their case and white space."""
    return texts.str.lower().str.split().str.join(" ")


def in_turn(rows: list[dict], count: int, seed: int, task: str) -> Iterator[dict]:
    """`count` contexts, uniformly: each of them once, in random order, before any comes again.

    The i-th is the same whatever `count` is. Raises UserError when there are none.
    """
    rows = list(rows)
    if not rows:
        raise UserError(
            f"task.{task}: no gold context is left for seed data: none of them holds an answer "
            f"that occurs once; give task.{task}.gold.source other rows"
        )
    for i in range(count):
        turn, place = divmod(i, len(rows))
        if place == 0:
            random.Random(f"{seed}/contexts/{turn}").shuffle(rows)
        yield rows[place]


def overlap(text: str, other: str) -> float:
    """The share of a text's distinct words that the other text has too."""
    own = set(words(text))
    return len(own & set(words(other))) / max(1, len(own))
