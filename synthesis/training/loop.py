"""What students that fine-tune a model share: the loop, the learning curve and the choice of the checkpoint."""

import copy
import ctypes
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from synthesis.encoding.forward import pad
from synthesis.students.base import Lesson
from synthesis.training import replicas
from synthesis.training.steps import SideBySide, Trainee, batches, plain

EXAMS, STEPS_EACH = 5, 30  # of a fit, evenly spaced: so many, but in a short fit one for so many steps


class Trained:
    """What training such a student costs. It has `model`, a PreTrainedModel, and `tokens`."""

    @property
    def parameters(self) -> int:
        return self.model.num_parameters()

    @property
    def flops(self) -> int:
        """6 a parameter and token: 2 forward and 4 backward (Kaplan et al., 2020; Brown et al., 2020, appendix D).

        All parameters count, as in appendix B of the paper, though an embedding is looked up and multiplies nothing.
        """
        return 6 * self.parameters * self.tokens


@dataclass(frozen=True)
class Course:
    """A lesson as the models of its kind of student take it.

    rows:      tokenized, not padded.
    targets:   by name, an integer for each row, or as many for each, (rows, tokens): what the model shall not see.
    objective: of the model's output and a batch of the targets: the mean loss, and which rows are right, (batch,), or
        how much of them.
    asked:     for `selection_score` and `test_score` the rows, empty where there are none, and what they should say.
    score:     of a student and both of these: how well it answers, at least 0.
    ask:       how the model is asked about a batch of inputs and of targets.
    said:      of each row, how many tokens of its targets count, where these are texts.
    versions:  how many of the rows, one after another, are versions of one row: each pass learns one of them, in turn.
    """

    rows: list[dict[str, list[int]]]
    targets: dict[str, list]
    objective: Callable
    asked: dict[str, tuple[list, object]]
    score: Callable
    ask: Callable = plain
    said: list[int] | None = None
    versions: list[int] | None = None


def train(students: Sequence, course: Course, lesson: Lesson) -> None:
    """Train the `model` of each seed's student, and leave it with the best of the weights that it is examined with.

    These are the earliest of equals by the score on the selection rows, the last ones without such rows. Fills in each
    student's curve (step, loss, train_accuracy, selection_score, test_score), step, records and tokens. On a GPU the
    students are trained side by side as far as they fit.
    """
    if (processes := replicas.wanted()) > 1:
        return replicas.train(students, course, lesson, processes)
    settings, device, (rank, world) = lesson.settings, accelerator(), replicas.world()
    lengths = np.array([len(row["input_ids"]) for row in course.rows])
    grain = 8 * -(-settings.max_tokens // 64) if device.type == "cuda" else 1  # at most eight lengths, each recorded
    padded = grain * -(-lengths // grain)
    said = np.array(course.said or [0] * len(lengths))
    padded_said = np.minimum(8 * -(-said // 8), said.max()) if device.type == "cuda" else said
    versions = np.array(course.versions or [1] * len(lengths))
    batch = max(world, min(settings.batch, len(versions)) // world * world)
    steps = max(settings.steps, settings.min_epochs * -(-len(versions) // batch))
    inputs = pad(students[0].tokenizer, course.rows, device, padded.max())
    targets = {name: torch.tensor(numbers, device=device) for name, numbers in course.targets.items()}
    decoded = said if students[0].model.config.is_encoder_decoder else 0  # elsewhere it is among what is read
    pupils = []
    for student, seed in zip(students, lesson.seeds, strict=True):
        plan = batches(padded + padded_said, steps, batch, seed, versions)
        student.records, student.tokens = plan.size, int((lengths + decoded)[plan].sum())
        model = student.model.to(device).train()
        trainee = Trainee(model, inputs, targets, course.objective, plan[:, rank::world], settings, course.ask)
        widths = np.stack([padded[plan].max(axis=1), padded_said[plan].max(axis=1)], axis=1)
        pupils.append(_Pupil(student, seed, trainee, widths, course))
    # 16 bytes a weight are AdamW's, and as much again, three times, is for what the layers remember.
    needed = 64 * students[0].model.num_parameters()
    size = max(1, torch.cuda.mem_get_info()[0] // needed) if device.type == "cuda" and world == 1 else 1
    for start in range(0, len(pupils), size):
        _train(pupils[start : start + size], device)


def _train(pupils: list, device: torch.device) -> None:
    """Train those that go side by side."""
    keep_memory()
    repeatable(pupils[0].seed)
    trainees = [pupil.trainee for pupil in pupils]
    rank, world = replicas.world()
    step = SideBySide(trainees).step if device.type == "cuda" and world == 1 else trainees[0].step
    widths = np.max([pupil.widths for pupil in pupils], axis=0).tolist()
    count = max(1, min(EXAMS, len(widths) // STEPS_EACH))
    exams = {len(widths) * exam // count for exam in range(1, count + 1)}
    name = "fine-tuning, seed " + ", ".join(str(pupil.seed) for pupil in pupils)
    with tqdm(total=len(widths), desc=name, unit="step", disable=bool(rank) or None) as bar:
        for done, width in enumerate(widths, 1):
            step(*width)
            bar.update()
            if done in exams:
                bar.set_postfix_str("; ".join([pupil.examine(done) for pupil in pupils]))
    for pupil in pupils:
        pupil.finish()


class _Pupil:
    """A student while it is trained: it is examined now and then, and its best weights are kept.

    widths: the lengths of each step's batch, padded: of what is read, and of what should be said, (steps, 2).
    """

    def __init__(self, student, seed: int, trainee: Trainee, widths: np.ndarray, course: Course):
        self.student, self.seed, self.trainee, self.widths, self.course = student, seed, trainee, widths, course
        self.curve, self.best, self.weights = [], -1.0, {}

    def examine(self, step: int) -> str:
        """Add a row to the curve: the scores, and the means since the last one. Returns what the bar shows of it."""
        steps = step - (self.curve[-1]["step"] if self.curve else 0)
        loss, hits = self.trainee.take_sums()
        if replicas.world()[0]:  # the first process examines for all
            return ""
        scores = {
            column: self.course.score(self.student, rows, truth) if rows else float("nan")
            for column, (rows, truth) in self.course.asked.items()
        }
        means = {"loss": loss / steps, "train_accuracy": hits / (steps * self.trainee.plan.shape[1])}
        self.curve.append({"step": step, **means, **scores})
        self.trainee.model.train()
        score = scores["selection_score"]
        if not score <= self.best:  # NaN, too: the last weights are kept
            self.best, self.student.step = score, step
            self.weights = copy.deepcopy(self._learned())
        return f"loss={loss / steps:.3f}, selection={score:.3f}"

    def finish(self) -> None:
        if not self.curve:
            return
        self.student.model.load_state_dict(self.weights, strict=False)
        self.student.curve = pd.DataFrame(self.curve)

    def _learned(self) -> dict:
        """The weights that training can change, and what else the model keeps."""
        model = self.student.model
        frozen = {name for name, weight in model.named_parameters() if not weight.requires_grad}
        return {name: weight for name, weight in model.state_dict().items() if name not in frozen}


def accelerator() -> torch.device:
    """The device that models are trained on."""
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")


def keep_memory() -> None:
    """Have the C library keep what is freed, where it is GNU's.

    Else the gradients of all weights go back to the system at each step, and come again page by page: a seventh of the
    time of a step of 8 rows with MiniLM on 2 cores.
    """
    with suppress(AttributeError, OSError, TypeError):
        library = ctypes.CDLL(None)
        for option, bytes_ in {-3: 1 << 30, -1: (1 << 31) - 1}.items():  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD
            library.mallopt(option, bytes_)


def repeatable(seed: int) -> None:
    """Start the random numbers anew, and have computations give the same result each time."""
    torch.manual_seed(seed)
    # On a GPU only strictness makes attention deterministic. On a processor it would refuse operations for nothing.
    torch.use_deterministic_algorithms(True, warn_only=not torch.cuda.is_available())
    torch.utils.deterministic.fill_uninitialized_memory = False  # it costs a kernel for each tensor
    torch.backends.cuda.enable_cudnn_sdp(False)  # cuDNN's attention is planned anew for each length
