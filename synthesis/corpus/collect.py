"""All pairs of a corpus, with what they were made of, and what to report about them."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from synthesis.corpus import forms, sentences, templates, texts
from synthesis.corpus.checks import HeldOut
from synthesis.corpus.questions import Pair
from synthesis.corpus.retrieval import retrieve
from synthesis.params import Corpus
from synthesis.tasks.words import normalised


def collect(corpus: Corpus, held_out: HeldOut) -> tuple[pd.DataFrame, dict]:
    """The pairs of a corpus, a row each, and what to report: counts, reasons of rejection, variety.

    Columns: id; question, answer; sentence, text (what is asked about, and the id of its text); template, entity, path
    (how: the template's name, the answer's type and the dependencies from the answer to the root); retrieved, shares,
    shares_text (whether the sentence was retrieved for another that shares the answer, that sentence and its text).

    Texts are read in their order until there are as many pairs as corpus.pairs says. Raises UserError for a corpus, a
    column or a model that is not there, and for templates with mistakes.
    """
    found = Finding(held_out, corpus.pairs)
    batches = texts.batches(texts.read(corpus.source, corpus.column))
    answers = sentences.ask(batches, templates.load(), corpus.processes)
    for batch in answers:
        found.add(batch)
        if found.full:
            answers.close()
            break
    partners = retrieve(found.pairs)
    rows = pd.DataFrame(found.pairs, columns=Pair._fields)
    rows.insert(0, "id", [f"pair-{number}" for number in range(len(rows))])
    rows["retrieved"] = [partner is not None for partner in partners]
    rows["shares"] = pd.Series([partner.sentence if partner else "" for partner in partners], dtype=object)
    rows["shares_text"] = pd.Series([partner.text if partner else "" for partner in partners], dtype=object)
    return rows, found.report(rows)


class Finding:
    """The pairs so far, each question once, and none of the held-out ones."""

    def __init__(self, held_out: HeldOut, most: int | None):
        self.held_out, self.most = held_out, most
        self.pairs, self.seen = [], set()
        self.texts, self.last, self.sentences, self.rejected, self.in_test = 0, None, 0, Counter(), 0

    @property
    def full(self) -> bool:
        return self.most is not None and len(self.pairs) >= self.most

    def add(self, batch: sentences.Found) -> None:
        """Keep the pairs of a batch of texts that are new, up to the most."""
        self.texts += len(batch.texts) - (batch.texts[0] == self.last)  # which may go on with a long text
        self.last = batch.texts[-1]
        self.sentences += batch.sentences
        self.rejected += batch.rejected
        for pair in batch.pairs:
            if self.full:
                return
            question = normalised(pair.question)
            if question in self.seen:
                self.rejected["duplicate"] += 1
            elif self.held_out.knows(pair.question, pair.answer):
                self.rejected["also in test"] += 1
            else:
                self.seen.add(question)
                self.pairs.append(pair)
                self.in_test += self.held_out.asks_for(pair.answer)

    def report(self, rows: pd.DataFrame) -> dict:
        return {
            "texts": self.texts,
            "sentences": self.sentences,
            "pairs": len(rows),
            "retrieved": int(rows.retrieved.sum()),
            "answers_in_test": self.in_test,
            "rejected": dict(sorted(self.rejected.items())),
            "templates": forms.counts(rows.template),
            **forms.variety(rows),
        }
