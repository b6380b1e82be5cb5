"""What an encoder makes of texts: one vector each, and the tokens that they are cut into.

Vectors are cached by text, across runs: $STUDENT_CACHE, by default embeddings.sqlite in the user's cache folder.
"""

import hashlib
import sqlite3
from collections.abc import Sequence
from contextlib import closing, contextmanager

import numpy as np

from synthesis import UserError
from synthesis.encoding.forward import forward, tokenize
from synthesis.models.load import fingerprint, load_model, load_tokenizer
from synthesis.paths import user_file


def embed(texts: Sequence[str], model: str, max_tokens: int) -> tuple[np.ndarray, int]:
    """Return embeddings (texts, hidden) of length 1 and the number of tokens read, from the cache where it has them."""
    mark = fingerprint(model)
    keys = {text: hashlib.sha256(f"{mark}\n{max_tokens}\n{text}".encode()).digest() for text in texts}
    with _cache() as cache:
        found = {}
        for text, key in keys.items():
            if row := cache.execute("SELECT vector, tokens FROM embedding WHERE key = ?", (key,)).fetchone():
                found[text] = np.frombuffer(row[0], "<f4"), row[1]
        missing = [text for text in keys if text not in found]
        if missing:
            found |= zip(missing, _encode(missing, model, max_tokens), strict=True)
            fresh = [(keys[text], found[text][0].astype("<f4").tobytes(), found[text][1]) for text in missing]
            cache.executemany("INSERT OR IGNORE INTO embedding VALUES (?, ?, ?)", fresh)
            cache.commit()
    return np.stack([found[text][0] for text in texts]), sum(found[text][1] for text in texts)


def pieces(texts: Sequence[str], model: str) -> list[list[int]]:
    """Return each text as the ids of its tokens, [CLS] and [SEP] or their like included, cut where the model's own
    limit is: 512 tokens for most encoders, whatever student.max_tokens is."""
    return [row["input_ids"] for row in tokenize(load_tokenizer(model), list(texts))]


def parameters(model: str) -> int:
    """Return how many weights the encoder has, from the cache once it was counted."""
    mark = fingerprint(model)
    with _cache() as cache:
        if row := cache.execute("SELECT parameters FROM encoder WHERE model = ?", (mark,)).fetchone():
            return row[0]
        count = _encoder(model).num_parameters()
        cache.execute("INSERT OR IGNORE INTO encoder VALUES (?, ?)", (mark, count))
        cache.commit()
        return count


class Encoder:
    """An encoder that stays loaded, for more texts than a cache should hold."""

    def __init__(self, model: str, max_tokens: int):
        import torch  # here and not above: a run that finds every text in the cache does not need it

        self.tokenizer = load_tokenizer(model, max_tokens)
        self.model = _encoder(model).to(torch.accelerator.current_accelerator(check_available=True) or "cpu")

    def embed(self, texts: Sequence[str]) -> tuple[np.ndarray, int]:
        """Return embeddings (texts, hidden) of length 1 and the number of tokens read."""
        encoded = self.encode(texts)
        return np.stack([vector for vector, _ in encoded]), sum(tokens for _, tokens in encoded)

    def encode(self, texts: Sequence[str]) -> list[tuple[np.ndarray, int]]:
        """Return the embedding of each text, and how many tokens it has."""
        rows = list(tokenize(self.tokenizer, list(texts)))
        vectors = forward(
            self.model,
            self.tokenizer,
            rows,
            self.model.config.hidden_size,
            lambda output, batch: mean(output.last_hidden_state, batch["attention_mask"]),
        )
        return [(vector, len(row["input_ids"])) for vector, row in zip(vectors, rows, strict=True)]


def mean(vectors, mask):
    """Return the mean of each row's token vectors, scaled to length 1: tensors (rows, tokens, hidden), (rows, tokens)
    to (rows, hidden)."""
    from torch.nn.functional import normalize

    return normalize((vectors * mask.unsqueeze(-1)).sum(1), dim=-1)


def _encoder(model: str):
    """Return the encoder of `model`, on the processor."""
    from transformers import AutoModel

    loaded = load_model(AutoModel, model)
    return loaded.get_encoder() if loaded.config.is_encoder_decoder else loaded


def _encode(texts, model, max_tokens) -> list[tuple[np.ndarray, int]]:
    return Encoder(model, max_tokens).encode(texts)


@contextmanager
def _cache():
    """Yield the table of embeddings, kept across runs and shared by processes. Raises UserError when it is broken."""
    path = user_file("STUDENT_CACHE", "embeddings.sqlite")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=60)) as cache:
            cache.execute("PRAGMA journal_mode = WAL")
            cache.execute("CREATE TABLE IF NOT EXISTS embedding (key BLOB PRIMARY KEY, vector BLOB, tokens INTEGER)")
            cache.execute("CREATE TABLE IF NOT EXISTS encoder (model TEXT PRIMARY KEY, parameters INTEGER)")
            yield cache
    except (sqlite3.Error, OSError) as error:
        raise UserError(f"{path}: {error}; delete it, or name another file in $STUDENT_CACHE") from error
