"""Answers made fit for use, by rules that hold for every label alike.

What befalls one label more than another (quotes around one class, refusals for one class) is learned by the student
instead of the task.
"""

from __future__ import annotations

import json
import re
from math import inf

from synthesis.tasks.words import PART
from synthesis.teacher.endings import read_ending
from synthesis.teacher.marks import leftover, without_marks
from synthesis.teacher.request import storable

LABELS = (
    "review|text|sentence|answer|response|output|utterance|hypothesis|premise|question|query|example|message|comment"
)
THINGS = (
    rf"{LABELS}|statement|paragraph|passage|post|story|description|summary|list|reason|rationale|result|version|sample"
)
# Nobody but a writer to order names these: a customer too has a message, a question or an output to show.
OWN = r"review|text|sentence|utterance|hypothesis|premise|example|sample|rationale|statement|paragraph|passage"
KINDS = {
    "positive", "negative", "neutral", "mixed", "example", "sample", "generated", "synthetic", "rewritten", "revised",
    "new", "final", "possible", "short", "requested", "another", "a", "an", "the", "your", "some", "one", "of", "for",
    "with", "in", "about", "list",
}  # fmt: skip
SURE = r"(?:sure(?:\ thing)?|certainly|of\ course|absolutely|gladly|okay|ok|alright)"
# "Sure, here is a review:", "Here's the list of reasons:", "Certainly!" on a line of its own
LEAD_IN = re.compile(
    rf"""(?: {SURE}\b [^\n:]{{0,40}}? [!,.] \s* (?:i\ can\ help [^\n:]{{0,60}}? [!.] \s*)?
             (?:here|below|this)\b (?P<sure>[^\n:]{{0,200}}) :
        | (?:here(?:'s|’s|\ is|\ are) | below\ (?:is|are) | the\ following\ (?:is|are))\b
             (?P<named> [^\n:]{{0,120}} \b(?:{THINGS})s?\b ) (?P<more> [^\n:]{{0,120}} ) :
        | {SURE} [!.] [ \t]* (?=\n)
        ) \s* (?=\S)""",
    re.IGNORECASE | re.VERBOSE,
)
# "Review:", "**Movie review 1:**"; not "Title:", which may belong to what was asked for
LABEL = re.compile(
    rf"[*_#\s]*(?P<named>(?:[\w-]+ ){{0,2}}(?:{LABELS}))(?: (?:text|sentence|content|below|[a-z]))?(?: #?\d+)?"
    r"[*_]*:[*_]*\s*(?=\S)",
    re.IGNORECASE,
)
SELF = re.compile(r"\b(?:i|we|it|they) (?:gets?|got|sees?|saw|keeps?|have|had|receive|shows?|showed)\b", re.IGNORECASE)
FIELD = re.compile(r"^[*_#\s]*[A-Z][\w ]{0,30}[*_]*:", re.MULTILINE)
ITEM = re.compile(r"^[ \t]*(?:\(?\d{1,3}[.)]|[-*•])[ \t]+", re.MULTILINE)
# The fenced text, and what the model says after it; a fence may end with the answer.
FENCE = re.compile(r"(```+|~~~+)(?:[\w+#.-]*[ \t]*\n|json\s+)?(?P<text>.*?)(?:\n?\1(?P<after>.*)|$)", re.DOTALL)
JSON = re.compile(
    r"""\{\s*(?: \} | ["'“][^"'”\n]{0,80}["'”]\s*: | [a-z_]\w{0,40}\s*:\s*["'“\[{] ) | \[\s*(?: ["“{] | \] )""",
    re.IGNORECASE | re.VERBOSE,
)
QUOTES = dict(zip("\"'“‘«»‹「『`", "\"'”’»«›」』`", strict=True)) | {"„": "“”"}

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


def clean(text: str, prompt: str, listed: bool = False) -> str:
    """The answer without thoughts, marks, fences, JSON, the prompt's echo, lead-ins, labels, numbering and quotes.

    listed: a list was asked for, so that one in JSON becomes lines.
    """
    text, before = text.strip(), None
    while text != before:
        before = text
        for rule in (without_marks, _fence, _json):
            text = rule(text).strip()
        if listed:
            text = _json_list(text)
        for rule in (_lead_in, _label):
            text = rule(text, prompt).strip()
        for rule in (_number, _quotes):
            text = rule(text).strip()
        if prompt and text.startswith(prompt):
            text = text[len(prompt) :].strip()
    return text


def verdict(text: str, finish: str, min_words: int) -> str | None:
    """Why a cleaned answer cannot be used, as docs/teacher.md lists the reasons; None when it can."""
    ending = read_ending(finish)
    if ending not in ("stop", "length"):
        return ending
    if not text or ("\n" not in text and text.endswith((":", "："))):  # or a lead-in to nothing
        return "empty"
    if REFUSAL.match(text):
        return "refusal"
    if reason := leftover(text):
        return reason
    if ending == "length":
        return "length"
    if JSON.match(text) or _decoded(text) is not None:
        return "json"
    return "short" if len(PART.findall(text)) < min_words else None


def parse_list(text: str) -> list[str]:
    """The items of a list, whatever its numbering: without markup, explanations and repetitions, in their order."""
    phrases = {}
    for phrase in map(_phrase, _items(text)):
        phrases.setdefault(phrase.casefold(), phrase)
    return list(filter(None, phrases.values()))


def _fence(text: str) -> str:
    """What stands in the only fence, which the answer begins with."""
    match = FENCE.fullmatch(text)
    return match["text"] if match and not re.search("```|~~~", match["after"] or "") else text


def _json(text: str) -> str:
    """The one string in JSON: {"review": "..."}, ["..."], "..." with escapes."""
    value = _decoded(text)
    while isinstance(value, dict | list) and len(value) == 1:
        value = next(iter(value.values())) if isinstance(value, dict) else value[0]
    return storable(value) if isinstance(value, str) else text


def _json_list(text: str) -> str:
    """The texts of a list in JSON, a line each: ["...", "..."], {"reasons": ["..."]}, [{"reason": "..."}, ...]."""
    value = _decoded(text)
    while isinstance(value, dict) and len(value) == 1:
        value = next(iter(value.values()))
    if isinstance(value, dict):  # {"1": "...", "2": "..."}
        value = list(value.values())
    items = value if isinstance(value, list) else []
    items = [next(iter(item.values()), None) if isinstance(item, dict) else item for item in items]
    if len(items) < 2 or not all(isinstance(item, str) and item.strip() for item in items):
        return text
    return storable("\n".join(f"{place}. {' '.join(item.split())}" for place, item in enumerate(items, 1)))


def _decoded(text: str):
    """An object, a list or an escaped string of JSON; None when the text is nothing of that kind."""
    if not text.startswith(("{", "[")) and not (text.startswith('"') and "\\" in text):
        return None
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def _lead_in(text: str, prompt: str) -> str:
    match = LEAD_IN.match(text)
    if not match:
        return text
    rest = text[match.end() :]
    if match["named"] is not None:
        is_content = not _names_answer(match["named"], prompt) or SELF.search(match["more"])
    else:
        is_content = match["sure"] and not _is_about_answer(match["sure"]) and not match[0].rstrip(" \t").endswith("\n")
    return text if is_content else rest


def _label(text: str, prompt: str) -> str:
    """One label before the whole; where several lines have one, they are fields for the task to read."""
    match = LABEL.match(text)
    if not match or len(FIELD.findall(text)) > 1 or not _names_answer(match["named"], prompt):
        return text
    return text[match.end() :]


def _is_about_answer(words: str) -> bool:
    return bool(re.search(rf"\b(?:{THINGS}|one|it|you go|you are|goes)s?\b", words, re.IGNORECASE))


def _names_answer(phrase: str, prompt: str) -> bool:
    """Whether a noun and the words before it name what was asked for, not what a text may be about: "Error message".

    It does when the prompt has all those words, but does not show the phrase with a colon, which rows then have too.
    """
    *kinds, noun = phrase.casefold().split()
    if KINDS.issuperset(kinds) or re.search(rf"\b(?:{OWN})s?\b", phrase, re.IGNORECASE):
        return True
    prompt, kinds = prompt.casefold(), [kind for kind in kinds if kind not in KINDS]
    shown = f"{' '.join(kinds[-1:])} {noun}:" in prompt
    return {*kinds, noun.rstrip("s")} <= {*PART.findall(prompt), *PART.findall(prompt.replace("s ", " "))} and not shown


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
    """The items of a list with their markup, or of `this; that`."""
    return split_list(text) or _separated(text)


def split_list(text: str) -> list[str]:
    """The items of a list with their markup: marked lines, `1. this 2. that`, or plain lines; of no list none."""
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
    return []


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
