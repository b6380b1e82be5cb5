"""What sources say, in the two forms of data-to-text: triples and dialogue acts; and what a text makes of it.

Triples are WebNLG's (Gardent et al., 2017): `Subject | predicate | Object && ...`. Acts are SGD's (Rastogi et al.,
2020): `OFFER(city = Rome); REQUEST(date)`, alone or after `acts:`. Any other source is a plain text without values.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from synthesis.tasks.words import PART, caseless

ACT = re.compile(
    r"(?P<act>[A-Za-z_]\w*)\((?:(?P<slot>[\w ]+?)\s*=\s*(?P<value>.*?)|[\w ]*)\)(?:;\s*(?=[A-Za-z_]\w*\()|\s*$)"
)
BEFORE_ACTS = re.compile(r"(?s)\A.*(?:^|[\s|])acts:\s*")
TRIPLES, ACTS = "triples", "acts"
JOINED = r"[^\W_]_[^\W_]"  # how both join the words of a name
NOTATION = {TRIPLES: re.compile(rf"\s\|\s|&&|{JOINED}"), ACTS: re.compile(rf"\b[A-Z][A-Z_]+\(|\w = \w|{JOINED}")}
# Values of slots that are true or false, or do not matter, are said in other words than their own.
BINARY = {"true", "false", "yes", "no", "dontcare", "none", ""}
ASKED = {"intent"}  # slots whose values name a thing to do and are never said either: FindRestaurants
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
UNIT = re.compile(r"\s*\([^()]*\)\s*$")  # after a number its unit; after a name what tells it from others
HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
ABBREVIATION = re.compile(r"\b(?:[A-Za-z]\.){2,}")
# Countries whose people and short names begin otherwise.
OTHERWISE = {"united states": ("amer", "us", "usa"), "united kingdom": ("brit", "uk"), "netherlands": ("dutc",)}
BEGINNING = re.compile(r"(?:^|[.!?:\"“(])\s*$")
STEM = 4  # letters in which Denmark and Danish do not agree, but Turkey and Turkish do
SMALL = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
DATES = re.compile(  # what a number of a date may be said as
    "january|february|march|april|may|june|july|august|september|october|november|december|"
    "jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|monday|tuesday|wednesday|thursday|friday|saturday|sunday"
)


class Meaning(NamedTuple):
    """A source, read. form: triples, acts, or nothing. parts: how many triples or acts. names: those of the acts.

    values: what a text of it should say; of triples the subjects and objects, of acts the slots' values, each once.
    """

    form: str
    parts: int
    names: tuple[str, ...]
    values: tuple[str, ...]


@lru_cache(maxsize=100_000)
def read(source: str) -> Meaning:
    """The source's meaning. A source that is neither acts nor triples throughout is a plain text."""
    if acts := _acts(BEFORE_ACTS.sub("", source).strip()):
        filled = [act["value"] for act in acts if act["slot"] and act["slot"].strip() not in ASKED]
        values = dict.fromkeys(value.strip() for several in filled for value in several.split(" / "))
        values = tuple(value for value in values if value.lower() not in BINARY)
        return Meaning(ACTS, len(acts), tuple(dict.fromkeys(act["act"] for act in acts)), values)
    triples = [[part.strip() for part in triple.split(" | ")] for triple in source.split("&&")]
    if all(len(triple) == 3 and all(triple) for triple in triples):
        values = [spoken(value) for subject, _, value in triples for value in (subject, value)]
        return Meaning(TRIPLES, len(triples), (), tuple(dict.fromkeys(filter(None, values))))
    return Meaning("", 0, (), ())


def _acts(text: str) -> list[re.Match]:
    """The acts of a text that is nothing but acts; none of another."""
    found, at = [], 0
    while at < len(text):
        if not (match := ACT.match(text, at)):
            return []
        found.append(match)
        at = match.end()
    return found


def spoken(value: str) -> str:
    """An entity or a literal of a triple as a text would have it: `"Aarhus,_Denmark"@en` is Aarhus, Denmark."""
    value = re.sub(r"\^\^\S+$|@[a-z-]+$", "", value.strip())
    return UNIT.sub("", value.strip("\"'").replace("_", " ")).strip()


def unsaid(source: str, text: str) -> list[str]:
    """The values of a source that its text does not have word for word, but for case and white space."""
    there = _flat(text)
    return [value for value in read(source).values if not re.search(rf"(?<!\w){re.escape(_flat(value))}(?!\w)", there)]


def lost(source: str, text: str) -> list[str]:
    """The values of a source of which its text has nothing: no word, no number, no initials.

    A value that is said in wholly other words counts as lost as well; most share a word with what is said.
    """
    there, numbers = _hints(text), _numbers(text)
    return [value for value in read(source).values if not (_hints(value) & there or _numbers(value) & numbers)]


def invented(source: str, text: str) -> list[str]:
    """The numbers and capitalised names of a text for which nothing in its source speaks."""
    there, numbers = _hints(f"{source} {HUMP.sub(' ', source)}"), _numbers(source)
    for value in read(source).values:
        there |= _hints(value)
    found = [number for number in NUMBER.findall(text) if not _numbers(number) & numbers]
    found += [name for name in _names(text) if not (_hints(name) & there or DATES.fullmatch(_plain(name)))]
    return list(dict.fromkeys(found))


def noted(source: str, text: str) -> bool:
    """Whether a text has marks of the form that its source is written in, and so copies a part of it."""
    form = read(source).form
    return bool(form and NOTATION[form].search(text))


def _hints(text: str) -> set[str]:
    """What shows that a text speaks of something: the beginnings of its words, and the initials of names."""
    words = _words(ABBREVIATION.sub(lambda letters: letters[0].replace(".", ""), text))
    hints = {word[:STEM] for word in words} | ({"".join(word[0] for word in words)} if len(words) > 1 else set())
    return hints | {other for name, others in OTHERWISE.items() if name in _plain(text) for other in others}


def _names(text: str) -> list[str]:
    """Words with a capital where no sentence begins, which have three letters or more."""
    tokens = [(match[0], match.start()) for match in PART.finditer(text) if len(match[0]) > 2]
    return [word for word, at in tokens if word[0].isupper() and not BEGINNING.search(text[:at])]


def _numbers(text: str) -> set[str]:
    """The numbers of a text in one form: 07 is 7, 2,500.0 is 2500, and three is 3."""
    found = {_number(part) for match in NUMBER.findall(text) for part in {match, *re.split(r"[.,]", match)}}
    return found | {str(SMALL.index(word)) for word in _words(text) if word in SMALL}


def _number(text: str) -> str:
    whole = text.replace(",", "")
    return (whole.rstrip("0").rstrip(".") if "." in whole else whole).lstrip("0") or "0"


def _words(text: str) -> list[str]:
    return PART.findall(_plain(text).replace("_", " "))


def _plain(text: str) -> str:
    """Without case and accents."""
    return "".join(char for char in unicodedata.normalize("NFKD", caseless(text)) if not unicodedata.combining(char))


def _flat(text: str) -> str:
    return " ".join(caseless(text).split())
