"""A text's form: what a model must not need in order to answer.

A cue is a number, a truth or a text.
"""

import re

import pandas as pd

QUOTED = re.compile(r"\s*(?:\".*\"|“.*”|„.*[“”]|«.*»|'.*'|‘.*’)\s*", re.DOTALL)
QUOTE = re.compile(r"[\"“”„«»]|(?<!\w)['‘]\w|\w[.,!?]?['’](?!\w)")
WORD = re.compile(r"\w+(?:['’-]\w+)*")
MARK = re.compile(r"[^\w\s]")
TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
MARKDOWN = re.compile(r"\*\*\w|__\S[^\n]{0,99}\S__|`\S|^[ \t]*(?:#{1,6}|[-*+]) +\S|\[[^\[\]\n]+\]\(", re.MULTILINE)
NUMBERED = re.compile(r"\s*(?:\(?(?:\d{1,3}|[a-zA-Z])[.):]|[ivxIVX]+[.)])\s")
SHOUT = re.compile(r"\b[A-ZÀ-ÖØ-Þ]{2,}\b")
CURLY = re.compile(r"[“”„‘’]")


def of(texts: pd.Series) -> pd.DataFrame:
    """The cues of each text, a column each."""
    return pd.DataFrame([_cues(text) for text in texts], index=texts.index)


def _cues(text: str) -> dict:
    words, marks, line = [word.casefold() for word in WORD.findall(text)], MARK.findall(text), text.strip()
    return {
        "words": len(words),
        "characters": len(text),
        "characters_a_word": len(text) / max(1, len(words)),
        "marks_a_word": len(marks) / max(1, len(words)),
        "commas": text.count(","),
        "exclamation_marks": text.count("!"),
        "question_marks": text.count("?"),
        "ellipsis": "..." in text or "…" in text,
        "last_mark": line[-1:] if MARK.match(line[-1:]) else "none",
        "enclosing_quotes": bool(QUOTED.fullmatch(text)),
        "quotes": bool(QUOTE.search(text)),
        "curly_marks": bool(CURLY.search(text)),
        "lower_case_start": line[:1].islower(),
        "capital_words": bool(SHOUT.search(text)),
        "digits": any(map(str.isdigit, text)),
        "html": bool(TAG.search(text)),
        "markdown": bool(MARKDOWN.search(text)),
        "numbering": bool(NUMBERED.match(text)),
        "line_breaks": "\n" in line,
        "first_word": " ".join(words[:1]),
        "first_words": " ".join(words[:2]),
        "last_word": " ".join(words[-1:]),
        "last_words": " ".join(words[-2:]),
    }
