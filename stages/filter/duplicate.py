"""Rows that are the same as an earlier one but for case and white space."""

from collections.abc import Iterator

from stages.filter.rows import Rows


def find(new: Rows, old: Rows, gold: dict[str, Rows], setting: bool) -> Iterator[tuple[int, str, str]]:
    seen = dict(zip(old.prints, old.ids, strict=True))
    for place in new.left:
        first = seen.setdefault(new.prints[place], new.ids[place])
        if first != new.ids[place]:
            yield place, "duplicate", first
