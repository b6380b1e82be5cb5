"""The templates of templates.yaml, checked."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from synthesis import UserError
from synthesis.params import Section, messages

FILE = Path(__file__).with_name("templates.yaml")
# OntoNotes 5, which spaCy's English models know
ENTITIES = (
    "CARDINAL", "DATE", "EVENT", "FAC", "GPE", "LANGUAGE", "LAW", "LOC", "MONEY", "NORP", "ORDINAL", "ORG", "PERCENT",
    "PERSON", "PRODUCT", "QUANTITY", "TIME", "WORK_OF_ART",
)  # fmt: skip
QUESTION = frozenset(("aux", "subject", "verb", "rest"))
PLACES = {
    "subject": frozenset(("predicate",)),
    "object": QUESTION,
    "adjunct": QUESTION | {"preposition"},
    "count": QUESTION | {"noun"},
    "counted": frozenset(("noun", "predicate")),
    "claim": QUESTION,
    "false claim": QUESTION,
    "in place": frozenset(("wh", "before", "after")),
    "cloze": frozenset(("wh", "before", "after")),
}
SLOT = re.compile(r"\{(\w*)\}")


class Template(Section):
    """A way to ask for an answer: what it must be, where it must stand, and the question."""

    name: str
    place: str
    entities: list[str] = Field(min_length=1)
    ask: str
    prepositions: list[str] | None = None
    answer: str | None = None
    share: float = Field(default=1, ge=0, le=1)

    @model_validator(mode="after")
    def fits_together(self):
        if self.place not in PLACES:
            raise ValueError(f"{self.name}: no place `{self.place}`, only {', '.join(PLACES)}")
        known = PLACES[self.place]
        if unknown := [field for field in SLOT.findall(self.ask) if field not in known]:
            raise ValueError(f"{self.name}: no field `{unknown[0]}` at this place, only {', '.join(sorted(known))}")
        check_types(self.name, self.entities)
        if not self.ask.endswith("?"):
            raise ValueError(f"{self.name}: the question must end with `?`")
        return self

    @field_validator("answer")
    @classmethod
    def compiles(cls, answer):
        try:
            re.compile(answer or "")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return answer

    @cached_property
    def types(self) -> frozenset[str]:
        return frozenset(self.entities)

    def takes(self, entity: str, answer: str, preposition: str) -> bool:
        """Whether it asks for an answer of this type after this preposition, which is "" where there is none."""
        if entity not in self.types or (self.answer and not re.fullmatch(self.answer, answer)):
            return False
        return self.place != "adjunct" or (
            preposition in self.prepositions if self.prepositions is not None else bool(preposition)
        )

    def fill(self, parts: dict[str, str]) -> str:
        """The question. Parts go in as they are, braces included."""
        text = SLOT.sub(lambda slot: parts[slot[1]], self.ask)
        text = re.sub(r"\s+([?,;:.])", r"\1", " ".join(text.split()))
        text = re.sub(r"(?:[\s,;:–—-]|\.(?=\?))+\?$", "?", re.sub(r",(?:\s*,)+", ",", text)).lstrip(" ,;:–—-")
        return text[:1].upper() + text[1:]


class Templates(Section):
    templates: list[Template] = Field(min_length=1)
    wh: dict[str, dict[str, Annotated[str, Field(min_length=1)]]]

    @model_validator(mode="after")
    def fit_together(self):
        for place, words in self.wh.items():
            check_types(f"wh.{place}", words)
        names = [template.name for template in self.templates]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"two templates are called `{twice[0]}`")
        for template in self.templates:
            lacking = template.types - self.wh.get(template.place, {}).keys() if "{wh}" in template.ask else ()
            if lacking:
                raise ValueError(f"{template.name}: `wh.{template.place}` has no word for {min(lacking)}")
        return self


def check_types(name: str, types) -> None:
    if unknown := sorted(set(types) - set(ENTITIES)):
        raise ValueError(f"{name}: no entity type `{unknown[0]}`, only {', '.join(ENTITIES)}")


def load(file: Path = FILE) -> Templates:
    """The templates of a file. Raises UserError, in one line, for all that is wrong there."""
    try:
        return Templates.model_validate(yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader))
    except yaml.YAMLError as error:
        raise UserError(f"{file.name} is not YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        raise UserError(f"{file.name}: {messages(error)}") from None
