r"""Words in any script.

A word is a run of letters, digits and underscores with the combining marks that belong to them: vowel signs of Hindi or
Bengali, points of Hebrew or Arabic, accents that stand apart. Without marks this is `\w+`. Scripts that put no spaces
between words have no such runs: each of their characters, with its marks, counts as a word.
"""

from unicodedata import normalize

import regex

UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}ーｰ\p{Bopomofo}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
LETTERS = rf"[\p{{L}}\p{{N}}_--{UNSPACED}]+"
JOINERS = r"[\p{M}\u200c\u200d]+"  # marks, and what joins or parts letters within words of Persian or Indian languages
CHARACTER = rf"[{UNSPACED}&&[\p{{L}}\p{{N}}]]\p{{M}}*"


def pattern(hinges: str = "") -> regex.Pattern:
    """Matches a word. Single marks among `hinges` join its parts: the apostrophe in "don't"."""
    part = rf"{LETTERS}(?:{JOINERS}(?:{LETTERS})?)*"
    word = rf"{part}(?:[{hinges}]{part})*" if hinges else part
    return regex.compile(rf"{word}|{CHARACTER}", regex.V1)


WORD = pattern("'’")
PART = pattern()  # don't: don, t
UNSPACED_CHARACTER = regex.compile(CHARACTER, regex.V1)


def caseless(text: str) -> str:
    """The text without case, accents in one form."""
    return normalize("NFC", text.casefold())


def spaced(text: str) -> str:
    """The text with spaces around each character of scripts that have none."""
    return text if text.isascii() else UNSPACED_CHARACTER.sub(r" \g<0> ", text)


def normalised(text: str) -> str:
    """The words without case and punctuation; a text without any word as it is."""
    return " ".join(PART.findall(caseless(text))) or " ".join(text.split())
