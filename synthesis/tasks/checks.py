"""Reading texts: words, overlaps, labels in answers, and why the teacher's answer to a context cannot be used.

The rules at the end look at the text, never at the label: what befalls one label more than another is learned by the
student. Each returns the reason, or None.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator

import pandas as pd

from synthesis import UserError

WORD = re.compile(r"\w+(?:['’]\w+)*")
# For scripts without spaces between words: each of their characters counts as a word.
ANY_WORD = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]|[^\W\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]+")
DENIAL = {"not", "no", "never", "neither", "nor", "cannot", "without", "hardly"}  # up to three words before a label
QUOTES = '"', "“”„", "«»"  # not single ones, which are apostrophes too
ECHO = 6  # so many words in a row that only the prompt's own wording has


def words(text: str) -> list[str]:
    """The words of a text, without case."""
    return WORD.findall(text.casefold())


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


def check_filled(rows: pd.DataFrame, columns: Iterable[str], file: str) -> None:
    """Raise UserError when one of the columns has an empty cell. The index numbers the rows of the file."""
    for column in columns:
        blank = rows[column].isna() | (rows[column].astype(str).str.strip() == "")
        if blank.any():
            raise UserError(f"{file} row {blank.idxmax()}: `{column}` is empty")


def check_labels(values: pd.Series, known: Iterable[str], file: str, way_out: str) -> None:
    """Raise UserError when a value is none of the known labels. The index numbers the rows of the file."""
    unknown = ~values.isin(known)
    if unknown.any():
        row = unknown.idxmax()
        there = ", ".join(sorted(known)[:8])
        raise UserError(f"{file} row {row}: unknown label `{values[row]}` (known: {there}): {way_out}")


def parse_label(text: str, names: dict[str, Iterable[str]]) -> str | None:
    """The one label that an answer names by any of its `names`, as a whole, in its first line, or in a sentence.

    A name inside a longer one does not count ("in" of "not in"). None when the answer names no label or several, and
    when it denies one ("not positive", where no label is called so).
    """
    exact = {label for label, own in names.items() if text.strip().casefold() in map(str.casefold, own)}
    if len(exact) == 1:
        return exact.pop()
    phrases = {}
    for label, own in names.items():
        for name in own:
            phrases.setdefault(_label_words(name), set()).add(label)
    found = [_labels_in(_label_words(part), phrases) for part in (text.strip().partition("\n")[0], text)]
    return next((labels.pop() for labels in found if len(labels) == 1), None)


def _labels_in(words: tuple, phrases: dict[tuple, set]) -> set:
    """The labels whose phrases stand in the words outside of longer ones; none when one of them is denied."""
    taken, found = set(), set()
    for phrase in sorted(filter(None, phrases), key=len, reverse=True):
        for at in range(len(words) - len(phrase) + 1):
            place = range(at, at + len(phrase))
            if words[at : at + len(phrase)] == phrase and taken.isdisjoint(place):
                if DENIAL.intersection(words[max(at - 3, 0) : at]):
                    return set()
                taken.update(place)
                found |= phrases[phrase]
    return found


def _label_words(text: str) -> tuple:
    return tuple(ANY_WORD.findall(re.sub("n['’]t\\b", " not", text.casefold()).replace("_", " ")))


# Reasons


def copied(text: str, source: str, reason: str) -> str | None:
    """The text is another one, but for case, white space and punctuation."""
    return reason if words(text) == words(source) else None


def unasked(text: str) -> str | None:
    return None if text.rstrip("\"'”’») ").endswith(("?", "？")) else "no question mark"


def stray_quote(text: str) -> str | None:
    """A quote at either end of the text that has no partner: half of what enclosed it."""
    for marks in QUOTES:
        ends = text[:1] in marks or text[-1:] in marks
        if text and ends and sum(map(text.count, marks)) % 2:
            return "stray quote"
    return None


def echo(text: str, request) -> str | None:
    """Words of the prompt's own wording, which is neither the data that it shows nor the task's text."""
    shown = " \n ".join(str(value) for value in request.slots.values())
    own = _word_runs(request.prompt) - _word_runs(shown)
    return "echo of the prompt" if own & _word_runs(text) else None


def _word_runs(text: str) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[at : at + ECHO]) for at in range(len(found) - ECHO + 1)}
