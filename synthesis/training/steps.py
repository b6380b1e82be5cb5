"""The steps of training: which rows each of them learns, what it does, and how a GPU repeats it without Python."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from synthesis.models.load import has_bfloat16
from synthesis.training.replicas import mean

if TYPE_CHECKING:
    from synthesis.params import Student as Settings

WINDOW = 50  # batches whose rows are sorted by length together


def batches(lengths: np.ndarray, steps: int, batch: int, seed: int, versions: np.ndarray | None = None) -> np.ndarray:
    """The rows that each step learns, (steps, batch): all of them once before any comes again, those of like length
    together.

    Whatever the seed, the batch of a step is of about the same length, so that seeds can be trained side by side.
    versions: how many of the rows, one after another, are versions of one row, which each pass learns one of, in turn.
    """
    versions = np.ones_like(lengths) if versions is None else versions
    firsts = np.cumsum(versions) - versions
    random, order = np.random.default_rng(seed), np.random.default_rng(0)
    passes = -(-steps * batch // len(firsts))
    drawn = [random.permutation(len(firsts)) for _ in range(passes)]
    rows = np.concatenate([firsts[part] + turn % versions[part] for turn, part in enumerate(drawn)])[: steps * batch]
    plan = []
    for start in range(0, len(rows), WINDOW * batch):
        window = rows[start : start + WINDOW * batch]
        window = window[np.argsort(lengths[window], kind="stable")].reshape(-1, batch)
        plan.append(window[order.permutation(len(window))])
    return np.concatenate(plan)


def rates(steps: int, settings: Settings) -> np.ndarray:
    """The learning rate of each step: it rises through the warm-up, then falls in a line towards 0."""
    warm = round(steps * settings.warmup)
    return settings.learning_rate * np.interp(np.arange(steps), [-1, warm, steps], [0, 1, 0])


def plain(model, inputs: dict, _: dict):
    """What the model says of a batch, asked without a look at the targets."""
    return model(**inputs)


class Trainee:
    """A model in training, with all that its steps need on its device.

    loss, hits: sums over the steps since they were last set to 0: the mean loss of the batch, and how many of its rows
    were answered right. Both are seen before the step and with dropout, so that they cost no second pass.
    """

    def __init__(
        self,
        model,
        inputs: dict,
        targets: dict,
        objective: Callable,
        plan: np.ndarray,
        settings: Settings,
        ask: Callable = plain,
    ):
        """inputs, targets: tensors, what the model sees of each row, (rows, tokens), and what it does not, (rows,) or
        (rows, tokens). objective: of the model's output and a batch of the targets: the mean loss, and which rows are
        right, (batch,), or how much of them. plan: the rows of each step, (steps, batch). ask: how the model is asked
        about a batch of both.
        """
        self.model, self.inputs, self.targets, self.objective, self.ask = model, inputs, targets, objective, ask
        device = model.device
        self.plan = torch.from_numpy(plan).to(device)
        self.rates = torch.from_numpy(rates(len(plan), settings)).float().to(device)
        self.place = torch.zeros(1, dtype=torch.int64, device=device)  # of the next step
        self.rate, self.loss, self.hits = torch.zeros(3, device=device).unbind()
        self.weights = [weight for weight in model.parameters() if weight.requires_grad]
        groups = [
            {"params": [weight for weight in self.weights if weight.ndim > 1], "weight_decay": settings.weight_decay},
            {"params": [weight for weight in self.weights if weight.ndim < 2], "weight_decay": 0.0},  # biases and norms
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=self.rate, fused=True, capturable=device.type == "cuda")
        self.halved = has_bfloat16(device)

    def take_sums(self) -> tuple[float, float]:
        """Return `loss` and `hits`, and set both to 0. Of several processes, the mean of theirs."""
        mean([self.loss, self.hits])
        sums = float(self.loss), float(self.hits)
        self.loss.zero_()
        self.hits.zero_()
        return sums

    def step(self, longest: int, said: int = 0) -> None:
        """Learn the next batch, its rows padded to `longest` tokens, and what they should say to `said`. Nothing here
        waits for the device.
        """
        rows = self.plan.index_select(0, self.place)[0]
        inputs = {name: column[:, :longest].index_select(0, rows) for name, column in self.inputs.items()}
        targets = {
            name: (column[:, :said] if said and column.ndim > 1 else column).index_select(0, rows)
            for name, column in self.targets.items()
        }
        with torch.autocast(rows.device.type, torch.bfloat16, enabled=self.halved):
            output = self.ask(self.model, inputs, targets)
        loss, right = self.objective(output, targets)
        loss.backward()
        mean([weight.grad for weight in self.weights if weight.grad is not None])
        torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        self.rate.copy_(self.rates.index_select(0, self.place)[0])
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.loss += loss.detach()
        self.hits += right.sum()
        self.place += 1


class SideBySide:
    """Steps of several trainees at once on a GPU, recorded as CUDA graphs.

    A step of a small model is a thousand small kernels, which Python takes longer to start than the GPU to run. So the
    step is recorded once for each length of a batch, and one call repeats it. Each trainee has a stream of its own in
    the recording: several share the GPU, which one of them does not fill. They share its random numbers as well, so a
    student depends on how many there are. A model whose step cannot be recorded takes it without.
    """

    def __init__(self, trainees: Sequence[Trainee]):
        self.trainees, self.streams = trainees, [torch.cuda.Stream() for _ in trainees]
        self.graphs, self.pool = {}, torch.cuda.graph_pool_handle()  # by lengths
        self.known = set()  # lengths that have been stepped through: what is recorded must be warm
        self.recording = True

    def step(self, *lengths: int) -> None:
        """Each trainee learns its next batch."""
        if self.recording and lengths in self.known and lengths not in self.graphs:
            self._record(lengths)
        if lengths in self.graphs:
            self.graphs[lengths].replay()
        else:
            self._fork(lengths)
            self.known.add(lengths)

    def _fork(self, lengths: tuple[int, ...]) -> None:
        here = torch.cuda.current_stream()
        for trainee, stream in zip(self.trainees, self.streams, strict=True):
            stream.wait_stream(here)
            with torch.cuda.stream(stream):
                trainee.step(*lengths)
        for stream in self.streams:
            here.wait_stream(stream)

    def _record(self, lengths: tuple[int, ...]) -> None:
        graph, generator = torch.cuda.CUDAGraph(), torch.cuda.default_generators[torch.cuda.current_device()]
        before = generator.clone_state()
        try:
            with torch.cuda.stream(torch.cuda.current_stream()), torch.cuda.graph(graph, self.pool):
                self._fork(lengths)
        except RuntimeError as error:
            generator.graphsafe_set_state(before)  # the failed recording keeps the one that it began with
            self.recording = False
            reason = str(error).partition("\n")[0]
            print(f"training without CUDA graphs, which this model does not allow: {reason}", file=sys.stderr)
        else:
            self.graphs[lengths] = graph
