"""textblob's PatternTagger and chunker, which carry their own lexicon: nothing to download.

Kinds of names are guessed from cues.yaml, which a user can extend.
"""

import re
from functools import cache
from pathlib import Path

import yaml

from synthesis.parsers import Phrase, Sentence, Token

CUES = yaml.load(Path(__file__).with_name("cues.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)
TITLES, GIVEN = frozenset(CUES["titles"]), frozenset(CUES["given"])
MONTH = "|".join(CUES["months"])
ABBREVIATION = re.compile(rf"(?:\b(?:{'|'.join(CUES['abbreviations'])})|\b[A-Z])\.$")
SENTENCE_END = re.compile(r"[.!?][\"'”’)\]]*(?=\s+[\"'“‘(\[]?[A-Z0-9])|\n+")
WORD = re.compile(r"\d+(?:[.,:]\d+)*(?:st|nd|rd|th|s)?\b|(?:[A-Z]\.){2,}|[^\W\d_]+(?:['’-][^\W_]+)*|\w+|[^\w\s]")
DATE = re.compile(
    rf"\b(?:(?:\d{{1,2}}(?:st|nd|rd|th)? )?(?:{MONTH})(?: \d{{1,2}}(?:st|nd|rd|th)?\b)?(?:,? \d{{4}})?"
    r"|(?:1[0-9]|20)\d\ds?)\b"
)
PLACE_AFTER = frozenset(("in", "at", "near", "from", "to", "across", "outside"))
# Of verbs, and what stands for them at the end of the base form.
SUFFIXES = {"ies": ("y",), "ied": ("y",), "ing": ("", "e"), "ed": ("", "e"), "es": ("", "e"), "s": ("",)}


def parse(text: str) -> list[Sentence]:
    """The sentences of a text."""
    return [_sentence(text, start, end) for start, end in _bounds(text)]


def _bounds(text: str) -> list[tuple[int, int]]:
    """Where sentences begin and end. A full stop after a title or an initial ends none."""
    cuts = [match.end() for match in SENTENCE_END.finditer(text) if not ABBREVIATION.search(text[: match.start() + 1])]
    bounds = zip([0, *cuts], [*cuts, len(text)], strict=True)
    return [(start, end) for start, end in bounds if text[start:end].strip()]


def _sentence(text: str, start: int, end: int) -> Sentence:
    words = list(WORD.finditer(text, start, end))
    if not words:
        return Sentence((), ())
    tagged = _parser().parse(" ".join(word[0] for word in words), tokenize=False, chunks=True).split(" ")
    fields = [entry.replace("\n", " ").split("/") for entry in tagged]
    tokens = tuple(
        Token(word[0], tag, word.start(), word.end(), _lemma(word[0], tag))
        for word, (_, tag, *_) in zip(words, fields, strict=True)
    )
    chunks = [field[2] for field in fields]
    return Sentence(tokens, tuple(_phrases(text, start, end, tokens, chunks)))


def _phrases(text: str, start: int, end: int, tokens: tuple[Token, ...], chunks: list[str]):
    dates = []
    for match in DATE.finditer(text, start, end):
        inside = [place for place, token in enumerate(tokens) if match.start() <= token.start < match.end()]
        if inside:
            dates.append((inside[0], inside[-1] + 1))
            yield _phrase(text, tokens, *dates[-1], "date")
    taken = {place for first, last in dates for place in range(first, last)}
    first = 0
    while first < len(tokens):
        last = first + 1
        if chunks[first] in ("B-NP", "I-NP") and first not in taken:
            while last < len(tokens) and chunks[last] == "I-NP" and last not in taken:
                last += 1
            while first < last and tokens[first].tag in ("DT", "PRP$", "RB", "POS", "CC", "WP$"):
                first += 1
            if first < last and tokens[first].tag not in ("PRP", "WP", "WDT", "EX"):
                yield _phrase(text, tokens, first, last, _kind(tokens, first, last))
        first = max(last, first + 1)


def _phrase(text: str, tokens, first: int, last: int, kind: str) -> Phrase:
    start = tokens[first].start
    return Phrase(text[start : tokens[last - 1].end], start, first, last, kind)


def _kind(tokens, first: int, last: int) -> str:
    words, tags = [token.text for token in tokens[first:last]], [token.tag for token in tokens[first:last]]
    if tags[0] == "CD":
        return "number"
    if not any(tag.startswith("NNP") for tag in tags) or not words[0][0].isupper():
        return "thing"
    if words[0] in GIVEN or words[0].rstrip(".") in TITLES:
        return "person"
    before = tokens[first - 1].text.lower() if first else ""
    return "place" if before in PLACE_AFTER else "name"


@cache
def _parser():
    from textblob.en import parser  # late: its lexicon takes a second to load

    return parser


@cache
def _lemma(word: str, tag: str) -> str:
    """The base form of a verb, by a list of irregular ones and by what the tagger's lexicon knows."""
    low = word.lower()
    if not tag.startswith("VB"):
        return low
    if low in CUES["irregular"]:
        return CUES["irregular"][low]
    if tag not in ("VB", "VBP"):
        for suffix, endings in SUFFIXES.items():
            if low.endswith(suffix) and len(low) >= len(suffix) + 2:
                return _verb(low[: -len(suffix)], endings)
    return low


def _verb(stem: str, endings: tuple[str, ...]) -> str:
    """The stem with the ending that makes a verb of the lexicon, or a word of it, or the first ending."""
    forms = [stem + ending for ending in endings]
    if len(stem) > 2 and stem[-1] == stem[-2]:
        forms.append(stem[:-1])
    tags = {form: _parser().lexicon.get(form, "") for form in forms}
    verbs = [form for form in forms if tags[form] == "VB"]
    words = [form for form in forms if tags[form][:2] in ("VB", "NN")]
    return (verbs or words or forms)[0]
