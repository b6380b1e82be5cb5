"""A causal model that writes rows of any age side by side: a token of each in one step.

Every row has a place in the cache of keys and values, and keeps it until it has ended; then another row is read into it
(continuous batching; Yu et al., 2022, Orca). transformers' own continuous batching draws from one generator for all
rows, so that an answer would depend on its company; `generate` lets ended rows idle until the longest has ended.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass

import torch
from transformers.cache_utils import Cache, DynamicLayer

from synthesis.decoding.sampling import Likeliest, Sampling

COLUMNS = 64  # the cache grows by as many tokens a row
READ = 8192  # tokens, padding included, of prompts that are read at once
KINDS = {"full_attention", "sliding_attention"}  # of layers whose state is a cache of keys and values


@dataclass
class Target:
    """Where keys and values go that the model is about to compute, and what it then sees."""

    places: torch.Tensor  # (rows, 1)
    columns: torch.Tensor  # (rows or 1, tokens)
    source: torch.Tensor | slice  # for each place the computed row that goes there
    seen: torch.Tensor | slice  # for each computed row the place that it attends to
    length: int  # columns that it attends to


class Layer(DynamicLayer):
    """Keys and values of one layer, each (places, heads, columns, features)."""

    def __init__(self, decoder: Decoder):
        super().__init__()
        self.decoder = decoder

    def update(self, keys: torch.Tensor, values: torch.Tensor, *_, **__) -> tuple[torch.Tensor, torch.Tensor]:
        """Keep what is new; return what the model attends to."""
        if not self.is_initialized:
            self.is_initialized = True
            self.keys, self.values = keys[:0], values[:0]
            self.grow(self.decoder.size, self.decoder.capacity)
        target = self.decoder.target
        for cache, new in ((self.keys, keys), (self.values, values)):
            cache[target.places, :, target.columns] = new[target.source].transpose(1, 2)
        return self.keys[target.seen, :, : target.length], self.values[target.seen, :, : target.length]

    def grow(self, places: int, columns: int) -> None:
        """Make room. Zeros, because what is masked must still be a number."""
        self.keys, self.values = (_grown(cache, places, columns) for cache in (self.keys, self.values))


class Decoder:
    """A causal model with `size` places. Prompts are read into places; a step then writes a token in each."""

    def __init__(self, model, size: int, sampling: Sampling | Likeliest):
        self.model, self.size, self.sampling = model, size, sampling
        self.device, self.capacity, self.target = model.device, 0, None
        here = weakref.proxy(self)  # so that the memory is free as soon as the decoder is out of use
        self.cache = Cache(layer_class_to_replicate=lambda: Layer(here))
        self.graph = Graph(here) if self.device.type == "cuda" else None

    @staticmethod
    def knows(model) -> bool:
        """Whether the model's state is a cache of keys and values, which rows of different ages can share."""
        return model._can_compile_fullgraph and model._supports_attention_backend and _kinds(model.config) <= KINDS

    @torch.inference_mode()
    def read(self, places: list[int], prompts: list[list[int]]) -> None:
        """Put all but the last token of each prompt into its place: the first step writes that one.

        The longest come first. What all of them begin with is read once, and so are equal ones.
        """
        self._reserve(len(prompts[0]))
        prompts = [prompt[:-1] for prompt in prompts]
        start = next(
            (column for column, tokens in enumerate(zip(*prompts, strict=False)) if len({*tokens}) > 1),
            len(prompts[-1]),
        )
        self._read(places, [prompts[0][:start]] * len(prompts), 0)
        while prompts and len(prompts[0]) > start:
            count = max(1, READ // len(prompts[0]))
            self._read(places[:count], prompts[:count], start)
            places, prompts = places[count:], prompts[count:]

    @torch.inference_mode()
    def step(self, states: list[tuple[int, int, int, int]]) -> list[int]:
        """The next token of each row, in the order of their places.

        states: of each row its last token, the position of that, and seed and count of the random number for the next.
        """
        length = max(position for _, position, _, _ in states) + 1
        self._reserve(length)
        inputs = torch.tensor(states, device=self.device).T
        if self.graph:
            inputs, (logits, *drawn) = self.graph.run(inputs)
        else:
            logits, *drawn = self.next(inputs, length)
        return self.sampling.redraw(logits, *inputs[2:], *drawn)[: len(states)].tolist()

    def next(self, inputs: torch.Tensor, length: int) -> tuple[torch.Tensor, ...]:
        """Logits, drawn tokens and whether these count, of rows that see `length` columns at most."""
        tokens, positions, seeds, counts = inputs
        places = torch.arange(len(tokens), device=self.device)[:, None]
        logits = self._run(tokens[:, None], Target(places, positions[:, None], slice(None), slice(len(tokens)), length))
        return logits, *self.sampling.draw(logits, seeds, counts)

    @torch.inference_mode()
    def move(self, source: int, target: int) -> None:
        """Take a row from one place to another."""
        for layer in self.cache.layers:
            for cache in (layer.keys, layer.values):
                cache[target] = cache[source]

    def _read(self, places: list[int], prompts: list[list[int]], start: int) -> None:
        """Read what the prompts have from column `start` on."""
        width = len(prompts[0])
        if width == start:
            return
        rows = {tuple(prompt[start:]): place for place, prompt in zip(places, prompts, strict=True)}
        numbers = {row: number for number, row in enumerate(rows)}
        ids = [[*row, *[0] * (width - start - len(row))] for row in rows]
        places, source, seen, ids = (
            torch.tensor(values, device=self.device)
            for values in (places, [numbers[tuple(prompt[start:])] for prompt in prompts], list(rows.values()), ids)
        )
        columns = torch.arange(start, width, device=self.device)[None]
        self._run(ids, Target(places[:, None], columns, source, seen, width))

    def _run(self, ids: torch.Tensor, target: Target) -> torch.Tensor:
        """The logits after the last token of each row."""
        self.target = target
        positions = target.columns.expand_as(ids)
        return self.model(
            ids,
            position_ids=positions,
            attention_mask=self._mask(positions, target.length),
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]

    def _mask(self, positions: torch.Tensor, length: int):
        """What is added to the attention of each row: nothing up to its own position, and not beyond the window."""
        masks, positions, columns = {}, positions[..., None], torch.arange(length, device=self.device)
        for kind in _kinds(self.model.config):
            hidden = columns > positions
            if kind == "sliding_attention":
                hidden |= columns <= positions - self.model.config.get_text_config().sliding_window
            mask = torch.zeros(hidden.shape, dtype=self.model.dtype, device=self.device)
            masks[kind] = mask.masked_fill(hidden, torch.finfo(mask.dtype).min)[:, None]
        return masks if len(masks) > 1 else masks.popitem()[1]

    def _reserve(self, columns: int) -> None:
        if columns > self.capacity:
            columns = max(columns, self.capacity * 5 // 4)
            self.capacity = -(-columns // COLUMNS) * COLUMNS
            if self.graph:
                self.graph.drop()
            for layer in self.cache.layers:
                layer.grow(self.size, self.capacity)


class Graph:
    """One step of all places as a CUDA graph: hundreds of kernels are launched at once, without Python."""

    def __init__(self, decoder: Decoder):
        self.decoder, self.graph, self.outputs, self.possible = decoder, None, None, True
        self.inputs = torch.zeros(4, decoder.size, dtype=torch.int64, device=decoder.device)

    def run(self, inputs: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """All inputs, and `Decoder.next` of them. Places without a row write into a first column that nobody sees."""
        self.inputs.zero_()
        self.inputs[:, : inputs.shape[1]] = inputs
        if self.graph is None and self.possible:
            self._capture()
        if not self.possible:
            return self.inputs, self.decoder.next(self.inputs, self.decoder.capacity)
        self.graph.replay()
        return self.inputs, self.outputs

    def drop(self) -> None:
        """Forget the graph: the tensors that it was made for are gone."""
        self.graph = self.outputs = None

    def _capture(self) -> None:
        """Before it is captured, a step runs in earnest: a step that is repeated writes the same once more."""
        decoder, stream = self.decoder, torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            decoder.next(self.inputs, decoder.capacity)
        torch.cuda.current_stream().wait_stream(stream)
        self.graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(self.graph):
                self.outputs = decoder.next(self.inputs, decoder.capacity)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError:  # a model that looks at its numbers in the middle of a step, as some experts do
            self.graph, self.possible = None, False


def _kinds(config) -> set[str]:
    """Of layers: what each of them attends to."""
    config = config.get_text_config()
    sliding = getattr(config, "sliding_window", None)
    return set(getattr(config, "layer_types", None) or ["sliding_attention" if sliding else "full_attention"])


def _grown(cache: torch.Tensor, places: int, columns: int) -> torch.Tensor:
    result = cache.new_zeros(places, cache.shape[1], columns, cache.shape[3])
    result[: cache.shape[0], :, : cache.shape[2]] = cache
    return result
