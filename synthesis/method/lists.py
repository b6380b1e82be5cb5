"""Answers that hold several rows: a list of texts, each of which becomes a row or is rejected by itself.

What a model makes of such a prompt is not to be trusted: it may write one text, too few, or name their labels.
"""

from __future__ import annotations

import re
from dataclasses import replace

from synthesis.teacher.cleaning import clean, split_list, verdict
from synthesis.teacher.request import Answer, Check, Request


def check(text: str, request: Request) -> tuple[str, str | None]:
    """The answer, and why no row can be taken from it, or None."""
    return text, None if len(split_list(text)) > 1 else "no list"


def pick(answer: Answer, place: int, request: Request, judge: Check, min_words: int) -> Answer:
    """The text at a place of the list, cleaned and judged like an answer that is nothing else."""
    if answer.rejected:
        return answer
    texts = split_list(answer.text)
    if place >= len(texts):
        return replace(answer, text="", item=place, rejected="too few texts in the list")
    names = [request.slots[name] for name in ("label", "predicted") if name in request.slots]
    text, named = _without_label(texts[place].strip(), names)
    text = clean(text, request.prompt)
    reason = verdict(text, "stop", min_words)
    if reason is None and request.contrasted and named not in (None, names[place]):
        reason = "the other label"
    if reason is None:
        text, reason = judge(text, request)
    return replace(answer, text=text, item=place, rejected=reason)


def _without_label(text: str, names: list[str]) -> tuple[str, str | None]:
    """The text without a label of these names before it, and which that was: it would give the row's label away."""
    for name in names:
        if match := re.match(rf"[*_(\[]*{re.escape(name)}\b(?: \w+){{0,2}}[*_)\]]*\s*[:–—-]\s*[*_]*\s*", text, re.I):
            return text[match.end() :], name
    return text, None
