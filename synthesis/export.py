"""Export: the student that ships becomes a folder that runs without torch and transformers, and builds into an image.

Whether it answers as the student does is measured on selection rows. The student's calibration goes with it.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
import os
import shutil
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from filelock import FileLock, Timeout
from tokenizers import Tokenizer

import synthesis
from synthesis import UserError, files
from synthesis.models.load import fingerprint
from synthesis.run import Run
from synthesis.service.encoding import FIELDS
from synthesis.service.engine import FORMAT, Engine
from synthesis.students import saved
from synthesis.students.base import Graph

LEAST = 0.98  # share of selection rows on which int8 must answer as the student does
# Of this package, what an image needs.
CODE = ["__init__.py", "students/calibration.py", "students/spans.py", "service"]
PACKAGES = ["fastapi", "numpy", "onnxruntime", "tokenizers", "uvicorn"]
TIMED = 64  # rows
DRAFT = ".export-"  # what the folder is called in which an export is made


def export(run: Run, int8: bool) -> dict:
    """Write data/<task>/export, whole or not at all, and metrics/<task>/export.json. Returns what that says.

    Raises UserError when there is no student, it cannot be exported, or int8 answers too differently.
    """
    paths, name = run.paths, run.task.name
    kept = saved.facts(paths.student, name)
    student = saved.load(paths.student, kept.student)
    calibrated = saved.Calibrated(student, kept)
    if not hasattr(student, "graph"):
        raise UserError(f"task `{name}`: a student of kind {kept.student} cannot be exported: use `synthesis predict`")
    selection = files.read(paths.gold("selection"))
    inputs = run.task.inputs(selection)
    expected, graph = calibrated.predict(inputs), student.graph()
    _delete_drafts(paths.data)
    with TemporaryDirectory(dir=paths.data, prefix=DRAFT) as place, FileLock(Path(place) / "lock"):
        draft = Path(place) / "export"
        draft.mkdir()
        facts = write(graph, kept, draft) | {"task": name, "student": fingerprint(str(paths.student))}
        if int8:
            quantise(draft / "model.onnx")
            facts["int8"] = True
        files.write_json(facts, draft / "export.json")
        engine = Engine(draft)
        measured = compare(expected, engine.predict(inputs))
        if int8 and measured["agreement"] < LEAST:
            raise UserError(
                f"task `{name}`: int8 answers as the student does to {100 * measured['agreement']:.1f}% of selection "
                f"rows only, and {100 * LEAST:.0f}% are asked for: export without --int8"
            )
        _add_code(draft)
        rates = _rates({"torch": calibrated.predict, "onnxruntime": engine.predict}, inputs)
        size = (draft / "model.onnx").stat().st_size
        shutil.rmtree(paths.export, ignore_errors=True)
        os.replace(draft, paths.export)
    fitted = {"temperature": kept.temperature, "threshold": kept.threshold} if kept.labels else {}
    metrics = {"rows": len(inputs), **measured, **fitted, "int8": int(int8), "bytes": size, "rows_per_second": rates}
    files.write_json(metrics, paths.metrics / "export.json")
    return metrics


def _delete_drafts(folder: Path) -> None:
    """Delete what exports have left that were killed."""
    for place in folder.glob(f"{DRAFT}*"):
        with contextlib.suppress(Timeout), FileLock(place / "lock", timeout=0):  # not of one that still works
            shutil.rmtree(place)


def compare(expected: Sequence, answers: Sequence) -> dict[str, float]:
    """How often two students answer the same, and by how much probabilities differ at most."""
    if isinstance(expected, np.ndarray):
        same = expected.argmax(1) == answers.argmax(1)
        differences = np.abs(expected - answers).ravel()
    else:
        pairs = list(zip(expected, answers, strict=True))
        same = np.array([one[:-1] == other[:-1] for one, other in pairs])
        differences = np.array([abs(one[-1] - other[-1]) for one, other in pairs])
    return {"agreement": round(float(same.mean()), 4), "largest_difference": round(float(differences.max()), 6)}


def write(graph: Graph, kept: saved.Facts, folder: Path) -> dict:
    """Write model and tokenizer. Returns what export.json says of them.

    Raises UserError for what torch cannot export.
    """
    fast = getattr(graph.tokenizer, "backend_tokenizer", None)
    if fast is None:
        raise UserError(f"{kept.student}: its tokenizer is none of the library tokenizers, and so cannot be exported")
    try:
        _write_onnx(graph, folder / "model.onnx")
    except Exception as error:  # the exporter raises kinds of its own for what it does not know
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"torch cannot export this {kept.student}: {reason}: use `synthesis predict`") from error
    tokenizer = Tokenizer.from_str(fast.to_str())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.save(str(folder / "tokenizer.json"))
    return {
        "format": FORMAT,
        "answer": kept.answer,
        "reads": kept.reads,
        "labels": kept.labels,
        "encode": graph.encode,
        "max_tokens": graph.tokenizer.model_max_length,
        "mark": graph.tokenizer.sep_token or "",
        "pad": graph.tokenizer.pad_token_id,
        "outputs": list(graph.outputs),
        "temperature": kept.temperature,
        "threshold": kept.threshold,
        "int8": False,
    }


class _ByPlace(torch.nn.Module):
    """A module that is given its inputs in their order, and returns its outputs so."""

    def __init__(self, module: torch.nn.Module, names: list[str], outputs: Sequence[str]):
        super().__init__()
        self.module, self.names, self.outputs = module, names, outputs

    def forward(self, *tensors):
        output = self.module(**dict(zip(self.names, tensors, strict=True)))
        return tuple(output[name] for name in self.outputs)


def _write_onnx(graph: Graph, path: Path) -> None:
    """Write the graph for any number of rows and tokens."""
    example = graph.tokenizer(["an example of a text"] * 3, return_tensors="pt")
    given = {name: example[name] for name in graph.tokenizer.model_input_names if name in FIELDS}
    rows, tokens, others = (torch.export.Dim(name) for name in ("rows", "tokens", "second_tokens"))
    shapes = [{0: rows, 1: tokens} for _ in given]
    if graph.encode == "apart":
        other = graph.tokenizer(["another one, of another length"] * 3, return_tensors="pt")
        second = {f"second_{name}": other[name] for name in given}
        given, shapes = given | second, shapes + [{0: rows, 1: others} for _ in second]
    graph.module.to("cpu").eval()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            _ByPlace(graph.module, list(given), graph.outputs).eval(),
            tuple(given.values()),
            dynamo=True,
            dynamic_shapes=(tuple(shapes),),
            input_names=list(given),
            output_names=list(graph.outputs),
            external_data=False,
            verbose=False,
        )
        program.save(path)


def quantise(path: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.getLogger().setLevel(logging.ERROR)  # it advises on pictures
    smaller = path.with_name("int8.onnx")
    # The embeddings stay as they are: in 8 bits they cost more answers than all layers, and look-ups gain no speed.
    quantize_dynamic(path, smaller, ["MatMul"], per_channel=True, weight_type=QuantType.QInt8)
    os.replace(smaller, path)


def _add_code(folder: Path) -> None:
    """What an image is built from, beside the model: the service, and the packages that it was tested with."""
    root, own = Path(synthesis.__file__).parent, folder / "synthesis"
    for name in CODE:
        if (root / name).is_dir():
            shutil.copytree(root / name, own / name, ignore=shutil.ignore_patterns("__pycache__", "Dockerfile"))
        else:
            (own / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, own / name)
    shutil.copyfile(root / "service" / "Dockerfile", folder / "Dockerfile")
    pinned = [f"{name}=={importlib.metadata.version(name)}\n" for name in PACKAGES]
    (folder / "requirements.txt").write_text("".join(pinned), encoding="utf-8")


def _rates(ways: dict[str, Callable], inputs: list) -> dict[str, dict[str, float]]:
    """Rows a second at batches of 1 and of 32, the better of two runs, in turns."""
    asked = (inputs * -(-TIMED // len(inputs)))[:TIMED]
    rates = {way: {"1": 0.0, "32": 0.0} for way in ways}
    for _ in range(2):
        for way, predict in ways.items():
            for batch in (1, 32):
                part = asked[: len(asked) // 4] if batch == 1 else asked
                started = time.perf_counter()
                for place in range(0, len(part), batch):
                    predict(part[place : place + batch])
                rate = round(len(part) / (time.perf_counter() - started), 1)
                rates[way][str(batch)] = max(rates[way][str(batch)], rate)
    return rates


def summary(folder: Path, metrics: dict) -> str:
    """What was measured, for people."""
    lines = [
        f"{folder}: {metrics['bytes'] / 1e6:.1f} MB{', int8' if metrics['int8'] else ''}",
        f"agreement with the student on {metrics['rows']} selection rows: {100 * metrics['agreement']:.1f}%, "
        f"probabilities differ by {metrics['largest_difference']:.6f} at most",
    ]
    if metrics["int8"]:
        lines.append("int8: what else is read at the same time changes probabilities, and now and then a label")
    if "temperature" in metrics:
        lines.append(f"temperature {metrics['temperature']}, threshold {metrics['threshold']}")
    for way, rate in metrics["rows_per_second"].items():
        lines.append(f"{way}: {rate['1']:,.0f} rows/s one at a time, {rate['32']:,.0f} by 32")
    return "\n".join(lines)
