"""Why an answer to a prompt with a context cannot be used. Each rule returns the reason, or None.

The rules look at the text, never at the label: what befalls one label more than another is learned by the student.
"""

from __future__ import annotations

import re

from stages.teacher.request import Request

QUOTES = '"', "“”„", "«»"  # not single ones, which are apostrophes too
WORD = re.compile(r"\w+(?:['’]\w+)*")
ECHO = 6  # so many words in a row that only the prompt's own wording has


def words(text: str) -> list[str]:
    return WORD.findall(text.casefold())


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


def echo(text: str, request: Request) -> str | None:
    """Words of the prompt's own wording, which is neither the data that it shows nor the task's text."""
    shown = " \n ".join(str(value) for value in request.slots.values())
    own = _runs(request.prompt) - _runs(shown)
    return "echo of the prompt" if own & _runs(text) else None


def _runs(text: str) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[at : at + ECHO]) for at in range(len(found) - ECHO + 1)}
