"""GGUF files as folders that transformers loads in a second. One is made of each file, once.

The folders lie in $MODEL_CACHE, by default `models` in the user's cache folder, under the SHA-256 of the GGUF file.
"""

import json
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from filelock import FileLock
from tqdm import tqdm

from synthesis import files
from synthesis.paths import user_file

VERSION = 1  # of what is made of a file: another one makes folders anew, and is another model to the response store
RECORD = "conversion.json"  # written last: the version, and the sizes of the other files
# What llama.cpp calls vocabularies that have each digit for itself, and are like GPT-2's in all else.
SINGLE_DIGITS = {"smollm", "starcoder", "refact", "command-r", "codeshell"}


def folder(file: Path, digest: str) -> Path:
    """Return the folder that is made of a GGUF file with this SHA-256.

    It is made when it is missing, not whole or of another version, by one process while others wait. Raises
    ImportError, OSError, ValueError and whatever else transformers raises when that cannot be done.
    """
    place = user_file("MODEL_CACHE", "models") / digest
    if not _is_whole(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{place}.lock"):
            if not _is_whole(place):
                _make(file, place)
    return place


def _make(file: Path, place: Path) -> None:
    draft, start = place.with_name(f".{place.name}"), perf_counter()
    tqdm.write(f"{file.name} is turned into a folder that loads fast, once: {place}", file=sys.stderr)
    shutil.rmtree(draft, ignore_errors=True)  # of a process that was killed
    draft.mkdir()
    try:
        _convert(file, draft)
        files.write_json(_contents(draft), draft / RECORD)
        shutil.rmtree(place, ignore_errors=True)
        draft.rename(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    tqdm.write(f"{file.name} is ready after {perf_counter() - start:.0f} s", file=sys.stderr)


def _is_whole(place: Path) -> bool:
    try:
        return json.loads((place / RECORD).read_text(encoding="utf-8")) == _contents(place)
    except (OSError, ValueError):
        return False


def _contents(place: Path) -> dict:
    sizes = {path.name: path.stat().st_size for path in sorted(place.iterdir()) if path.name != RECORD}
    return {"version": VERSION, "bytes": sizes}


def _convert(file: Path, draft: Path) -> None:
    """Write the model in bfloat16, and its tokenizer."""
    splitting = _splitting(file)

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    plain = {"quantization_config": GgufConfig(dequantize=True), "dtype": torch.bfloat16}
    with TemporaryDirectory() as alone:  # what lies beside the file would be taken for parts of the model
        Path(alone, file.name).symlink_to(file.resolve())
        tokenizer = AutoTokenizer.from_pretrained(alone, gguf_file=file.name)
        model = AutoModelForCausalLM.from_pretrained(alone, gguf_file=file.name, **plain)
    if splitting in SINGLE_DIGITS:  # which transformers does not know
        from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

        digits = [Digits(individual_digits=True), ByteLevel(add_prefix_space=False)]
        tokenizer.backend_tokenizer.pre_tokenizer = Sequence(digits)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.config.pad_token_id = model.generation_config.pad_token_id = tokenizer.pad_token_id
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    tokenizer.model_max_length = limit or tokenizer.model_max_length
    tokenizer.save_pretrained(draft)
    model.save_pretrained(draft)


def _splitting(file: Path) -> str | None:
    """Return what a GGUF file says of how its vocabulary splits texts. Raises when the file is not whole."""
    if find_spec("gguf") is None:
        raise ImportError("the package that reads such files is missing, `pip install gguf`")
    from gguf import GGUFReader

    try:
        field = GGUFReader(file).get_field("tokenizer.ggml.pre")
    except OSError:
        raise
    except Exception as error:  # it raises nearly everything for what it cannot read
        raise ValueError(f"it is no GGUF file, or not a whole one ({error})") from error
    return field.contents() if field else None
