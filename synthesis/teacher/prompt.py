"""Prompts: Jinja templates in files. What they show is data and is never read as a template."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, meta
from jinja2.sandbox import SandboxedEnvironment

from synthesis import UserError
from synthesis.params import Params
from synthesis.teacher.request import Request

if TYPE_CHECKING:
    from synthesis.tasks.base import Task

FOLDER = Path("prompts")


class Missing(StrictUndefined):
    """A slot that is not filled: `{% if examples %}` may ask for it, and to show it is an error."""

    def __bool__(self) -> bool:
        return False


JINJA = SandboxedEnvironment(undefined=Missing, trim_blocks=True, lstrip_blocks=True)


class Prompt:
    """One prompt file. step: its name. variables: the slots that it shows."""

    def __init__(self, path: Path, step: str, template, variables: set[str]):
        self.path, self.step, self.template, self.variables = path, step, template, variables

    @classmethod
    def of(cls, task: Task, params: Params, step: str) -> Prompt:
        """The prompt of a task's step in the variant that params.prompts names. Raises UserError as `load` does."""
        path = FOLDER / task.name / params.prompts / f"{step}.md"
        return cls.load(path, set(task.variables[step]), set(task.required[step]))

    @classmethod
    def load(cls, path, allowed: set[str], required: set[str]) -> Prompt:
        """Read and check a prompt file.

        allowed: the variables that it may show. required: those of them that it must show. Raises UserError when it
        does not keep to them, is missing, not UTF-8, or no template.
        """
        path = Path(path)
        try:
            source = path.read_text(encoding="utf-8-sig")
            shown = meta.find_undeclared_variables(JINJA.parse(source)) - set(JINJA.globals)
            template = JINJA.from_string(source)
        except FileNotFoundError:
            raise UserError(
                f"{path} is missing: write it, or name another variant as `prompts` in params.yaml"
            ) from None
        except UnicodeDecodeError as error:
            raise UserError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8") from None
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}") from None
        except TemplateSyntaxError as error:
            raise UserError(f"{path}:{error.lineno}: {error.message}") from None
        problems = [f"there is no {_names(shown - allowed)}"] if shown - allowed else []
        problems += [f"it must show {_names(required - shown)}"] if required - shown else []
        if problems:
            raise UserError(f"{path}: {', and '.join(problems)} (available: {_names(allowed)})")
        return cls(path, path.stem, template, shown)

    def render(self, slots: dict) -> tuple[str, dict]:
        """The prompt's text, and those of the slots that it shows. Raises UserError when it cannot be rendered."""
        used = {name: slots[name] for name in sorted(self.variables) if name in slots}
        try:
            return self.template.render(used).strip(), used
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            raise UserError(f"{self.path}: {' '.join(str(error).split())}") from None

    def request(self, slots: dict, sample: int = 0, texts: int = 1) -> Request:
        """The prompt as a question to the teacher, for one text or a list of several.

        Raises UserError when it cannot be rendered.
        """
        text, used = self.render(slots)
        return Request(self.step, text, used, sample, texts)

    def listed(self, slots: dict, sample: int, texts: int) -> Request:
        """As `request`, where the prompt shows as `count` how many texts are wanted, if these are several.

        Raises UserError when it has no place for it.
        """
        if texts == 1:
            return self.request(slots, sample)
        if "count" not in self.variables:
            raise UserError(
                f"{self.path} shows no `count`: method.rows_per_request needs a place that asks for a list of so many"
            )
        return self.request(slots | {"count": texts}, sample, texts)


def _names(names: set[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names)) or "none"
