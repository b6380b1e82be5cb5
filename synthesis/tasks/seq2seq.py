"""Text generation: a source becomes a target. Data-to-text (WebNLG, SGD), closed-book question answering, and the like.

What the teacher writes is task.<name>.writes: the target of a gold source, a source to a gold target, or both, as
`SOURCE => TARGET`. A source has several references where its gold rows have; the first is its target.
"""

import re
import sys
from collections.abc import Iterator
from typing import ClassVar

import pandas as pd

from synthesis import UserError
from synthesis.params import Method
from synthesis.params import Task as Settings
from synthesis.tasks import base, cells, generation, meanings, squad
from synthesis.tasks.base import ClassNames, Material, unnamed
from synthesis.tasks.checks import QUESTION, asking_word, copied, echo, in_turn, overlap, stray_quote, words

ARROW = re.compile(r"\s+=+>\s+|\s*\n+\s*")  # between a source and its target, where the teacher writes both
LIST = re.compile(r"(?s)\s*\[.*\]\s*")
LABEL = re.compile(r"^(?:source|input|question|target|output|answer|text|sentence)\s*:\s*", re.IGNORECASE)
WRITES = {"target": ("target",), "source": ("source",), "both": ("source", "target")}
WORDED, ANSWERED = ("chrf", "bleu", "rouge_l"), ("exact_match", "f1")  # metrics that are reported beside each other
BELOW = {"chrf": 0.5, "bleu": 0.25, "rouge_l": 0.5, "exact_match": 1.0, "f1": 1.0}  # such a score is an error's
AGREED = 0.5  # the F1 over words from which on a blind answer is the same one
SHORT = 5  # words that the targets of question answering have on average, at most
FORMS = {meanings.TRIPLES, meanings.ACTS}
FAR = 2  # times shorter or longer than its reference


class Task(base.Task):
    capabilities = frozenset({"pairs", "texts", "writes"})
    columns = ("source",)
    targets = ("target",)
    group = "source"
    stratum = "source_type"
    truth = "references"
    answer = "text"
    students: ClassVar = {"finetune": "generator"}
    left_out = "unanswered"
    category = "text2text-generation"

    def __init__(self, name: str, settings: Settings):
        super().__init__(name, settings)
        self.writes = WRITES[settings.writes or "target"]
        self.written = self.writes[0]
        self.metric = settings.metric or "chrf"
        self.paired_test = "sign_flip" if self.metric == "exact_match" else "bootstrap"
        if self.metric in ANSWERED and "target" in self.writes:
            self.min_words = 1
        given = set(self.given)
        self.variables = {
            "seed": {*given, "examples"},
            "extrapolate": {"source", "target", "predicted"},
            "verify": {"source"},
        }
        self.required = {"seed": given, "extrapolate": given or {"source", "target"}, "verify": {"source"}}

    @property
    def given(self) -> list[str]:
        return self.others

    @property
    def annotator(self) -> base.Task:
        """The target of an unlabelled source, whatever the teacher writes of gold rows."""
        return Task(self.name, self.settings.model_copy(update={"writes": "target"}))

    # Gold rows

    def check_gold(
        self, rows: pd.DataFrame, file: str, known: list[str] | None, class_names: ClassNames = unnamed
    ) -> pd.DataFrame:
        """The rows with `target` and `references`, the texts that are right; the first is the target.

        A file has one reference a row, or a list of them, of which empty ones are left out with a warning; another one
        is about lists that have become texts. Raises UserError for a reference that is no text, and for a source
        without any, unless `gold.unanswerable` is `drop`.
        """
        references, empty = {}, 0
        for row, given in rows.target.items():
            texts = [one for one in cells.listed(given) if not _blank(one)]
            for text in texts:
                cells.check_text(text, f"{file} row {row}: the target")
            references[row] = list(dict.fromkeys(texts))
            empty += len(cells.listed(given)) - len(texts) if texts else 0
        answered = pd.Series(list(map(bool, references.values())), index=rows.index, dtype=bool)
        if self.settings.gold.unanswerable == "error" and not answered.all():
            raise UserError(
                f"{file} row {answered.idxmin()}: the target is empty, and there is nothing to learn of such a source: "
                f"mend the row, or set task.{self.name}.gold.unanswerable to drop, which leaves such rows out"
            )
        if empty:
            print(f"warning: {file}: empty references are left out ({empty})", file=sys.stderr)
        given = rows.target[answered].tolist()
        if given and all(isinstance(one, str) and LIST.fullmatch(one) for one in given):
            print(
                f"warning: {file}: every target is a text in brackets, such as {cells.short(given[0])}, and is learned "
                "with them; if these are lists of references, give lists (.jsonl, .parquet) or a row for each",
                file=sys.stderr,
            )
        several = pd.Series(references, index=rows.index, dtype=object)[answered]
        return rows.loc[answered, list(self.columns)].assign(target=several.str[0], references=several)

    def new_settings(self, rows: pd.DataFrame) -> dict:
        """The metric is exact match where targets are as short as answers to questions."""
        texts = [text for value in rows.target for text in cells.listed(value) if isinstance(text, str)]
        short = texts and sum(len(words(text)) for text in texts) / len(texts) < SHORT
        return {"writes": self.settings.writes or "target", "metric": "exact_match" if short else "chrf"}

    def remarks(self, rows: pd.DataFrame) -> dict[str, int]:
        """How many sources have a value, such as an object of a triple, of which no reference says anything."""
        cases = zip(rows.source, rows.references, strict=True)
        silent = (set.intersection(*(set(meanings.lost(source, text)) for text in texts)) for source, texts in cases)
        return {"values_in_no_reference": sum(map(bool, silent))}

    def strata(self, rows: pd.DataFrame) -> pd.Series:
        """How many triples or acts a source has, which act if it is one; of a plain text the word that it asks by."""
        return pd.Series(list(map(_type, rows.source)), index=rows.index, dtype=object)

    def contexts(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Each gold source, or each gold target, once: whichever the teacher is given."""
        return rows[self.given].drop_duplicates()

    # What the teacher is asked and what it answers

    def seed_rows(self, count: int, material: Material) -> Iterator[dict]:
        """Section 2.4: gold sources or targets uniformly; nothing, where the teacher writes both."""
        if not self.given:
            yield from ({} for _ in range(count))
            return
        yield from in_turn(material.contexts.to_dict("records"), count, material.seed, self.name)

    def seed_slots(self, row: dict) -> dict:
        return {column: row[column] for column in self.given}

    def error_slots(self, error: dict) -> dict:
        """What an extrapolation prompt shows: the source, its first reference, and what the student made of it."""
        return {key: error[key] for key in ("source", "target", "predicted")}

    def blind_slots(self, row: dict, labels: list[str]) -> dict:
        return {"source": row["source"]}

    def verdicts(self, row: dict) -> list[str]:
        return cells.listed(row[self.truth])

    def texts(self, row: dict) -> list[str]:
        """Each reference, where the teacher writes the target; with its source before it where it writes both."""
        if self.writes == ("source",):
            return [row["source"]]
        before = f"{row['source']} => " if "source" in self.writes else ""
        return [before + reference for reference in cells.listed(row[self.truth])]

    def example(self, row: dict) -> dict:
        return {"source": row["source"], "target": row["target"]}

    def judge(self, answer: str, row: dict, labels: list[str]) -> dict | None:
        """The row's own target when a blind answer is the same, or shares half of its words by SQuAD's F1."""
        same = max(squad.f1(answer, [row["target"]]), squad.exact_match(answer, [row["target"]])) >= AGREED
        return {"target": row["target"]} if same else None

    def check(self, text: str, request) -> tuple[str, str | None]:
        slots = request.slots
        row = self.complete(slots, text)
        source, target = row["source"], row["target"]
        shown = [slots, *slots.get("examples", ())]
        forms = {meanings.read(each["source"]).form for each in shown if "source" in each}
        reason = (
            ("no target" if not target else None)
            or ("several targets" if len(self.writes) > 1 and ARROW.search(target) else None)
            or copied(target, source, "target equals its source")
            or ("target in the form of its source" if meanings.noted(source, target) else None)
            or self._repeated(row, slots, "equals the row that it should extrapolate")
            or next(filter(None, (self._repeated(row, one, "equals an example") for one in shown[1:])), None)
            or stray_quote(target)
            or ("other form of source" if forms and meanings.read(source).form not in forms else None)
            or ("answer in the question" if self._gives_away(source, target) else None)
            or ("values lost" if meanings.lost(source, target) else None)
            or ("values invented" if meanings.read(source).form and meanings.invented(source, target) else None)
            or echo(text, request)
        )
        return text, reason

    def _gives_away(self, question: str, answer: str) -> bool:
        """Whether the teacher has put the answer that it was given into its question."""
        return self.metric in ANSWERED and "source" in self.writes and squad.within(words(answer), words(question))

    def _repeated(self, row: dict, shown: dict, reason: str) -> str | None:
        """What the teacher wrote is what the prompt shows, in all that it was to write."""
        there = [field for field in self.writes if field in shown]
        return reason if there and all(copied(row[field], shown[field], reason) for field in there) else None

    def complete(self, row: dict, text: str) -> dict:
        if len(self.writes) == 1:
            return {field: text if field == self.written else row.get(field, "") for field in self.fields}
        source, *target = ARROW.split(text.strip(), maxsplit=1)
        return {"source": LABEL.sub("", source), "target": LABEL.sub("", *target) if target else ""}

    # What the student is asked and what it answers

    def inputs(self, rows: pd.DataFrame) -> list[str]:
        return rows.source.tolist()

    def goals(self, rows: pd.DataFrame) -> list[list[str]]:
        """All references of each row, the first one first; a synthetic row has one."""
        several = rows[self.truth] if self.truth in rows else pd.Series(index=rows.index, dtype=object)
        return [cells.listed(texts) or [target] for texts, target in zip(several, rows.target, strict=True)]

    def predictions(self, rows: pd.DataFrame, answers: list, labels: list[str]) -> pd.DataFrame:
        """The student's texts as a table: id, references, predicted, probability; and of sources with values
        `unsaid`, whether a value of the acts is not in the text word for word, and the values `lost` and `invented`.
        """
        table = pd.DataFrame({"id": rows.id.tolist(), "references": self.goals(rows)})
        table = table.join(pd.DataFrame(answers, columns=["predicted", "probability"]))
        forms = {meanings.read(source).form for source in rows.source}
        for name, forms_of in {"unsaid": {meanings.ACTS}, "lost": FORMS, "invented": FORMS}.items():
            if forms & forms_of:
                find = getattr(meanings, name)
                table[name] = [find(*case) for case in zip(rows.source, table.predicted, strict=True)]
        return table

    def scores(self, predictions: pd.DataFrame) -> pd.DataFrame:
        """The score of each text, the best over its references: task.<name>.metric, then those of its kind.

        Exact match and F1 are SQuAD's, over all aliases. slot_error is 1 where a value of an act with a value that can
        be said is not in the text word for word, but for case: the slot error rate of Kale and Rastogi (2020), the
        share of texts in which at least one slot's value is missing. Values that are true or false do not count.
        """
        pairs = list(zip(predictions.predicted, map(tuple, predictions.references), strict=True))
        family = ANSWERED if self.metric in ANSWERED else WORDED
        names = [self.metric, *(name for name in family if name != self.metric)]
        source = squad if family == ANSWERED else generation
        scores = {name: [getattr(source, name)(*pair) for pair in pairs] for name in names}
        if "unsaid" in predictions:
            scores["slot_error"] = predictions.unsaid.map(len).clip(upper=1)
        return pd.DataFrame(scores, index=predictions.index, dtype=float)

    def corpus_scores(self, predictions: pd.DataFrame) -> dict[str, dict]:
        """Corpus BLEU and chrF++, where texts are scored by their wording."""
        if self.metric in ANSWERED:
            return {}
        return generation.corpus(predictions.predicted.tolist(), predictions.references.map(list).tolist())

    def wrong(self, predictions: pd.DataFrame, method: Method) -> pd.Series:
        """Texts whose deciding score is below method.score_below, or where that is empty below BELOW."""
        below = BELOW[self.metric] if method.score_below is None else method.score_below
        return self.scores(predictions)[self.metric] < below

    def details(self, predictions: pd.DataFrame) -> pd.DataFrame:
        """Each text: id, predicted, probability, and its score by the deciding metric."""
        scores = {self.metric: self.scores(predictions)[self.metric]}
        return predictions[["id", "predicted", "probability"]].assign(**scores)

    def examples(self, rows: pd.DataFrame) -> pd.DataFrame:
        """What is audited for leaks: does the form of a target give away what type of source it is of?"""
        types, pairs = self.strata(rows), zip(rows.target, rows.source, strict=True)
        table = pd.DataFrame({"id": rows.id, "group": rows.source, "label": types, "text": rows.target})
        return table.assign(words_of_the_source=[overlap(*pair) for pair in pairs])

    def confidence(self, predictions: pd.DataFrame) -> pd.Series:
        return predictions.probability

    def mistakes(self, predictions: pd.DataFrame) -> pd.Series:
        """What is wrong with each text: how an answer misses the first right one, or a text its source or reference."""
        missed = _missed if self.metric in ANSWERED else _flaw
        return pd.Series([missed(row) for row in predictions.to_dict("records")], predictions.index, dtype=object)


def _type(source: str) -> str:
    """The type of a source: 3 triples, 2 acts, GOODBYE; of a question its asking word; text."""
    meaning = meanings.read(source)
    if meaning.form == meanings.ACTS and meaning.parts == 1:
        return meaning.names[0]
    if meaning.form:
        return f"{meaning.parts} {meaning.form if meaning.parts > 1 else meaning.form.rstrip('s')}"
    if source.rstrip().endswith(QUESTION):
        return asking_word(source)
    begun = asking_word(" ".join(source.split()[:3]))
    return "text" if begun == "other" else begun


def _blank(value) -> bool:
    return cells.missing(value) or (isinstance(value, str) and not value.strip())


def _missed(prediction: dict) -> str:
    return squad.mistake(prediction["predicted"], prediction["references"][0])


def _flaw(prediction: dict) -> str:
    """The worst of what can be said about a text that is unlike its references."""
    text, reference = (words(one) for one in (prediction["predicted"], prediction["references"][0]))
    runs = [tuple(text[at : at + 3]) for at in range(len(text) - 2)]
    if not text:
        return "nothing"
    if len(runs) - len(set(runs)) > len(runs) / FAR:
        return "repeats itself"
    for name in ("lost", "invented"):
        if len(prediction.get(name, ())):
            return f"values {name}"
    if len(text) * FAR <= len(reference):
        return "too short"
    return "too long" if len(text) >= len(reference) * FAR else "worded otherwise"
