"""How the template teacher reads: sentences, words with their part of speech, and phrases with their kind.

A parser is a module of this folder with `parse(text) -> list[Sentence]`; `template.parser` in params.yaml names it.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module

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
    """The sentences of a text, as the named parser reads them. Raises UserError when it is not installed."""
    return import_module(f"{__name__}.{parser}").parse(text)


def phrases(text: str, parser: str) -> list[Phrase]:
    """What questions can ask for."""
    return [phrase for sentence in parse(text, parser) for phrase in sentence.phrases]
