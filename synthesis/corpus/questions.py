"""A parsed sentence becomes questions for the names, dates and numbers that it holds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple
from zlib import crc32

from synthesis.corpus import checks
from synthesis.corpus.clauses import ADDITIONS, Clause, clauses, path, spell
from synthesis.corpus.templates import Template, Templates
from synthesis.corpus.words import WORDS
from synthesis.tasks import squad

MOST_WORDS = 64  # of a sentence (Fabbri et al., 2020)
OBJECTS = ("dobj", "attr", "oprd")
ABBREVIATION = re.compile(r"(?:\b\w|\b(?:Inc|Jr|Sr|Co|Corp|Ltd|Bros|St|etc|No))\.$")
CALLED = frozenset(("PERSON", "ORG", "GPE", "LOC", "FAC", "EVENT", "WORK_OF_ART", "PRODUCT", "LAW"))  # by names
BRACKETS = frozenset('()[]—–"“”')
PREPOSITIONS = ("prep", "agent", "dative")


class Pair(NamedTuple):
    """A question and what it was made of."""

    question: str
    answer: str
    sentence: str
    text: str  # the id of the text that the sentence is of
    template: str
    entity: str  # spaCy's type of the name that is asked for
    path: str  # labels of dependencies from the answer up to the root


class Standing(NamedTuple):
    """Where an answer stands in a clause: a place of templates.yaml, and the words that its question leaves out."""

    place: str
    clause: Clause
    without: frozenset[int] = frozenset()
    preposition: str = ""
    noun: str = ""


class Writer:
    """Asks by templates. lemma: the base form of a verb that spaCy has tagged."""

    def __init__(self, templates: Templates, lemma):
        self.wh, self.lemma = templates.wh, lemma
        self.claims = [one for one in templates.templates if "claim" in one.place]
        self.others = [one for one in templates.templates if "claim" not in one.place]

    def pairs(self, doc, text: str, rejected: Counter) -> Iterator[Pair]:
        """The pairs of a parsed text with this id; why others are none is counted in `rejected`."""
        for sentence in doc.sents:
            if reason := unfit(sentence):
                rejected[reason] += 1
                continue
            found, own = clauses(sentence), sentence.text.strip()
            entities = [entity for entity in map(trimmed, sentence.ents) if entity is not None]
            drafts = [self.asked(sentence, entity, found, rejected) for entity in entities]
            drafts += [self.claimed(template, sentence, entities, found, rejected) for template in self.claims]
            for question, answer, template, entity in filter(None, drafts):
                labels = " > ".join(path(entity.root))
                yield Pair(question, answer, " ".join(own.split()), text, template.name, entity.label_, labels)

    def asked(self, sentence, entity, found: list[Clause], rejected: Counter):
        """The question of the first template that fits and passes all checks."""
        answer, own = stated(entity), sentence.text
        at = next((one for clause in found if (one := standing(entity, clause))), None)
        places = {"cloze": None, **({at.place: at} if at else {})}
        if within(entity, found):
            places["in place"] = Standing("in place", found[0])
        reason = "no template fits"
        for template in self.others:
            if template.place not in places or not tried(template, own):
                continue
            at = places[template.place]
            if not template.takes(entity.label_, answer, at.preposition if at else ""):
                continue
            parts = self.parts(at) if at and at.place != "in place" else self.split(sentence, entity, template.place)
            if parts is not None:
                question = template.fill(parts)
                reason = says_little(entity) or checks.fault(
                    question, answer, own, template.place, at.clause if at else None
                )
                if not reason:
                    return question, answer, template, entity
        rejected[reason] += 1
        return None

    def parts(self, at: Standing) -> dict[str, str]:
        base = self.lemma(at.clause.verb)
        fields = at.clause.question(base, at.without) | {"preposition": at.preposition, "noun": at.noun}
        return fields | {"predicate": at.clause.predicate(at.without)}

    def split(self, sentence, entity, place: str) -> dict[str, str] | None:
        """A and B of "A answer B", without an article and, where "when" and "where" say it, a preposition before it."""
        before, after = list(sentence.doc[sentence.start : entity.start]), list(sentence.doc[entity.end : sentence.end])
        wh = self.wh[place].get(entity.label_, "")
        for swallowed in ("DT", "IN") if wh in ("when", "where", "how long") else ("DT",):
            if before and before[-1].tag_ == swallowed:
                before.pop()
        parts = {"wh": wh, "before": spell(before), "after": spell(after).rstrip(". ")}
        return parts if parts["before"] and (parts["after"] or place == "in place") else None

    def claimed(self, template: Template, sentence, entities: list, found: list[Clause], rejected: Counter):
        """The sentence as a question, which is true, or false where another name takes the place of its first one."""
        if (
            not found
            or not tried(template, sentence.text)
            or WORDS["negative"].intersection(t.lower_ for t in found[0].tokens)
        ):
            return None
        inside = {token.i for token in found[0].tokens}
        for entity in entities:
            if entity.root.i not in inside or not template.takes(entity.label_, entity.text, ""):
                continue
            if template.place == "false claim" and standing(entity, found[0]) is None:
                continue
            question, answer = template.fill(self.parts(Standing("claim", found[0]))), "yes"
            if template.place == "false claim":
                other = another(entity, sentence)
                if other is None or checks.occurrences(entity.text, question) != 1:
                    continue
                question, answer = question.replace(entity.text, other), "no"
            if reason := checks.fault(question, answer, sentence.text, "claim", found[0]):
                rejected[reason] += 1
                return None
            return question, answer, template, entity
        return None


def unfit(sentence) -> str:
    """Why a sentence is not asked about; "" when it is."""
    text = sentence.text.strip()
    if len(text.split()) > MOST_WORDS:
        return "sentence too long"
    if not text.endswith((".", "!", '."', ".”")) or not text[0].isupper():
        return "sentence not whole"
    if not checks.balanced(text):
        return "unbalanced marks"
    return "" if sentence.ents else "sentence without a name"


def trimmed(entity):
    """A name without its article and without "'s"; None when nothing is left."""
    start, end = entity.start, entity.end
    while start < end and (entity.doc[start].tag_ == "DT" or entity.doc[start].is_space):
        start += 1
    while end > start and (entity.doc[end - 1].tag_ == "POS" or entity.doc[end - 1].is_space):
        end -= 1
    span = entity.doc[start:end]
    return entity.doc.char_span(span.start_char, span.end_char, label=entity.label_) if start < end else None


def says_little(entity) -> str:
    """Why a name is no answer: what it is hangs on another sentence, as in "that year" and "the University"."""
    words = [token.lower_ for token in entity]
    alone = len(entity) == 1 and entity.label_ in CALLED and not entity.text.isupper()
    articled = entity.start and entity.doc[entity.start - 1].lower_ == "the"
    dateless = entity.label_ == "DATE" and not any(token.like_num or token.shape_[0] == "d" for token in entity)
    relative = bool(WORDS["relative"].intersection(words))
    return "answer says too little" if (alone and articled) or dateless or relative else ""


def stated(entity) -> str:
    """A name as an answer: without the full stop of its sentence."""
    return entity.text if ABBREVIATION.search(entity.text) else entity.text.rstrip(".")


def standing(entity, clause: Clause) -> Standing | None:
    """Where a name stands in a clause; None where no template has a place for it."""
    head, verbs = entity.root, predicates(clause.verb)
    if head.dep_ == "nummod" and all(token.dep_ in ("nummod", "quantmod", "compound") for token in entity):
        return counted(entity, head.head, clause, verbs)
    without = frozenset(token.i for token in head.subtree)
    if not whole(entity):
        return None
    if head.i == clause.subject.i:
        return Standing("subject", clause)
    if head.dep_ in OBJECTS and head.head.i in verbs:
        return Standing("object", clause, without)
    if head.dep_ == "npadvmod" and head.head.i in verbs:
        return Standing("adjunct", clause, without)
    preposition = head.head
    if head.dep_ == "pobj" and preposition.dep_ in PREPOSITIONS and preposition.head.i in verbs:
        if sum(1 for _ in preposition.children) > 1:  # "only in", "shortly before"
            return None
        return Standing("adjunct", clause, without | {preposition.i}, preposition.lower_)
    return None


def predicates(verb) -> set[int]:
    """A verb and the infinitives that complete it: "wanted to build"."""
    found = [verb]
    for one in found:
        found += [child for child in one.children if child.dep_ == "xcomp" and child.tag_.startswith("VB")]
    return {one.i for one in found}


def within(entity, found: list[Clause]) -> bool:
    """Whether a name can be asked for in its place: a whole noun phrase after the verb, in no list and no brackets."""
    if not found or entity.root.dep_ not in ("pobj", *OBJECTS) or not whole(entity, frozenset(("det", "punct"))):
        return False
    if any(child.dep_ == "conj" and child.i > entity.start for child in found[0].verb.children):
        return False
    before, after = entity.doc[: entity.start], entity.doc[entity.end :]
    enclosed = any(token.text in BRACKETS for token in (*before[-2:], *after[:1]))
    return found[0].verb.i < entity.start and not enclosed


def counted(entity, noun, clause: Clause, verbs: set[int]) -> Standing | None:
    """The place of a number: what it counts is the subject or the object."""
    number = frozenset(token.i for token in entity)
    left = [token for token in noun.subtree if token.i > max(number)]
    if noun.left_edge.i < min(number) and any(
        token.dep_ not in ("det", "quantmod", "advmod") for token in noun.doc[noun.left_edge.i : min(number)]
    ):
        return None
    if noun.tag_ != "NNS" or any(token.dep_ == "conj" or token.tag_ == "CD" for token in left):
        return None
    if noun.i == clause.subject.i:
        return Standing("counted", clause, frozenset(), noun=spell(left))
    if noun.dep_ in OBJECTS and noun.head.i in verbs:
        return Standing("count", clause, frozenset(token.i for token in noun.subtree), noun=spell(left))
    return None


def whole(entity, additions: frozenset[str] = ADDITIONS) -> bool:
    """Whether a name is all of its noun phrase, but for additions that a question may leave out."""
    inside = range(entity.start, entity.end)
    return all(
        child.i in inside or child.dep_ in additions or child.is_punct for token in entity for child in token.children
    )


def another(entity, sentence) -> str | None:
    """A name of the same type in the same text, and not in the sentence; a year for a year."""
    for other in sentence.doc.ents:
        span = trimmed(other)
        if span is None or span.label_ != entity.label_ or span.text.isdigit() != entity.text.isdigit():
            continue
        if entity.label_ == "DATE" and not entity.text.isdigit():
            continue
        if squad.normalised(span.text) not in squad.normalised(sentence.text):
            return span.text
    return None


def tried(template: Template, sentence: str) -> bool:
    """Whether the template is tried in this sentence, by its share."""
    return crc32(f"{template.name}/{sentence.strip()}".encode("utf-8", "surrogatepass")) < template.share * 2**32
