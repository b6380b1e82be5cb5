"""Extrapolations that nearly repeat the error that the prompt showed."""

from collections.abc import Iterator

from stages.filter.grams import similarity
from stages.filter.rows import Rows


def find(new: Rows, old: Rows, gold: dict[str, Rows], setting: float) -> Iterator[tuple[int, str, str]]:
    errors = dict(zip(gold["validation"].ids, gold["validation"].texts, strict=True))
    for place, parent in enumerate(new.table["parent"]):
        if parent and not new.reasons[place] and similarity(new.texts[place], errors[parent]) >= setting:
            yield place, "copy of its error", parent
