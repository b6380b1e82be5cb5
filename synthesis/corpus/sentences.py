"""Texts parsed by spaCy, in processes, and asked about where they are parsed.

Speed: parts of the model that no template needs are not run, its products of matrices are NumPy's, which its own
library BLIS is slower than, and many texts are parsed in step. What is parsed together depends on the texts alone, and
each process uses one thread, so that the same texts give the same pairs in any number of processes.
"""

from __future__ import annotations

import multiprocessing
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import NamedTuple

from threadpoolctl import threadpool_limits

from synthesis import UserError, cores
from synthesis.corpus.questions import Pair, Writer
from synthesis.corpus.templates import Templates
from synthesis.corpus.texts import Text
from synthesis.parsers import spacy

UNUSED = ["lemmatizer", "attribute_ruler"]
STEP = 1_024  # of the parser and of the search for names, which go through a quarter of so many texts in step
SETTINGS = {"tok2vec": {"batch_size": 32}, "parser": {"batch_size": STEP}, "ner": {"batch_size": STEP}}
PLACES, OTHERS = ("GPE", "LOC", "FAC"), ("PERSON", "NORP", "ORG", "PRODUCT", "EVENT", "WORK_OF_ART", "LAW", "LANGUAGE")
NAMES = dict.fromkeys(PLACES, "place") | {name: name for name in OTHERS}  # types that a question tells apart
NEED = "questions about a corpus need a parser"
AHEAD = 2  # batches a process that are read before they are needed


class Found(NamedTuple):
    """What a batch of texts gave. texts: their ids in their order, one for all pieces of a long text.
    rejected: how often a sentence or a name gave no pair, by reason."""

    pairs: list[Pair]
    texts: list[str]
    sentences: int
    rejected: Counter


class Asker:
    """A parser with the templates."""

    def __init__(self, templates: Templates):
        self.model = load()
        self.writer = Writer(templates, self.lemma)

    def lemma(self, verb) -> str:
        """The base form of a verb, by spaCy's rules; it is looked up for the few verbs that need it only."""
        verb.pos_ = "VERB"
        return self.model.get_pipe("lemmatizer").rule_lemmatize(verb)[0]

    def ask(self, batch: list[Text]) -> Found:
        """The pairs of a batch of texts."""
        pairs, sentences, rejected = [], 0, Counter()
        with threadpool_limits(1), self.model.memory_zone():
            texts = [(text, name) for name, text in batch]
            docs = self.model.pipe(texts, as_tuples=True, batch_size=STEP, component_cfg=SETTINGS)
            for doc, name in docs:
                sentences += sum(1 for _ in doc.sents)
                pairs += self.writer.pairs(doc, name, rejected)
            sure = self.sure(pairs)
        rejected["answer perhaps of another type"] += len(pairs) - len(sure)
        return Found(sure, list(dict.fromkeys(text.id for text in batch)), sentences, +rejected)

    def sure(self, pairs: list[Pair]) -> list[Pair]:
        """The pairs but for those whose answer is a name that is of another type when the model reads it alone.

        A name that it is wrong about in one of the two is seldom of the type that the question asks for.
        """
        named = {pair.answer for pair in pairs if pair.entity in NAMES} - {"yes", "no"}
        alone = {}
        for doc in self.model.pipe(
            sorted(named), batch_size=STEP, disable=("tagger", "parser"), component_cfg=SETTINGS
        ):
            longest = max(doc.ents, key=len, default=None)
            alone[doc.text] = NAMES.get(longest.label_) if longest is not None else None
        return [pair for pair in pairs if pair.answer not in named or alone[pair.answer] == NAMES.get(pair.entity)]


def load():
    """spaCy's model as it is fastest here. Raises UserError when it is not installed."""
    from thinc.api import use_ops

    with use_ops("numpy", use_blis=False):
        return spacy.load(NEED, disable=UNUSED)


def ask(batches: Iterable[list[Text]], templates: Templates, processes: int | None) -> Iterator[Found]:
    """What each batch gives, in order; processes: as many as there are cores when it is None.

    Raises UserError when the model is not installed, or a process dies.
    """
    processes = processes or cores()
    if processes == 1:
        yield from map(Asker(templates).ask, batches)
        return
    spacy.installed(NEED)  # or else each process would say so, and not in one line
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _start, (templates,)) as pool:
        waiting = deque()
        try:
            for batch in batches:
                waiting.append(pool.submit(_ask, batch))
                if len(waiting) > AHEAD * processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise UserError(
                "a process that parses the corpus died, most likely for memory: lower `processes`"
            ) from None
        finally:
            for future in waiting:
                future.cancel()


def _start(templates: Templates) -> None:
    global _asker
    _asker = Asker(templates)


def _ask(batch: list[Text]) -> Found:
    return _asker.ask(batch)
