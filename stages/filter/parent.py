"""Extrapolations that nearly repeat the error that the prompt showed. Rows that no prompt made are not looked at."""

from collections.abc import Iterator

from stages.filter.grams import similarity
from stages.filter.rows import Rows


def find(new: Rows, old: Rows, gold: dict[str, Rows], setting: float) -> Iterator[tuple[int, str, str]]:
    errors = dict(zip(gold["validation"].ids, gold["validation"].texts, strict=True))
    shown = (new.table["parent"] != "") & (new.table["prompt"] != "")
    for place in new.left:
        parent = new.table["parent"].iat[place]
        if shown.iat[place] and similarity(new.texts[place], errors[parent]) >= setting:
            yield place, "copy of its error", parent
