"""One fit on several GPUs of a machine: a process for each, started as `torchrun` starts them.

Each process learns its share of every batch, and all take the same step, by the mean of their gradients. What the
first one has learned comes back; nobody else writes. Without GPUs the processes share the processor, for tests.
"""

from __future__ import annotations

import copy
import os
import pickle
import tempfile
from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import load_model, save_model
from torch import distributed

from synthesis import UserError

VARIABLE = "STUDENT_PROCESSES"
FIELDS = "step", "records", "tokens"  # of a student, beside its weights and its curve


def wanted() -> int:
    """How many processes $STUDENT_PROCESSES asks for; 1 in each of them. Raises UserError when it is no number."""
    count = os.environ.get(VARIABLE) or "1"
    if not count.isdecimal() or not int(count):
        raise UserError(
            f"{VARIABLE} is `{count}`, which is no number of processes: set it to 1, or to the number of GPUs"
        )
    return 1 if distributed.is_initialized() else int(count)


def world() -> tuple[int, int]:
    """The number of this process among those that learn together, and how many they are."""
    return (distributed.get_rank(), distributed.get_world_size()) if distributed.is_initialized() else (0, 1)


def mean(tensors: list[torch.Tensor]) -> None:
    """Put the mean over all processes in the place of each tensor."""
    _, count = world()
    if count > 1:
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        distributed.all_reduce(flat)
        for tensor, part in zip(tensors, flat.div_(count).split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))


def train(students, course, lesson, count: int) -> None:
    """What training.train does, in `count` processes.

    Raises UserError when they do not fit the batch or the machine, or one of them fails.
    """
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    if lesson.settings.batch % count:
        raise UserError(
            f"student.batch is {lesson.settings.batch}, of which {count} processes ({VARIABLE}) have no equal shares"
        )
    if 0 < torch.cuda.device_count() < count:
        raise UserError(f"{VARIABLE} is {count}, and this machine has {torch.cuda.device_count()} GPU(s)")
    launch = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=count, rdzv_backend="c10d", rdzv_endpoint="127.0.0.1:0",
        run_id="students", max_restarts=0, monitor_interval=0.1, start_method="spawn",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        try:
            learned = elastic_launch(launch, _learn)(students, course, lesson, folder)[0]
        except ChildFailedError as error:
            reason = " ".join(str(error.get_first_failure()[1].message).split())
            raise UserError(f"training in {count} processes failed: {reason[:300]}") from None
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise UserError(
                f"this student cannot be trained in several processes ({error}): unset {VARIABLE}"
            ) from None
        for place, (student, (curve, fields)) in enumerate(zip(students, learned, strict=True)):
            load_model(student.model, Path(folder, f"{place}.safetensors"))
            student.curve = pd.DataFrame(curve)
            for name, value in zip(FIELDS, fields, strict=True):
                setattr(student, name, value)


def _learn(students, course, lesson, folder: str) -> list | None:
    """In each process."""
    from synthesis.training.loop import train

    place = int(os.environ["LOCAL_RANK"])
    for student in students:
        student.model = copy.deepcopy(student.model)  # what was passed lies in memory that all processes share
    if torch.cuda.is_available():
        torch.cuda.set_device(place)
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        train(students, course, lesson)
        if place:
            return None
        for number, student in enumerate(students):
            save_model(student.model.cpu(), str(Path(folder, f"{number}.safetensors")))
        return [(student.curve.to_dict("list"), [getattr(student, name) for name in FIELDS]) for student in students]
    finally:
        distributed.destroy_process_group()
