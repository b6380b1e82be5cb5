"""An exported student, run by onnxruntime and tokenizers alone: neither torch nor transformers is needed."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from synthesis import UserError, cores
from synthesis.service.answers import FORMS
from synthesis.service.encoding import WAYS
from synthesis.students.calibration import Calibration
from synthesis.students.spans import Window, best_span

# Rows that the model reads at once, and the shortest one's share of the longest one's tokens. A processor gains next to
# nothing from more rows, and loses what it computes for padding.
ROWS, LIKE = 8, 0.8
SLOWER = ["SkipLayerNormFusion"]  # its kernel takes several times as long as the two that it puts together
FORMAT = 2  # of export.json
ENDLESS = 10**9  # tokens


def alike(lengths: list[int]) -> list[list[int]]:
    """The places of rows that are read together, the longest first."""
    groups = []
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        if groups and len(groups[-1]) < ROWS and lengths[place] >= LIKE * lengths[groups[-1][0]]:
            groups[-1].append(place)
        else:
            groups.append([place])
    return groups


def facts(folder) -> dict:
    """What export.json says. Raises UserError when the folder holds no export, or one of another version."""
    file = Path(folder) / "export.json"
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{file} is missing: `synthesis export` writes it") from None
    except ValueError as error:
        raise UserError(f"{file} is broken: {error}: run `synthesis export` again") from None
    if told.get("format") != FORMAT:
        raise UserError(f"{folder} is an export of another version: run `synthesis export` again")
    return told


class Engine:
    """An exported student. It answers as the one that it was made of, whatever else is asked at the same time.

    facts: export.json: `reads`, the columns that it is given; `labels`; `max_tokens`; `temperature`; and the rest.
    """

    def __init__(self, folder, threads: int | None = None):
        """Raises UserError when the folder holds no export, or one of another version."""
        folder, self.facts = Path(folder), facts(folder)
        try:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1  # a thread a batch: several threads would wait for each other
            options.log_severity_level = 3
            self.session = onnxruntime.InferenceSession(
                folder / "model.onnx", options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOWER
            )
            self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except FileNotFoundError as error:
            raise UserError(f"{error.filename} is missing: `synthesis export` writes it") from None
        except Exception as error:  # onnxruntime and tokenizers raise kinds of their own, all for a broken file
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"{folder} cannot be loaded: {reason}: run `synthesis export` again") from None
        self.pool = ThreadPoolExecutor(threads or cores())
        self.tokenizer.no_padding()
        self.calibration = Calibration(self.facts["temperature"], self.facts["threshold"])
        self.form = FORMS[self.facts["answer"]](self.facts["labels"])
        self.cuts = self.facts["encode"] != "windows"  # what is too long loses its end
        self.names = [given.name for given in self.session.get_inputs()]

    def predict(self, inputs: list) -> np.ndarray | list[tuple]:
        """Return an answer for each of `inputs`, texts or pairs of texts, in their order.

        Labels: probabilities, float32 of shape (rows, labels). Spans: (text, start, probability).
        """
        return self.settle(self.read(inputs))

    def read(self, inputs: list) -> np.ndarray | list[tuple]:
        """As `predict`, but logits in the place of probabilities."""
        if not inputs:
            return np.empty((0, len(self.facts["labels"])), np.float32) if self.facts["labels"] else []
        rows = WAYS[self.facts["encode"]](self.tokenizer, self.facts["max_tokens"], self.facts["mark"], inputs)
        outputs = self._run(rows)
        if len(self.facts["outputs"]) == 1:
            return np.stack([output for [output] in outputs])
        found = [[] for _ in inputs]
        for row, sides in zip(rows, outputs, strict=True):
            found[row.row].append((row, *sides))
        return [best_span(context, seen) for (_, context), seen in zip(inputs, found, strict=True)]

    def settle(self, answers: np.ndarray | list[tuple]) -> np.ndarray | list[tuple]:
        """Make probabilities of logits, calibrated as the student's are; other answers have theirs."""
        return self.calibration.apply(answers) if isinstance(answers, np.ndarray) else answers

    def lengths(self, inputs: list) -> list[int]:
        """How many tokens each input has before any are cut off; of texts that are read apart, the longer one."""
        rows = WAYS[self.facts["encode"]](self.tokenizer, ENDLESS, self.facts["mark"], inputs)
        return [max(len(ids) for name, ids in row.tokens.items() if name.endswith("input_ids")) for row in rows]

    def _run(self, rows: list[Window]) -> list[tuple[np.ndarray, ...]]:
        """What the model makes of each row."""
        outputs = [()] * len(rows)
        groups = alike([len(row.offsets) for row in rows])
        for places, made in zip(groups, self.pool.map(lambda places: self._batch(rows, places), groups), strict=True):
            for place, *parts in zip(places, *made, strict=True):
                outputs[place] = tuple(parts)
        return outputs

    def _batch(self, rows: list[Window], places: list[int]) -> list[np.ndarray]:
        feed = {name: self._padded([rows[place].tokens[name] for place in places], name) for name in self.names}
        return self.session.run(self.facts["outputs"], feed)

    def _padded(self, rows: list[list[int]], name: str) -> np.ndarray:
        """Rows as an array of int64, (rows, longest), filled up on the right."""
        filler = self.facts["pad"] if name.endswith("input_ids") else 0
        padded = np.full((len(rows), max(map(len, rows))), filler, np.int64)
        for place, row in enumerate(rows):
            padded[place, : len(row)] = row
        return padded
