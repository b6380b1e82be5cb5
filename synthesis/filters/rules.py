"""Rules that look at one row, or at rows that are the same: a function for each field of `filters` in params.yaml.

Each yields (place in `new`, reason, twin) for the rows that it leaves out, where `twin` is the id of the row that they
collide with, or nothing. It looks only at rows that no rule before it has left out.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import cache

import numpy as np

from synthesis.filters.grams import similarity
from synthesis.filters.near_duplicates import twins
from synthesis.filters.rows import Rows
from synthesis.tasks.checks import unasked
from synthesis.tasks.words import PART, caseless

OPENING = re.compile(r"[^:：\n]{1,100}(?:[:：]\s|\n)")
SHARED, SHARE = 5, 0.05  # rows that begin alike, at least, and their share
NEARLY_ALL = 0.95  # of the validation rows
JAPANESE = {"HIRAGANA", "KATAKANA"}  # written among Chinese characters, in any share

Rejections = Iterator[tuple[int, str, str]]


def script(new: Rows, old: Rows, gold: dict[str, Rows], setting: bool) -> Rejections:
    """Rows in a script that no gold row is written in. Languages of one script are not told apart."""
    known = set(map(main_script, gold["validation"].texts))
    for place in new.left:
        if (found := main_script(new.texts[place])) and found not in known:
            yield place, "other script", ""


def question(new: Rows, old: Rows, gold: dict[str, Rows], setting: bool) -> Rejections:
    """Rows without a question mark at their end, where nearly all validation rows have one."""
    column = new.task.written
    asked = [unasked(text) is None for text in gold["validation"].table[column]]
    if np.mean(asked) >= NEARLY_ALL:
        for place in new.left:
            if reason := unasked(new.table[column].iat[place]):
                yield place, reason, ""


def lead_in(new: Rows, old: Rows, gold: dict[str, Rows], setting: bool) -> Rejections:
    """Rows with a lead-in, such as "Here is a review:", in whatever language and words.

    It is a beginning up to a colon or the end of a line that many of the new rows share, and no validation row.
    """
    openings = {place: opening(new.table[new.task.written].iat[place]) for place in new.left}
    counts, least = Counter(openings.values()), max(SHARED, SHARE * len(openings))
    known = {"", *map(opening, gold["validation"].table[new.task.written])}
    for place, beginning in openings.items():
        if beginning not in known and counts[beginning] >= least:
            yield place, "lead-in", ""


def length(new: Rows, old: Rows, gold: dict[str, Rows], setting: float) -> Rejections:
    """Rows far outside of gold's lengths: cut answers, lists, essays.

    They are `setting` times shorter than the 1st percentile of the validation rows' words, or longer than the 99th.
    """
    low, high = np.percentile(gold["validation"].words[1], [1, 99])
    lengths = new.words[1].tolist()
    for place in new.left:
        if lengths[place] < low / setting:
            yield place, "too short", ""
        elif lengths[place] > high * setting:
            yield place, "too long", ""


def parent(new: Rows, old: Rows, gold: dict[str, Rows], setting: float) -> Rejections:
    """Extrapolations that nearly repeat the error that the prompt showed. Rows that no prompt made are left alone."""
    errors = dict(zip(gold["validation"].ids, gold["validation"].texts, strict=True))
    shown = (new.table["parent"] != "") & (new.table["prompt"] != "")
    for place in new.left:
        error = new.table["parent"].iat[place]
        if shown.iat[place] and similarity(new.texts[place], errors[error]) >= setting:
            yield place, "copy of its error", error


def duplicate(new: Rows, old: Rows, gold: dict[str, Rows], setting: bool) -> Rejections:
    """Rows that are the same as an earlier one but for case and white space."""
    seen = dict(zip(old.prints, old.ids, strict=True))
    for place in new.left:
        first = seen.setdefault(new.prints[place], new.ids[place])
        if first != new.ids[place]:
            yield place, "duplicate", first


def near_duplicate(new: Rows, old: Rows, gold: dict[str, Rows], setting: float) -> Rejections:
    """Rows that the teacher wrote nearly alike, when it was given the same.

    A small change that makes another label (or, in one context, another answer) true is no duplicate: it is what the
    student has to learn.
    """
    for place, twin in twins(new, old, new.task.others, setting, among=True):
        yield place, "near duplicate", twin


# Those that look at one row alone come first, so that those that compare rows with each other see what is left.
RULES = {
    "script": script,
    "question": question,
    "lead_in": lead_in,
    "length": length,
    "parent": parent,
    "duplicate": duplicate,
    "near_duplicate": near_duplicate,
}


def opening(text: str) -> str:
    """The beginning up to a colon or the end of a line, without case, numbers and marks; nothing without one."""
    match = OPENING.match(text.strip())
    return " ".join(PART.findall(re.sub(r"\d+", "", caseless(match[0])))) if match else ""


def main_script(text: str) -> str:
    """The script that most letters are of; nothing without letters."""
    if text.isascii():
        return "LATIN" if any(map(str.isalpha, text)) else ""
    counts = Counter(_script(letter) for letter in text if letter.isalpha())
    return counts.most_common(1)[0][0] if counts else ""


@cache
def _script(letter: str) -> str:
    """The first word of the letter's Unicode name."""
    name = unicodedata.name(letter, "").split(" ")[0]
    return "CJK" if name in JAPANESE else name
