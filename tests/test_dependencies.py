"""dvc.yaml names the code of every stage exactly: what its imports reach, however deep and late, and no more."""

import ast
from functools import cache
from pathlib import Path

import pytest
from dvc.repo import Repo

ROOT = Path(__file__).parent.parent
# It carries parameters, tables and choices to the code that uses them, and changes nothing by itself.
PLUMBING = {f"synthesis/{name}.py" for name in ("__init__", "files", "params", "paths", "plugins", "run")}
PROVIDERS = ROOT / "synthesis" / "providers"


@cache
def declared() -> dict[str, set[str]]:
    """By stage: the files of code among its dependencies, as DVC resolves them; a folder stands for all its files."""
    stages = {}
    for stage in Repo(str(ROOT)).index.stages:
        names = {Path(dep.fs_path).relative_to(ROOT).as_posix() for dep in stage.deps}
        code = {name for name in names if name.startswith(("stages/", "synthesis/"))}
        stages.setdefault(stage.name.split("@")[0], set()).update(file for name in code for file in files(ROOT / name))
    return stages


def files(path: Path) -> set[str]:
    parts = [path] if path.is_file() else path.rglob("*")
    return {
        part.relative_to(ROOT).as_posix() for part in parts if part.is_file() and "__pycache__" not in part.as_posix()
    }


def reached(start: str, provider: str) -> set[str]:
    """The files of this repository that a file imports, itself and through others, but for the plumbing."""
    known, waiting = set(), [start]
    while waiting:
        file = waiting.pop()
        if file in known:
            continue
        known.add(file)
        waiting += imports(file)
    own = (PROVIDERS / provider).relative_to(ROOT).as_posix()
    others = {file for file in known if file.startswith("synthesis/providers/") and not file.startswith(f"{own}/")}
    return known - PLUMBING - others


@cache
def imports(file: str) -> frozenset[str]:
    """What one file imports: modules with the packages around them, plug-ins that it loads, and the data it reads."""
    path = ROOT / file
    if path.suffix != ".py":
        return frozenset()
    found = set()
    package = path.parent.relative_to(ROOT).as_posix().replace("/", ".")
    for node in ast.walk(without_annotations(ast.parse(path.read_text()))):
        if isinstance(node, ast.Import):
            found |= {file for name in node.names for file in module(name.name)}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: 1 - node.level or None]) if node.level else ""
            origin = ".".join(filter(None, [base, node.module]))
            found |= {file for name in node.names for file in module(origin) | module(f"{origin}.{name.name}")}
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "plugins.load":
            name = package if isinstance(node.args[0], ast.Name) else node.args[0].value
            found |= files(ROOT / name.replace(".", "/"))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value:
            found |= {name for name in files(path.parent) if Path(name).name == node.value}
    return frozenset(found)


def without_annotations(tree: ast.Module) -> ast.Module:
    """The module without what only type checkers read."""
    tree.body = [
        node for node in tree.body if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    ]
    return tree


def module(name: str) -> set[str]:
    """The file of a module of this repository, and those of the packages that it is in; nothing for other names."""
    parts = name.split(".")
    if parts[0] not in ("stages", "synthesis"):
        return set()
    places = [ROOT.joinpath(*parts[:depth]) for depth in range(1, len(parts) + 1)]
    candidates = [place / "__init__.py" for place in places] + [places[-1].with_suffix(".py")]
    return {place.relative_to(ROOT).as_posix() for place in candidates if place.is_file()}


@pytest.mark.parametrize("stage", sorted(declared()))
def test_dependencies_are_what_is_imported(stage):
    file = {"start": "combine"}.get(stage, stage)
    needed = reached(f"stages/{file}.py", "transformers")  # the provider of params.yaml
    assert sorted(needed - declared()[stage]) == [], "missing: changes of these would not make the stage stale"
    assert sorted(declared()[stage] - needed) == [], "needless: changes of these make the stage stale for nothing"


def test_what_a_provider_needs_is_there_for_every_stage_that_asks():
    """dvc.yaml names the folder of the provider in use; so all else that any provider imports must be named, too."""
    for provider in sorted(place.name for place in PROVIDERS.iterdir() if (place / "__init__.py").is_file()):
        for stage in ("rationales", "seed", "extrapolate"):
            own = files(PROVIDERS / provider)
            assert reached(f"stages/{stage}.py", provider) <= declared()[stage] | own


def test_late_imports_plug_ins_and_data_are_seen():
    stages = ("combine", "train", "rationales")
    combine, train, rationales = (reached(f"stages/{stage}.py", "template") for stage in stages)
    assert "synthesis/filters/student.py" in combine, "imported inside a function"
    assert {"synthesis/students/classifier.py", "synthesis/students/reader.py"} <= train, "loaded by name"
    assert {"synthesis/models/packaged.yaml", "synthesis/tasks/span_qa.py"} <= train, "read as a file"
    assert not any(file.startswith("synthesis/providers/openai") for file in rationales), "another provider"
