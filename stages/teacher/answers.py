"""Answers made fit for use, by rules that hold for every label alike.

What befalls one label more than another (quotes around one class, refusals for one class) is learned by the student
instead of the task.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

LABELS = (
    "review|text|sentence|answer|response|output|utterance|hypothesis|premise|question|query|example|message|comment"
)
THINGS = (
    rf"{LABELS}|statement|paragraph|passage|post|story|description|summary|list|reason|rationale|result|version|sample"
)
SURE = r"(?:sure(?:\ thing)?|certainly|of\ course|absolutely|gladly|okay|ok|alright)"
# "Sure, here is a review:", "Here's the list of reasons:", "Certainly!" on a line of its own
LEAD_IN = re.compile(
    rf"""(?: {SURE}\b [^\n:]{{0,40}}? [!,.] \s* (?:i\ can\ help [^\n:]{{0,60}}? [!.] \s*)?
             (?:here|below|this)\b [^\n:]{{0,200}} :
        | (?:here(?:'s|’s|\ is|\ are) | below\ (?:is|are) | the\ following\ (?:is|are))\b
             [^\n:]{{0,120}} \b(?:{THINGS})s?\b [^\n:]{{0,120}} :
        | {SURE} [!.] [ \t]* (?=\n)
        ) \s* (?=\S)""",
    re.IGNORECASE | re.VERBOSE,
)
# "Review:", "**Movie review 1:**"; not "Title:", which may belong to what was asked for
LABEL = re.compile(rf"[*_#\s]*(?:[\w-]+ ){{0,2}}(?:{LABELS})(?: \w+)?(?: #?\d+)?[*_]*:[*_]*\s*(?=\S)", re.IGNORECASE)
FIELD = re.compile(r"^[*_#\s]*[A-Z][\w ]{0,30}[*_]*:", re.MULTILINE)
ITEM = re.compile(r"^[ \t]*(?:\(?\d{1,3}[.)]|[-*•])[ \t]+", re.MULTILINE)
THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>\s*", re.DOTALL)
FENCE = re.compile(r"```[\w-]*\n(.*?)\n?```", re.DOTALL)
QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "„": "“”", "`": "`"}

# Refusals begin so. A review may well begin with "I'm sorry, but I can't recommend this film".
CANNOT = r"(?:\ can(?:no|['’])t|\ can\ not|\ won['’]t|\ will\ not|(?:\ am|['’]m)\ (?:un|not\ )able)\ (?:to\ )?"
REFUSAL = re.compile(
    rf"""(?: (?: (?:i['’]?m|i\ am)\ (?:(?:very|so)\ )?(?:sorry|afraid) | sorry | i\ apologi[sz]e | unfortunately )
            [^.\n]{{0,60}}? \bi {CANNOT}
            (?:assist|help\ (?:you|with)|fulfill?|comply|provide|create|generate|write|produce|complete|engage|support
            |answer|continue|process|do\ that|accommodate|participate|discuss)\b
        | i {CANNOT}
            (?:assist|help\ (?:you|with)|fulfill?|comply|engage\ in|accommodate
            |(?:create|generate|write|produce|provide)\ (?:content|text|material|that\b|this\ type))
        | (?:i['’]?m|i\ am)\ (?:just\ |only\ )?an\ ai\ (?:language\ )?(?:model|assistant)\b
        | as\ an\ ai(?:\ language)?\ (?:model|assistant)\b | as\ an\ ai,?\ i\b | as\ a\ (?:large\ )?language\ model\b
        | i\ (?:must|have\ to)\ (?:respectfully\ )?decline\b )""",
    re.IGNORECASE | re.VERBOSE,
)
# Scripts without spaces between words: each character counts as a word.
WORD = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]|[^\W\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]+")

DENIAL = {"not", "no", "never", "neither", "nor", "cannot", "without", "hardly"}  # up to three words before a label

MARKER = re.compile(
    r"""[*_]{0,2} (?: \(?\d{1,3}[.):\]] | \(?(?:[a-z]|[ivx]{2,4})[.)] | [-*•‣◦·–—+]
        | (?:reason|rationale|point|feature|aspect|factor|item)\s*\#?\d+\s*[.:)-] ) (?:[*_]{2}(?=\s))? \s+""",
    re.IGNORECASE | re.VERBOSE,
)
INLINE = re.compile(r"(?:^|(?<=\s))\(?(\d{1,2})[.)]\s+")
BOLD = re.compile(r"(?:\*\*|__)(.+?)(?::\s*(?:\*\*|__).*|(?:\*\*|__)(?:\s*[:–—(-].*)?)", re.DOTALL)
EXPLAINED = re.compile(r"(\S+(?: \S+){0,7}?)\s*(?::\s|\s[–—-]\s)\s*\S.*", re.DOTALL)


def clean(text: str, prompt: str) -> str:
    """The answer without thoughts, fences, the prompt's echo, lead-ins, labels, numbering and quotes around it."""
    text, before = text.strip(), None
    while text != before:
        before = text
        for rule in (_thought, _fence, _lead_in, _label, _number, _quotes):
            text = rule(text).strip()
        if prompt and text.startswith(prompt):
            text = text[len(prompt) :].strip()
    return text


def verdict(text: str, finish: str, min_words: int) -> str | None:
    """Why a cleaned answer cannot be used: content_filter, refusal, length, empty or short. None when it can."""
    if finish in ("content_filter", "refusal"):
        return finish
    if not text:
        return "empty"
    if REFUSAL.match(text):
        return "refusal"
    if finish == "length":
        return "length"
    return "short" if len(WORD.findall(text)) < min_words else None


def parse_list(text: str) -> list[str]:
    """The items of a list, whatever its numbering: without markup, explanations and doubles, in their order."""
    found = {}
    for item in _items(text):
        item = _phrase(item)
        if item:
            found.setdefault(item.casefold(), item)
    return list(found.values())


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
            phrases.setdefault(_words(name), set()).add(label)
    found = [_named(_words(part), phrases) for part in (text.strip().partition("\n")[0], text)]
    return next((labels.pop() for labels in found if len(labels) == 1), None)


def _named(words: tuple, phrases: dict[tuple, set]) -> set:
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


def _words(text: str) -> tuple:
    return tuple(WORD.findall(re.sub("n['’]t\\b", " not", text.casefold()).replace("_", " ")))


def _thought(text: str) -> str:
    match = THOUGHT.match(text)
    return text[match.end() :] if match else text


def _fence(text: str) -> str:
    match = FENCE.fullmatch(text)
    return match[1] if match and "```" not in match[1] else text


def _lead_in(text: str) -> str:
    match = LEAD_IN.match(text)
    return text[match.end() :] if match else text


def _label(text: str) -> str:
    """One label before the whole; where several lines have one, they are fields for the task to read."""
    match = LABEL.match(text)
    return text[match.end() :] if match and len(FIELD.findall(text)) < 2 else text


def _number(text: str) -> str:
    """The mark of an item, when the answer is only one."""
    match = ITEM.match(text)
    return text[match.end() :] if match and len(ITEM.findall(text)) == 1 else text


def _quotes(text: str) -> str:
    """Quotes around the whole. Where a quote closes earlier, they are part of the text."""
    opening, closing = text[:1], text[-1:]
    if len(text) < 2 or opening not in QUOTES or closing not in QUOTES[opening]:
        return text
    inner = text[1:-1]
    if opening in "'‘":  # apostrophes stand inside words
        inner = re.sub(r"(?<=\w)['’](?=\w)", "", inner)
    depth = 1
    for letter in inner:
        depth += (letter == opening != closing) - (letter == closing)
        if depth == 0:
            return text
    return text[1:-1] if depth == 1 else text


def _items(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if line.strip()]
    marked = [line for line in lines if MARKER.match(line.strip())]
    if len(marked) > 1 or (marked and len(lines) <= 2 and not _inline(text)):
        # Deeper marks explain the item above; lines without one introduce, explain or close the list.
        depths = [len(line) - len(line.lstrip()) for line in marked]
        top = [line.strip() for line, depth in zip(marked, depths, strict=True) if depth <= min(depths) + 1]
        return [line[MARKER.match(line).end() :] for line in top]
    if inline := _inline(text):
        return inline
    if len(lines) > 1:
        return lines[1:] if lines[0].rstrip("* ").endswith(":") else lines
    for mark in (";", ","):
        parts = [part.strip() for part in text.split(mark)]
        if len(parts) > 1 and (mark == ";" or all(len(part.split()) <= 6 for part in parts)):
            return [*parts[:-1], re.sub(r"^(?:and|or)\s+", "", parts[-1])]
    return [text]


def _inline(text: str) -> list[str]:
    """`1. this 2. that` in one line: the numbers must count up from one."""
    marks = list(INLINE.finditer(text))
    if len(marks) < 2 or [int(mark[1]) for mark in marks] != list(range(1, len(marks) + 1)):
        return []
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return [text[mark.end() : end] for mark, end in zip(marks, ends, strict=True)]


def _phrase(item: str) -> str:
    """`**Great acting**: the cast is superb.` is `Great acting`."""
    item = item.strip()
    if match := BOLD.fullmatch(item) or EXPLAINED.fullmatch(item):
        item = match[1]
    item = re.sub(r"\*\*|__|(?<!\w)[*_`]|[*_`](?!\w)", "", item)
    return _quotes(item.strip().rstrip(".,;:").strip()).strip().rstrip(".,;").strip()
