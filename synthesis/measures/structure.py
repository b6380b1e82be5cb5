"""Structure of questions: how varied they are, what they ask for and whom they name; and where sets of them differ.

spaCy's small English model reads each question with its answer, the real ones as the synthetic ones, so that its
mistakes fall on all alike; it finds fewer names in questions without capitals, and those cannot be compared.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import pandas as pd

from synthesis.corpus.forms import entropy, form
from synthesis.parsers import spacy

NEED = "the structure of questions needs a parser"
NONE = "none"
SAID = (
    " The answer is "  # with it the model agrees on types of answers with what it sees in their sentences far oftener
)
GENDERS = {
    "he": "he him his himself man men boy boys father husband son brother king",
    "she": "she her hers herself woman women girl girls mother wife daughter sister queen",
}
SURE = 2  # standard errors by which a share must come nearer to that of test, or get farther from it


def read(questions: list[str], answers: list[str]) -> pd.DataFrame:
    """The aspects of each question, (questions,): lists of values, which have one value or more.

    form, first_words (two), shape (what depends on the main verb, in its order), names (types of what the question
    names), answer (the type of the answer; `yes or no`, `other`), groups (nationalities, religious and political
    groups that are named), gender (of the words that have one). Raises UserError without spaCy or its model.
    """
    model = spacy.load(NEED, exclude=["lemmatizer", "attribute_ruler"])
    texts = [f"{question}{SAID}{answer}." for question, answer in zip(questions, answers, strict=True)]
    rows = [
        {aspect: values(doc, len(question)) for aspect, values in ASPECTS.items()}
        for question, doc in zip(questions, model.pipe(texts), strict=True)
    ]
    return pd.DataFrame(rows, columns=list(ASPECTS))


def _words(doc, end: int) -> list[str]:
    return [token.lower_ for token in doc if token.idx < end and token.is_alpha]


def _first_words(doc, end: int) -> list[str]:
    return [" ".join(_words(doc, end)[:2])]


def _shape(doc, end: int) -> list[str]:
    question = doc[: sum(token.idx < end for token in doc)]
    root = question.root
    parts = [token for token in question if (token.head == root or token == root) and token.dep_ != "punct"]
    return [" ".join("verb" if token == root else token.dep_ for token in parts)]


def _names(doc, end: int) -> list[str]:
    return sorted({entity.label_ for entity in doc.ents if entity.start_char < end}) or [NONE]


def _answer(doc, end: int) -> list[str]:
    start = end + len(SAID)
    if doc.text[start:].strip(" .").lower() in ("yes", "no"):
        return ["yes or no"]
    labels = [(entity.end_char - max(entity.start_char, start), entity.label_) for entity in doc.ents]
    return [max((label for label in labels if label[0] > 0), default=(0, "other"))[1]]


def _groups(doc, end: int) -> list[str]:
    return sorted({entity.text.lower() for entity in doc.ents if entity.label_ == "NORP"}) or [NONE]


def _gender(doc, end: int) -> list[str]:
    words = {token.lower_ for token in doc}
    return [name for name, those in GENDERS.items() if words.intersection(those.split())] or [NONE]


ASPECTS: dict[str, Callable] = {
    "form": lambda doc, end: [form(doc.text[:end])],
    "first_words": _first_words,
    "shape": _shape,
    "names": _names,
    "answer": _answer,
    "groups": _groups,
    "gender": _gender,
}
SCORED = ["form", "names", "answer", "groups", "gender"]  # whose values are few enough to tell shares and scores of


def shares(aspects: pd.Series) -> pd.Series:
    """How large a share of all values each is, by value."""
    return aspects.explode().value_counts(normalize=True).sort_index()


def divergence(one: pd.Series, other: pd.Series) -> float:
    """The Jensen-Shannon divergence of two distributions (Lin, 1991), in bits: 0 when they are equal, at most 1."""
    from scipy.spatial.distance import jensenshannon  # late: it takes a second to load

    both = pd.concat([one, other], axis=1).fillna(0)
    return round(float(jensenshannon(*both.to_numpy().T, base=2) ** 2), 4)


def numbers(sets: dict[str, pd.DataFrame]) -> dict[str, dict]:
    """Of each set, of as many questions: by aspect the entropy in bits, and the divergence from the set `test`."""
    found = {}
    for name, aspects in sets.items():
        found[name] = {"questions": len(aspects)}
        for aspect in ASPECTS:
            values = {"entropy": entropy(aspects[aspect].explode())}
            if name != "test":
                values["divergence"] = divergence(shares(aspects[aspect]), shares(sets["test"][aspect]))
            found[name][aspect] = values
    return found


def gaps(sets: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Of each value of the aspects in SCORED its share in each set, and what learning the set `mixed` in the place of
    `gold` does to the distance from `test`: `fills`, `widens`, or nothing that is more than chance.

    Columns: aspect, value, a share for each set, effect.
    """
    tables = []
    for aspect in SCORED:
        table = pd.concat({name: shares(aspects[aspect]) for name, aspects in sets.items()}, axis=1).fillna(0)
        table = table.rename_axis("value").reset_index()
        table.insert(0, "aspect", aspect)
        count = min(len(aspects[aspect].explode()) for aspects in sets.values())
        change = (table.mixed - table.test).abs() - (table.gold - table.test).abs()
        noise = SURE * ((table.gold * (1 - table.gold) + table.mixed * (1 - table.mixed)) ** 0.5) / sqrt(count)
        table["effect"] = ""
        table.loc[change < -noise, "effect"] = "fills"
        table.loc[change > noise, "effect"] = "widens"
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def scores(aspects: pd.DataFrame, by_student: dict[str, pd.Series]) -> pd.DataFrame:
    """The mean score of each student on the test questions of each value: aspect, value, questions, a column each.

    by_student: the scores, in the order of the rows of `aspects`.
    """
    rows = aspects[SCORED].assign(**{f"score_{name}": each.to_numpy() for name, each in by_student.items()})
    columns = [f"score_{name}" for name in by_student]
    tables = []
    for aspect in SCORED:
        groups = rows[[aspect, *columns]].explode(aspect).groupby(aspect)
        table = groups[columns].mean().round(4).assign(questions=groups.size())
        tables.append(table.rename_axis("value").reset_index().assign(aspect=aspect))
    return pd.concat(tables, ignore_index=True)
