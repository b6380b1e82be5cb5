"""Reading texts: words, overlaps, labels in answers, and why the teacher's answer to a context cannot be used.

The rules at the end look at the text, never at the label: what befalls one label more than another is learned by the
student. Each returns the reason, or None.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator

import pandas as pd
import regex

from synthesis import UserError
from synthesis.tasks.words import PART, UNSPACED_CHARACTER, WORD, caseless

SIGN = regex.compile(r"[^\w\s\p{M}\p{Cf}]")
DENIAL = {"not", "no", "never", "neither", "nor", "cannot", "without", "hardly"}  # up to three words before a label
QUOTES = '"', "“”„", "«»"  # not single ones, which are apostrophes too
ECHO = 6  # so many words in a row that only the prompt's own wording has; or twice as many unspaced characters
QUESTION = "?", "？", "؟", "\u037e", "፧", "か。", "か"
ASKING = "who", "what", "when", "where", "which", "why", "how"
UNMARKED = regex.compile(r"[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")  # scripts whose questions need no mark


def words(text: str) -> list[str]:
    """The words of a text, without case."""
    return WORD.findall(caseless(text))


def folded(texts: pd.Series) -> pd.Series:
    """Texts without their case and white space."""
    return texts.str.lower().str.split().str.join(" ")


def asking_word(text: str) -> str:
    """The first word of a question that it asks by, or `other`."""
    return next((word for word in words(text) if word in ASKING), "other")


def merged(rows: pd.DataFrame, same: pd.Series, column: str) -> tuple[pd.DataFrame, dict[str, int]]:
    """Of rows that are the same the first, with the lists of all of them in the column, and how many went.

    `merged` are those that brought something new to the list, `duplicates` the others.
    """
    news, lists = 0, {}
    for key, more in zip(same, rows[column], strict=True):
        if key not in lists:
            lists[key] = list(more)
        elif new := [one for one in more if one not in lists[key]]:
            lists[key] += new
            news += 1
    first = ~same.duplicated()
    rows = rows[first].assign(**{column: pd.Series(lists.values(), index=rows.index[first], dtype=object)})
    return rows, {"duplicates": int((~first).sum()) - news, "merged": news}


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


def parse_label(text: str, names: dict[str, Iterable[str]]) -> str | None:
    """The one label that an answer names by any of its `names`, as a whole, in its first line, or in a sentence.

    A name inside a longer one does not count ("in" of "not in"). None when the answer names no label or several, and
    when it denies one ("not positive", where no label is called so). Signs count where words do not tell labels apart:
    C++ and C#, "?" and "!".
    """
    exact = {label for label, own in names.items() if caseless(text.strip()) in map(caseless, own)}
    if len(exact) == 1:
        return exact.pop()
    signs = _telling_signs(names)
    phrases = {}
    for label, own in names.items():
        for name in own:
            phrases.setdefault(_label_words(name, signs), set()).add(label)
    found = [_labels_in(_label_words(part, signs), phrases) for part in (text.strip().partition("\n")[0], text)]
    return next((labels.pop() for labels in found if len(labels) == 1), None)


def _telling_signs(names: dict[str, Iterable[str]]) -> set[str]:
    """The signs in names that have no words, or the same words as a name of another label."""
    named = [(label, name, _label_words(name)) for label, own in names.items() for name in own]
    labels = Counter(phrase for phrase, _ in {(phrase, label) for label, _, phrase in named})
    unclear = [name for _, name, phrase in named if not phrase or labels[phrase] > 1]
    return {sign for name in unclear for sign in SIGN.findall(name)}


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


def _label_words(text: str, signs: Iterable[str] = ()) -> tuple:
    """The words, and those of the signs, in their order."""
    text = re.sub("n['’]t\\b", " not", caseless(text)).replace("_", " ")
    return tuple(regex.findall("|".join([PART.pattern, *map(regex.escape, sorted(signs))]), text, regex.V1))


# Reasons


def copied(text: str, source: str, reason: str) -> str | None:
    """The text is another one, but for case, white space and punctuation."""
    own, other = (words(one) or one.split() for one in (text, source))
    return reason if own == other else None


def repeats_example(text: str, request) -> str | None:
    """The text is one of the examples that the prompt shows: a gold row would pass for a synthetic one."""
    reasons = (copied(text, example, "equals an example") for example in request.slots.get("examples", ()))
    return next(filter(None, reasons), None)


def unasked(text: str) -> str | None:
    """No question mark at the end; scripts and languages that write none may go without."""
    text = text.rstrip("\"'”’»」』) ")
    return None if text.endswith(QUESTION) or UNMARKED.search(text[-4:]) else "no question mark"


def stray_quote(text: str) -> str | None:
    """A quote at either end of the text that has no partner: half of what enclosed it."""
    for marks in QUOTES:
        ends = text[:1] in marks or text[-1:] in marks
        if text and ends and sum(map(text.count, marks)) % 2:
            return "stray quote"
    return None


def echo(text: str, request) -> str | None:
    """Words of the prompt's own wording, which is neither the data that it shows nor the task's text."""
    values = (value if isinstance(value, list) else [value] for value in request.slots.values())
    shown = " \n ".join(str(value) for each in values for value in each)
    own = _word_runs(request.prompt) - _word_runs(shown)
    return "echo of the prompt" if own & _word_runs(text) else None


def _word_runs(text: str) -> set[tuple[str, ...]]:
    found, runs = words(text), set()
    for at, word in enumerate(found):
        size = 2 * ECHO if UNSPACED_CHARACTER.match(word) else ECHO
        if at + size <= len(found):
            runs.add(tuple(found[at : at + size]))
    return runs
