"""An encoder for tests of the pipeline: hashed bags of words, no torch.

Tests copy it over synthesis/encoding/embedding.py.
"""

from zlib import crc32

import numpy as np

WIDTH = 1024
Encoder = None  # no test of a pipeline keeps one loaded


def embed(texts, model, max_tokens):
    vectors = np.zeros((len(texts), WIDTH), np.float32)
    rows = [ids[:max_tokens] for ids in pieces(texts, model)]
    for vector, ids in zip(vectors, rows, strict=True):
        np.add.at(vector, np.array(ids) % WIDTH, 1)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), sum(map(len, rows))


def pieces(texts, model):
    return [[crc32(word.encode()) for word in text.lower().split()] for text in texts]


def parameters(model):
    return WIDTH
