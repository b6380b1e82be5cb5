"""Extractive question answering: the answer is a span of the context. The teacher writes questions to given answers."""

import math
import random
import re
from collections.abc import Iterator
from typing import ClassVar

import pandas as pd

from synthesis import UserError
from synthesis.params import Method
from synthesis.tasks import base, cells, squad
from synthesis.tasks.base import ClassNames, Material, unnamed
from synthesis.tasks.checks import (
    asking_word,
    copied,
    echo,
    in_turn,
    overlap,
    repeats_example,
    stray_quote,
    unasked,
    words,
)

SENTENCE = re.compile(r"\S.*?(?:[.!?][\"'”’)\]]*(?=\s)|\n|$)", re.DOTALL)
AGREED = 0.5  # the F1 from which on a blind answer is the same one


class Task(base.Task):
    columns = ("context", "question")
    targets = ("answer", "answer_start")
    written = "question"
    optional = ("answer_start",)
    group = "context"
    annotating = "seed"
    stratum = "question_word"
    truth = "answers"
    metric = "f1"
    paired_test = "bootstrap"
    answer = "span"
    students: ClassVar = {"finetune": "reader"}
    left_out = "unanswerable"
    category = "question-answering"
    variables: ClassVar = {
        "seed": {"context", "answer", "examples", "count"},
        "extrapolate": {"context", "question", "answer", "predicted", "count"},
        "verify": {"context", "question"},
    }
    required: ClassVar = {
        "seed": {"context", "answer"},
        "extrapolate": {"context", "question", "answer"},
        "verify": {"context", "question"},
    }

    @property
    def pooled(self) -> tuple[str, ...]:
        """Contexts alone: the teacher writes the questions."""
        return (self.group,)

    @property
    def annotator(self) -> base.Task:
        """Questions to phrases of unlabelled contexts, which have no gold answers."""
        return Task(self.name, self.settings.model_copy(update={"answers": "extracted"}))

    # Gold rows

    def check_gold(
        self, rows: pd.DataFrame, file: str, known: list[str] | None, class_names: ClassNames = unnamed
    ) -> pd.DataFrame:
        """The rows with `answer`, where it starts in the context, and `answers`, all that the metric accepts.

        An answer is a text or a list of texts, with starts in a column of their own; the hub's {text: [...],
        answer_start: [...]}; or a list of {text, answer_start}. Of several the first is learned. Raises UserError for
        an answer that is not where answer_start says, or that has no answer_start and does not occur exactly once,
        and for a question without an answer unless `gold.unanswerable` is `drop`.
        """
        starts = rows.get("answer_start", pd.Series(index=rows.index, dtype=object))
        places = [f"{file} row {row}" for row in rows.index]
        given = [_answers(*cell) for cell in zip(rows.answer.tolist(), starts.tolist(), places, strict=True)]
        answered = [bool(answers) for answers, _ in given]
        if self.settings.gold.unanswerable == "error" and not all(answered):
            raise UserError(
                f"{places[answered.index(False)]}: the answer is empty, and a reader can only learn questions that "
                f"have one: mend the row, or set task.{self.name}.gold.unanswerable to drop, which leaves such rows out"
            )
        cases = zip(rows.context, given, places, strict=True)
        located = [
            self._start(context, answers[0], starts, place) for context, (answers, starts), place in cases if answers
        ]
        answers = pd.Series([answers for answers, _ in given], index=rows.index, dtype=object)[answered]
        return rows.loc[answered, list(self.columns)].assign(
            answer=answers.str[0], answer_start=located, answers=answers
        )

    def _start(self, context: str, answer: str, starts: list, place: str) -> int:
        """Where the answer starts: the first of the starts, or the only place where it stands."""
        if not starts:
            if (count := _occurrences(context, answer)) != 1:
                raise UserError(
                    f"{place}: answer `{cells.short(answer)}` occurs {count} times in its context: mend the row, or "
                    f"name the column that says where it starts as answer_start under task.{self.name}.gold.columns"
                )
            return context.index(answer)
        start = _whole(starts[0], place)
        if start < 0 or not context.startswith(answer, start):
            there = cells.short(context[max(start, 0) : max(start, 0) + len(answer)])
            raise UserError(
                f"{place}: answer_start is {start}, where the context has `{there}` and not the answer "
                f"`{cells.short(answer)}`: mend the row, or leave its answer_start empty if the answer occurs once"
            )
        return start

    def corrected(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Without the starts of answers that are not there any more."""
        if "answer_start" not in rows:
            return rows
        cases = zip(rows.context, rows.answer, rows.answer_start, strict=True)
        return rows.assign(answer_start=[start if _stands(*case, start) else None for *case, start in cases])

    def new_settings(self, rows: pd.DataFrame) -> dict:
        return {"answers": "gold"}

    def strata(self, rows: pd.DataFrame) -> pd.Series:
        """The word that a question asks by."""
        return pd.Series(list(map(asking_word, rows.question)), index=rows.index, dtype=object)

    def contexts(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Each (context, answer) pair once, but for answers that do not occur exactly once."""
        pairs = rows[["context", "answer", "answer_start"]].drop_duplicates(["context", "answer"])
        once = pd.Series(map(_occurrences, pairs.context, pairs.answer), index=pairs.index) == 1
        return pairs[once]

    # What the teacher is asked and what it answers

    def seed_rows(self, count: int, material: Material) -> Iterator[dict]:
        """Section 2.4: a context and its gold answer, or a phrase of it that can be one (task.<name>.answers).

        Both are drawn uniformly. A phrase is a noun phrase, name or number that occurs once.
        """
        if self.settings.answers == "gold":
            yield from in_turn(material.contexts.to_dict("records"), count, material.seed, self.name)
            return
        found = []
        for context in material.contexts.context.drop_duplicates():
            once = [phrase for phrase in material.phrases(context) if _occurrences(context, phrase.text) == 1]
            found += [{"context": context, "phrases": once}] if once else []
        for i, row in enumerate(in_turn(found, count, material.seed, self.name)):
            phrase = random.Random(f"{material.seed}/answer/{i}").choice(row["phrases"])
            yield {"context": row["context"], "answer": phrase.text, "answer_start": phrase.start}

    def seed_slots(self, row: dict) -> dict:
        return {"context": row["context"], "answer": row["answer"]}

    def error_slots(self, error: dict) -> dict:
        """What an extrapolation prompt shows: Alg. 3's c_mis and x_mis, and the answer, which is kept."""
        return {key: error[key] for key in ("context", "question", "answer", "predicted")}

    def blind_slots(self, row: dict, labels: list[str]) -> dict:
        """What a verification prompt shows: the row without its answer."""
        return {column: row[column] for column in self.columns}

    def verdicts(self, row: dict) -> list[str]:
        return cells.listed(row["answers"])

    def judge(self, answer: str, row: dict, labels: list[str]) -> dict | None:
        """The row's own targets when a blind answer is the same, or shares half of its words by SQuAD's F1."""
        same = max(squad.f1(answer, [row["answer"]]), squad.exact_match(answer, [row["answer"]])) >= AGREED
        return {target: row[target] for target in self.targets} if same else None

    def check(self, text: str, request) -> tuple[str, str | None]:
        slots = request.slots
        answer, count = words(slots["answer"]), _occurrences(slots["context"], slots["answer"])
        reason = (
            ("answer absent from its context" if count == 0 else None)
            or ("answer occurs more than once" if count > 1 else None)
            or unasked(text)
            or ("answer in the question" if squad.within(answer, words(text)) else None)
            or copied(text, slots.get("question", ""), "equals the row that it should extrapolate")
            or repeats_example(text, request)
            or stray_quote(text)
            or echo(text, request)
        )
        return text, reason

    def complete(self, row: dict, text: str) -> dict:
        return {
            "context": row["context"],
            "question": text,
            "answer": row["answer"],
            "answer_start": row["answer_start"],
        }

    # What the student is asked and what it answers

    def inputs(self, rows: pd.DataFrame) -> list[tuple[str, str]]:
        return list(zip(rows.question, rows.context, strict=True))

    def goals(self, rows: pd.DataFrame) -> list[tuple[int, list[str]]]:
        """Where the answer starts, and all answers that are right, the one that starts there first."""
        several = rows[self.truth] if self.truth in rows else pd.Series(index=rows.index, dtype=object)
        answers = [cells.listed(texts) or [answer] for texts, answer in zip(several, rows.answer, strict=True)]
        return list(zip(rows.answer_start, answers, strict=True))

    def predictions(self, rows: pd.DataFrame, spans: list, labels: list[str]) -> pd.DataFrame:
        """The student's answers as a table: id, answers (gold), predicted, start, score."""
        answers = pd.DataFrame({"id": rows.id.tolist(), "answers": rows.answers.tolist()})
        return answers.join(pd.DataFrame(spans, columns=["predicted", "start", "score"]))

    def scores(self, predictions: pd.DataFrame) -> pd.DataFrame:
        """The official SQuAD metric of each row: F1, which decides, and exact match."""
        pairs = list(zip(predictions.predicted, predictions.answers, strict=True))
        scores = {
            "f1": [squad.f1(*pair) for pair in pairs],
            "exact_match": [squad.exact_match(*pair) for pair in pairs],
        }
        return pd.DataFrame(scores, index=predictions.index, dtype=float)

    def wrong(self, predictions: pd.DataFrame, method: Method) -> pd.Series:
        """Answers that match no gold one exactly, or those with an F1 below method.score_below where that is set."""
        scores = self.scores(predictions)
        return scores.exact_match == 0 if method.score_below is None else scores.f1 < method.score_below

    def details(self, predictions: pd.DataFrame) -> pd.DataFrame:
        """Each answer: id, predicted, start, score, f1."""
        return predictions[["id", "predicted", "start", "score"]].assign(f1=self.scores(predictions).f1)

    def examples(self, rows: pd.DataFrame) -> pd.DataFrame:
        """What is audited for leaks. There is no label to give away but the answer's place, so it is every sentence of
        a context, labelled by whether the answer starts in it, as QNLI was made from SQuAD.
        """
        return pd.DataFrame([example for row in rows.itertuples() for example in _sentences(row)])

    def confidence(self, predictions: pd.DataFrame) -> pd.Series:
        return predictions.score

    def mistakes(self, predictions: pd.DataFrame) -> pd.Series:
        """How wrong answers miss the gold one that is learned: too long, too short, beside it or elsewhere."""
        missed = map(squad.mistake, predictions.predicted, predictions.answers.str[0])
        return pd.Series(list(missed), index=predictions.index, dtype=object)


def _sentences(row) -> list[dict]:
    """The sentences of a question's context: what they have of the question, and where the answer is."""
    found = [(match.start(), match[0]) for match in SENTENCE.finditer(row.context)]
    shares = [overlap(row.question, text) for _, text in found]
    holder = max((place for place, (start, _) in enumerate(found) if start <= row.answer_start), default=0)
    return [
        {
            "id": row.id,
            "group": row.context,
            "label": "answer" if place == holder else "elsewhere",
            "text": text,
            "sentence": place + 1,
            "words_of_the_question": share,
            "most_words_of_the_question": share == max(shares),
        }
        for place, ((_, text), share) in enumerate(zip(found, shares, strict=True))
    ]


def _answers(answer, start, place: str) -> tuple[list[str], list]:
    """The answers of a row and where they start; no starts where the row does not say. None at all: unanswerable.

    Raises UserError for an answer that is no text, and for starts that are not one for each answer.
    """
    start = None if isinstance(start, str) and not start.strip() else start
    several = cells.listed(answer)
    if several and all(isinstance(one, dict) for one in several):
        starts = [one for each in several for one in cells.listed(each.get("answer_start"))] or cells.listed(start)
        answers = [one for each in several for one in cells.listed(each.get("text"))]
    else:
        answers, starts = several, cells.listed(start)
    if all(isinstance(one, str) and not one.strip() for one in answers):
        return [], []
    for one in answers:
        cells.check_text(one, f"{place}: an answer")
    if len(starts) > 1 and len(starts) != len(answers):
        raise UserError(f"{place}: {len(answers)} answers, but answer_start has {len(starts)} numbers: mend the row")
    return answers, starts


def _stands(context, answer, start) -> bool:
    """Whether the context has the answer where it is said to start; of what is no text `check_gold` has to say more."""
    if not isinstance(context, str) or not isinstance(answer, str) or not isinstance(start, str | int | float):
        return True
    number = pd.to_numeric(start, errors="coerce")
    return number >= 0 and float(number).is_integer() and context.startswith(answer, int(number))


def _whole(start, place: str) -> int:
    """A start as a number, however it is written: 27, "27" or 27.0."""
    try:
        number = float(start)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(start, bool) or not number.is_integer():
        raise UserError(f"{place}: answer_start is `{cells.short(start)}`, which is not a whole number")
    return int(number)


def _occurrences(context: str, answer: str) -> int:
    """How often an answer stands in its context, overlaps with itself included."""
    count, at = 0, context.find(answer)
    while at >= 0:
        count, at = count + 1, context.find(answer, at + 1)
    return count
