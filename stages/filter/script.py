"""Rows in a script that no gold row is written in. Languages of one script are not told apart."""

import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import cache

from stages.filter.rows import Rows

JAPANESE = {"HIRAGANA", "KATAKANA"}  # written among Chinese characters, in any share


def find(new: Rows, old: Rows, gold: dict[str, Rows], setting: bool) -> Iterator[tuple[int, str, str]]:
    known = set(map(main_script, gold["validation"].texts))
    for place in new.left:
        if (script := main_script(new.texts[place])) and script not in known:
            yield place, "other script", ""


def main_script(text: str) -> str:
    """The script that most letters are of; nothing without letters."""
    if text.isascii():
        return "LATIN" if any(map(str.isalpha, text)) else ""
    counts = Counter(script(letter) for letter in text if letter.isalpha())
    return counts.most_common(1)[0][0] if counts else ""


@cache
def script(letter: str) -> str:
    """The first word of the letter's Unicode name."""
    name = unicodedata.name(letter, "").split(" ")[0]
    return "CJK" if name in JAPANESE else name
