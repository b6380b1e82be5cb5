"""The main clauses of a parsed sentence: subject, auxiliary, verb and what belongs to the verb.

Labels of dependencies are those of spaCy's English models (ClearNLP's).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from synthesis.corpus.words import WORDS

FINITE = ("VBD", "VBZ", "VBP", "MD")
SUBJECTS = ("nsubj", "nsubjpass", "expl")
AUXILIARIES = ("aux", "auxpass")
# Of a verb: other clauses and marks, which a question leaves out.
OUTSIDE = frozenset(
    ("cc", "conj", "punct", "parataxis", "advcl", "mark", "intj", "dep", "meta", "preconj", "csubj", "csubjpass")
)
# Of a noun: additions after it, which a question may leave out, and what stands before a name.
ADDITIONS = frozenset(("appos", "relcl", "acl", "punct", "det", "parataxis"))
TIGHT_BEFORE, TIGHT_AFTER = frozenset(",.;:!?)%]’”'"), frozenset("($[“£€")
SPACE_BEFORE = re.compile(r"\s+([,;:.?!)\]%])")


@dataclass(frozen=True)
class Clause:
    """A finite verb with its subject, in a spaCy Doc."""

    verb: object
    subject: object  # the head of the subject

    @cached_property
    def auxiliaries(self) -> list:
        return [child for child in self.verb.children if child.dep_ in AUXILIARIES and child.i < self.verb.i]

    @property
    def finite(self):
        """The word that agrees with the subject."""
        return self.auxiliaries[0] if self.auxiliaries else self.verb

    @property
    def inverts(self) -> bool:
        """Whether a question puts the finite word itself before the subject, as "is" and "can", but not "wrote"."""
        return bool(self.auxiliaries) or self.verb.lower_ in ("is", "are", "was", "were")

    @cached_property
    def tokens(self) -> list:
        """The words of the clause without those of other clauses, and without words that link it to earlier ones."""
        inside = [self.verb]
        for child in self.verb.children:
            linking = child.dep_ in ("advmod", "prep", "npadvmod") and child.lower_ in WORDS["linking"]
            spliced = child.dep_ == "ccomp" and child.i < self.verb.i
            if child.dep_ not in OUTSIDE and not linking and not spliced:
                inside += child.subtree
        inside = [token for token in inside if token.text != "." or token.i + 1 < token.sent.end]
        places = {token.i for token in inside}
        commas = (child for child in self.verb.children if child.text == ",")
        inside += [comma for comma in commas if {comma.i - 1, comma.i + 1} <= places]
        return sorted(inside, key=lambda token: token.i)

    @cached_property
    def joined(self) -> bool:
        """Whether the parser has put a second finite verb within the first one's words: "to find and hired"."""
        tags = ("VBD", "VBZ") if self.inverts else ("VBD", "VBZ", "VBN")
        return any(token.dep_ == "conj" and token.tag_ in tags and not hidden(token) for token in self.tokens)

    @cached_property
    def subject_tokens(self) -> list:
        return list(self.subject.subtree)

    def front(self, without: frozenset) -> list:
        """Adverbials before the subject: "In 1901" in "In 1901, he died"."""
        start = self.subject_tokens[0].i
        return [token for token in self.tokens if token.i < start and token.i not in without and not token.is_punct]

    def after_subject(self, without: frozenset) -> list:
        """All that follows the subject, the verb included."""
        end = self.subject_tokens[-1].i
        return [token for token in self.tokens if token.i > end and token.i not in without]

    def question(self, base: str, without: frozenset) -> dict[str, str]:
        """The parts of a question: aux, subject, verb, rest. without: places of words that it asks for.

        base: the verb's base form, for questions with "did".
        """
        words = [token for token in self.after_subject(without) if token.i != self.finite.i or not self.inverts]
        before = [token for token in words if token.i < self.verb.i]
        after = [token for token in words if token.i > self.verb.i]
        if self.auxiliaries:
            aux, verb = self.finite.lower_, self.verb.text
        elif self.inverts:
            aux, verb = self.verb.lower_, ""
        else:
            aux, verb = {"VBZ": "does", "VBP": "do"}.get(self.verb.tag_, "did"), base
        return {
            "aux": aux,
            "subject": spell([token for token in bare(self.subject) if token.i not in without]),
            "verb": f"{spell(before)} {verb}".strip(),
            "rest": f"{spell(after)} {spell(self.front(without))}".strip(),
        }

    def predicate(self, without: frozenset) -> str:
        """All that is said of the subject, as it follows "Who"."""
        return f"{spell(self.after_subject(without))} {spell(self.front(without))}".strip()


def clauses(sentence) -> list[Clause]:
    """The main clause of a spaCy sentence, and those that are joined to it by "and" and have a subject of their own."""
    found, verbs = [], [sentence.root]
    for verb in verbs:
        verbs += [child for child in verb.children if child.dep_ == "conj"]
        subject = next((child for child in verb.children if child.dep_ in SUBJECTS and child.i < verb.i), None)
        if subject is None:
            continue
        clause = Clause(verb, subject)
        if clause.finite.tag_ in FINITE and clause.subject_tokens[-1].i < clause.finite.i:
            found.append(clause)
    return found


def hidden(token) -> bool:
    """Whether a token is part of a clause within a clause, which may have verbs of its own."""
    while token.dep_ == "conj":
        token = token.head
    return token.dep_ in ("relcl", "ccomp", "advcl", "pcomp")


def bare(noun) -> list:
    """A noun phrase without what follows it between commas or brackets."""
    dropped = set()
    for child in noun.children:
        edge = child.left_edge.i
        if child.dep_ in ADDITIONS and not child.is_punct and edge > noun.i and noun.doc[edge - 1].is_punct:
            dropped |= {token.i for token in child.subtree}
    dropped |= {child.i for child in noun.children if child.is_punct and {child.i - 1, child.i + 1} & dropped}
    return [token for token in noun.subtree if token.i not in dropped]


def spell(tokens) -> str:
    """spaCy's tokens as text, as they stand in theirs where they follow each other; a sentence's first word in lower
    case unless it is a name.
    """
    text = ""
    for place, token in enumerate(tokens):
        word = "not" if token.lower_ in ("n't", "n’t") else token.text
        named = token.ent_type_ or token.tag_ in ("NNP", "NNPS") or not word[1:].islower()
        if token.is_sent_start and (not named or token.tag_ in ("DT", "IN")):
            word = word.lower()
        follows = place and tokens[place - 1].i + 1 == token.i
        touching = follows and not tokens[place - 1].whitespace_ and word != "not"
        tight = not follows and (word in TIGHT_BEFORE or text[-1:] in TIGHT_AFTER)
        text += word if not text or touching or tight else f" {word}"
    return SPACE_BEFORE.sub(r"\1", text).strip(" ,;:–—-")


def path(token) -> list[str]:
    """The labels of the dependencies from a token up to the root of its sentence."""
    labels = [token.dep_]
    while token.head.i != token.i:
        token = token.head
        labels.append(token.dep_)
    return labels
