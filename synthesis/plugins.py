"""Modules that a parameter names: kinds of tasks and students, providers, parsers. A new file is a new choice."""

import pkgutil
from collections.abc import Collection, Mapping
from importlib import import_module
from types import MappingProxyType, ModuleType

from synthesis import UserError


def load(
    package: str,
    name: str,
    key: str,
    helpers: Collection[str] = (),
    aliases: Mapping[str, str] = MappingProxyType({}),
) -> ModuleType:
    """Import the module of a package that a parameter names, only now, as it may need libraries that load for seconds.

    key: what names it, for the error. helpers: modules of the package that are no choices. aliases: by further choices,
    their modules. Raises UserError, with all choices, when the name is none of them.
    """
    modules = {module.name for module in pkgutil.iter_modules(import_module(package).__path__)} - set(helpers)
    if name not in modules and name not in aliases:
        raise UserError(f"{key} is `{name}`, which is not one of {', '.join(sorted({*modules, *aliases}))}")
    return import_module(f"{package}.{aliases.get(name, name)}")
