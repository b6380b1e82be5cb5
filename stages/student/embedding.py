"""What an encoder makes of texts: one vector each, and the tokens that they are cut into.

Vectors are cached by text, across runs: $STUDENT_CACHE, by default embeddings.sqlite in the user's cache folder.
"""

import hashlib
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
from platformdirs import user_cache_dir

from stages.pipeline.stage import UserError
from stages.student.encoder import fingerprint, load_model, load_tokenizer, run, tokenize


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


def _encode(texts, model, max_tokens) -> list[tuple[np.ndarray, int]]:
    """Return the mean of each text's token vectors, scaled to length 1, and how many tokens it has."""
    import torch  # here and not above: a run that finds every text in the cache needs neither
    from transformers import AutoModel

    def mean(output, batch):
        mask = batch["attention_mask"].unsqueeze(-1)
        return torch.nn.functional.normalize((output.last_hidden_state * mask).sum(1), dim=-1)

    tokenizer = load_tokenizer(model, max_tokens)
    encoder = load_model(AutoModel, model).to(torch.accelerator.current_accelerator(check_available=True) or "cpu")
    if encoder.config.is_encoder_decoder:
        encoder = encoder.get_encoder()
    rows = tokenize(tokenizer, texts)
    vectors = run(encoder, tokenizer, rows, encoder.config.hidden_size, mean)
    return [(vector, len(row["input_ids"])) for vector, row in zip(vectors, rows, strict=True)]


@contextmanager
def _cache():
    """Yield the table of embeddings, kept across runs and shared by processes. Raises UserError when it is broken."""
    path = Path(os.environ.get("STUDENT_CACHE") or Path(user_cache_dir("synthesis-step-by-step")) / "embeddings.sqlite")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=60)) as cache:
            cache.execute("PRAGMA journal_mode = WAL")
            cache.execute("CREATE TABLE IF NOT EXISTS embedding (key BLOB PRIMARY KEY, vector BLOB, tokens INTEGER)")
            yield cache
    except (sqlite3.Error, OSError) as error:
        raise UserError(f"{path}: {error}; delete it, or name another file in $STUDENT_CACHE") from error
