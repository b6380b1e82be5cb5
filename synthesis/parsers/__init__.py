"""Parsers: the sentences of a text, their words with parts of speech, and their phrases with kinds.

The template teacher reads by them, and they find the phrases that can be an answer. A parser is a module of this
folder with `parse(text) -> list[Sentence]`; template.parser in params.yaml names it.
"""

from dataclasses import dataclass
from functools import cache, lru_cache
from types import ModuleType

from synthesis import plugins

KINDS = ("person", "place", "date", "number", "name", "thing")


@dataclass(frozen=True)
class Token:
    """A word or mark: text[start:end] of the whole, its Penn Treebank tag, and a verb's base form."""

    text: str
    tag: str
    start: int
    end: int
    lemma: str


@dataclass(frozen=True)
class Phrase:
    """A noun phrase, name, date or number without its article: tokens[first:last] of its sentence."""

    text: str
    start: int
    first: int
    last: int
    kind: str  # one of KINDS


@dataclass(frozen=True)
class Sentence:
    tokens: tuple[Token, ...]
    phrases: tuple[Phrase, ...]


@lru_cache(maxsize=20_000)
def parse(text: str, parser: str) -> list[Sentence]:
    """The sentences of a text, as the parser of this name reads them. Raises UserError when it is not installed."""
    return _module(parser).parse(text)


def phrases(text: str, parser: str) -> list[Phrase]:
    """The phrases of a text, which questions can ask for. Raises UserError as `parse` does."""
    return [phrase for sentence in parse(text, parser) for phrase in sentence.phrases]


@cache
def _module(parser: str) -> ModuleType:
    return plugins.load(__name__, parser, "params.yaml: template.parser")
