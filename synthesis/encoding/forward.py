"""How rows run through an encoder: texts become tokens, tokens padded batches, batches what the model answers."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice

import numpy as np

WINDOW = 1024  # rows that are sorted by length together
BATCH = 64  # rows
GPU_BATCH = 2**16  # tokens, padding included: a GPU needs more rows at once


def tokenize(tokenizer, inputs) -> Iterator[dict[str, list[int]]]:
    """Yield one row of token ids (and masks) for each text or pair of texts, truncated, not padded."""
    for start in range(0, len(inputs), WINDOW):
        part = inputs[start : start + WINDOW]
        columns = [list(side) for side in zip(*part, strict=True)] if isinstance(part[0], tuple) else [part]
        encoded = tokenizer(*columns, truncation="longest_first")
        yield from (dict(zip(encoded, row, strict=True)) for row in zip(*encoded.values(), strict=True))


def pad(tokenizer, rows: list[dict[str, list[int]]], device, width: int = 0) -> dict:
    """Return tokenized rows as tensors of int64, (rows, longest or `width`), filled up on the right."""
    import torch

    lengths = np.array([len(row["input_ids"]) for row in rows])
    there = np.arange(max(width, lengths.max())) < lengths[:, None]
    tensors = {}
    for name in rows[0]:
        filled = np.full(there.shape, tokenizer.pad_token_id if name == "input_ids" else 0)
        filled[there] = np.fromiter(chain.from_iterable(row[name] for row in rows), int, lengths.sum())
        tensors[name] = torch.from_numpy(filled)
        if device.type == "cuda":  # only from such memory does a copy run beside everything else
            tensors[name] = tensors[name].pin_memory().to(device, non_blocking=True)
    return tensors if device.type == "cuda" else {name: tensor.to(device) for name, tensor in tensors.items()}


def forward(model, tokenizer, rows: Iterable[dict[str, list[int]]], width: int, head) -> np.ndarray:
    """Run the model over tokenized `rows` and return `head(output, batch)`, float32 of shape (rows, width).

    Rows of like length share a batch, so that little is padding; the result is in the order of `rows`. The computation
    is in float32, whose products a GPU rounds to TF32, so batching changes no more than the rounding of sums.
    """
    import torch

    torch.backends.cuda.matmul.fp32_precision = "tf32"
    order, answers = [], []
    model.eval()
    with torch.inference_mode():
        for places, lengths, columns in _ahead(_windows(tokenizer, rows, model.device)):
            order += places
            for start, end, longest in _batches(lengths, model.device.type):
                batch = {name: column[start:end, :longest] for name, column in columns.items()}
                answers.append(head(model(**batch), batch).float())
    result = np.empty((len(order), width), np.float32)
    if order:
        result[order] = torch.cat(answers).cpu().numpy()
    return result


def _windows(tokenizer, rows: Iterable, device) -> Iterator[tuple[list[int], list[int], dict]]:
    """Of each window of rows, sorted by length: their places among all rows, their lengths, and their tensors."""
    numbered = enumerate(rows)
    while window := list(islice(numbered, WINDOW)):
        places, window = zip(*sorted(window, key=lambda row: -len(row[1]["input_ids"])), strict=True)
        yield places, [len(row["input_ids"]) for row in window], pad(tokenizer, window, device)


def _ahead(windows: Iterator) -> Iterator:
    """Yield each window while a thread prepares the next one: cutting texts into tokens takes as long as a GPU does."""
    with ThreadPoolExecutor(1) as thread:
        window = thread.submit(next, windows, None)
        while (ready := window.result()) is not None:
            window = thread.submit(next, windows, None)
            yield ready


def _batches(lengths: list[int], device: str) -> Iterator[tuple[int, int, int]]:
    """Cut rows, the longest first, into batches: the first row, the one after the last, and the longest one's length.

    What comes first needs the most memory, so that too little of it shows at once.
    """
    start = 0
    while start < len(lengths):
        rows = max(1, GPU_BATCH // lengths[start]) if device == "cuda" else BATCH
        yield start, min(start + rows, len(lengths)), lengths[start]
        start += rows
