"""Studies: arms that are run and compared together, each a list of overrides of params.yaml. studies/ holds them."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from itertools import groupby, product
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator

from synthesis import UserError
from synthesis.params import Params, Section, messages
from synthesis.tasks.base import CAPABILITIES

FOLDER = Path("studies")
NAME = re.compile(r"\{(\w+)\}")  # in keys and values: the task, or a value of the arm's list
ALONE = "worth", "ratios"  # what `synthesis compare` shows in the place of its table
COUNTS = {"as_many_as": sum, "as_many_each_round_as": lambda counts: counts[1:]}  # of accepted rows


class Arm(Section):
    """One arm, or with `for_each` one for each value of that list, or for each combination of values of several.

    needs: a capability of the kind of task, without which the arm is left out. set: values by the dotted keys of
    params.yaml; {as_many_as: ARM} is a count that is taken from another arm, in whose name names are filled in as well.
    """

    name: str
    what: str
    needs: Literal[tuple(CAPABILITIES)] | None = None
    for_each: str | list[str] = []
    set: dict[str, Any] = {}

    def fill(self, names: dict[str, Any], common: dict[str, Any]) -> Arm:
        """The arm with its names filled in, on top of values that all arms have. Raises UserError for unknown names."""
        try:
            values = {str(_fill(key, names)): _fill(value, names) for key, value in (common | self.set).items()}
            name, what = (str(_fill(text, names)) for text in (self.name, self.what))
            return Arm(name=name, what=what, needs=self.needs, set=values)
        except KeyError as error:
            raise UserError(f"arm `{self.name}`: {{{error.args[0]}}} is neither {{task}} nor its for_each") from None

    @property
    def lists(self) -> list[str]:
        """The names of the lists that it is repeated for."""
        return [self.for_each] if isinstance(self.for_each, str) else self.for_each

    @property
    def counted(self) -> list[str]:
        """The arms that counts are taken from."""
        return [arm for value in self.set.values() if _is_count(value) for arm in value.values()]

    def overrides(self, accepted: Callable[[str], list[int]]) -> dict[str, Any]:
        """The values, counts filled in. accepted: the rows that an arm accepted, as seed data and in each round."""
        counts = ((key, *value.items()) for key, value in self.set.items() if _is_count(value))
        return self.set | {key: COUNTS[how](accepted(arm)) for key, (how, arm) in counts}


class Study(Section):
    """A study's file.

    compare: what `synthesis compare` shows. set: overrides for every arm. targets: the stages that a run must reach; by
    default all.
    """

    what: str
    compare: list[Literal["spread", "budgets", "worth", "ratios"]] = []
    set: dict[str, Any] = {}
    targets: list[str] = []
    lists: dict[str, list] = {}
    arms: list[Arm] = Field(min_length=1)

    @field_validator("compare")
    @classmethod
    def go_together(cls, compare):
        if len(compare) > 1 and (alone := [name for name in compare if name in ALONE]):
            raise ValueError(f"`{alone[0]}` is shown in the place of all else: name it alone")
        return compare

    def expand(self, task: str, lists: dict[str, list], changes: dict[str, Any]) -> list[Arm]:
        """The arms of a task. lists, changes: in the place of the study's own lists, and on top of its overrides.

        Raises UserError for a list or an arm that is not there, for two arms of one name, and where no arm is left.
        """
        used = lists.keys() | {name for arm in self.arms for name in arm.lists}
        if unknown := used - self.lists.keys():
            raise UserError(f"the study has no list `{min(unknown)}` (there: {', '.join(self.lists) or 'none'})")
        arms = []
        for names, group in groupby(self.arms, lambda arm: arm.lists):
            entries = list(group)
            for values in product(*((self.lists | lists)[name] for name in names)):
                filled = {"task": task} | dict(zip(names, values, strict=True))
                arms += [arm.fill(filled, self.set | changes) for arm in entries]
        if not arms:
            raise UserError("no arm is left, as their lists are empty: give these values by --each LIST=A,B")
        for place, arm in enumerate(arms):
            earlier = [other.name for other in arms[:place]]
            if arm.name in earlier:
                raise UserError(f"two arms would be called `{arm.name}`: give one value, or make it part of the name")
            if unknown := [other for other in arm.counted if other not in earlier]:
                raise UserError(f"arm `{arm.name}` takes a count from `{unknown[0]}`, which is no arm before it")
        return arms


def load(name: str) -> Study:
    """Read and check a study. Raises one UserError that lists every key that is wrong."""
    file = FOLDER / f"{name}.yaml"
    try:
        return Study.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        there = ", ".join(sorted(path.stem for path in FOLDER.glob("*.yaml"))) or "none"
        raise UserError(f"there is no study {file} (there: {there})") from None
    except yaml.YAMLError as error:
        raise UserError(f"{file} is not YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        raise UserError(f"{file}: {messages(error)}") from None


def choose(arms: list[Arm], names: list[str]) -> list[Arm]:
    """The arms of these names, the first one, which is the baseline, and those that counts are taken from.

    Raises UserError for a name that no arm has.
    """
    if unknown := [name for name in names if name not in [arm.name for arm in arms]]:
        raise UserError(f"the study has no arm `{unknown[0]}` (there: {', '.join(arm.name for arm in arms)})")
    needed = {arms[0].name, *names}
    for arm in reversed(arms):  # counts come from earlier arms, which may take counts themselves
        if arm.name in needed:
            needed.update(arm.counted)
    return [arm for arm in arms if arm.name in needed]


def override(content: dict, values: dict[str, Any], arm: str) -> Params:
    """Parameters with other values by dotted keys. Raises UserError, which names the arm, for a wrong one."""
    content = deepcopy(content)
    for key, value in values.items():
        section, (*path, last) = content, key.split(".")
        for part in path:
            section = section.get(part) if isinstance(section, dict) else None
        if not isinstance(section, dict) or last not in section:
            raise UserError(f"arm `{arm}`: params.yaml has no `{key}` (a misspelt name?)")
        section[last] = value
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        raise UserError(f"arm `{arm}`: {messages(error)}") from None


def _is_count(value) -> bool:
    return isinstance(value, dict) and len(value) == 1 and value.keys() <= COUNTS.keys()


def _fill(value, names: dict[str, Any]):
    """The value with its names filled in. One that is nothing but a name becomes what that stands for, of any type."""
    if isinstance(value, dict):
        return {key: _fill(part, names) for key, part in value.items()}
    if not isinstance(value, str):
        return value
    whole = NAME.fullmatch(value)
    return names[whole[1]] if whole else NAME.sub(lambda match: str(names[match[1]]), value)
