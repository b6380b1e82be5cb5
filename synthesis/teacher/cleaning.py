"""Answers made fit for use, by rules that hold for every label alike.

What befalls one label more than another (quotes around one class, refusals for one class) is learned by the student
instead of the task.
"""

from __future__ import annotations

import re
from math import inf

from synthesis.tasks.checks import ANY_WORD

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

MARKER = re.compile(
    r"""[*_]{0,2} (?: \(?\d{1,3}[.):\]] | \(?(?:[a-z]|[ivx]{2,4})[.)] | [-*•‣◦·–—+]
        | (?:reason|rationale|point|feature|aspect|factor|item)\s*\#?\d+\s*[.:)-] ) (?:[*_]{2}(?=\s))? \s+""",
    re.IGNORECASE | re.VERBOSE,
)
INLINE = re.compile(r"(?:^|(?<=\s))\(?(\d{1,2})[.)]\s+")
BOLD = re.compile(r"(?:\*\*|__)(.+?)(?::\s*(?:\*\*|__).*|(?:\*\*|__)(?:\s*[:–—(-].*)?)", re.DOTALL)
MARKUP = re.compile(r"\*\*|__|(?<!\w)[*_`]|[*_`](?!\w)")
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
    return "short" if len(ANY_WORD.findall(text)) < min_words else None


def parse_list(text: str) -> list[str]:
    """The items of a list, whatever its numbering: without markup, explanations and repetitions, in their order."""
    phrases = {}
    for phrase in map(_phrase, _items(text)):
        phrases.setdefault(phrase.casefold(), phrase)
    return list(filter(None, phrases.values()))


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
    """The items of a list with their markup: marked lines, `1. this 2. that`, plain lines, or `this; that`."""
    lines = [line for line in text.splitlines() if line.strip()]
    marked = [line for line in lines if MARKER.match(line.strip())]
    if len(marked) > 1:
        return _outermost(marked)
    if items := _numbered_inline(text):
        return items
    if marked and len(lines) <= 2:  # one item, perhaps after an introduction
        return _outermost(marked)
    if len(lines) > 1:
        introduced = lines[0].rstrip("* ").endswith(":")
        return lines[introduced:]
    return _separated(text)


def _outermost(marked: list[str]) -> list[str]:
    """The least indented of marked lines, without their marks: deeper ones explain the item above them."""
    depths = [len(line) - len(line.lstrip()) for line in marked]
    items = [line.strip() for line, depth in zip(marked, depths, strict=True) if depth <= min(depths) + 1]
    return [item[MARKER.match(item).end() :] for item in items]


def _numbered_inline(text: str) -> list[str]:
    """`1. this 2. that` in one line; nothing unless the numbers count up from one."""
    marks = list(INLINE.finditer(text))
    if len(marks) < 2 or [int(mark[1]) for mark in marks] != list(range(1, len(marks) + 1)):
        return []
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return [text[mark.end() : end] for mark, end in zip(marks, ends, strict=True)]


def _separated(text: str) -> list[str]:
    """`this; that and more` or `this, that, and more`; a part of many words means that commas separate nothing."""
    for separator, longest in ((";", inf), (",", 6)):
        items = [item.strip() for item in text.split(separator)]
        if len(items) > 1 and all(len(item.split()) <= longest for item in items):
            return [*items[:-1], re.sub(r"^(?:and|or)\s+", "", items[-1])]
    return [text]


def _phrase(item: str) -> str:
    """`**Great acting**: the cast is superb.` is `Great acting`."""
    item = item.strip()
    if explained := BOLD.fullmatch(item) or EXPLAINED.fullmatch(item):
        item = explained[1]
    item = MARKUP.sub("", item).strip().rstrip(".,;:").strip()
    return _quotes(item).strip().rstrip(".,;").strip()
