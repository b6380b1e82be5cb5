"""What students that fine-tune an encoder share: the Trainer, the learning curve and the choice of the epoch."""

import copy
from collections.abc import Callable
from tempfile import TemporaryDirectory

import pandas as pd
import torch
from tqdm import tqdm
from transformers import DataCollatorWithPadding, PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from synthesis.students.base import Lesson


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


def train(student, rows: list[dict], targets: list[str], objective: Callable, score: Callable, lesson: Lesson) -> None:
    """Train `student.model` on tokenized `rows` for `epochs`; leave it with the weights of its best epoch.

    targets:   the columns of `rows` that the model shall not see.
    objective: of the model's output and a batch of the targets: the mean loss, and which rows are right, (batch,).
    score:     of examples: the student's score on them.

    The best epoch is the earliest of equals by the score on the selection rows, the last one without such rows. Fills
    in the student's curve (epoch, loss, train_accuracy, selection_score, test_score) and epoch.
    """
    settings, asked = lesson.settings, {"selection_score": lesson.selection, "test_score": lesson.watched}
    watch = _Epochs(student, score, asked)
    with TemporaryDirectory() as folder:  # the Trainer makes its folder even though nothing is saved there
        # Its defaults are wanted: AdamW, a linear schedule, gradients clipped to norm 1.
        arguments = TrainingArguments(
            output_dir=folder,
            seed=lesson.seed,
            num_train_epochs=settings.epochs,
            per_device_train_batch_size=settings.batch,
            learning_rate=settings.learning_rate,
            warmup_steps=settings.warmup,  # below 1 it is a fraction of the steps
            weight_decay=settings.weight_decay,
            train_sampling_strategy="group_by_length",
            dataloader_pin_memory=torch.cuda.is_available(),
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        trainer = _Trainer(
            watch,
            targets,
            objective,
            model=student.model,
            args=arguments,
            train_dataset=rows,
            data_collator=DataCollatorWithPadding(student.tokenizer),
        )
        trainer.train()


class _Trainer(Trainer):
    """Computes the forward pass in bfloat16 where that pays, and shows every batch to `watch`."""

    def __init__(self, watch, targets, objective, **rest):
        super().__init__(callbacks=[watch], **rest)
        self.remove_callback(PrinterCallback)
        self.watch, self.targets, self.objective = watch, targets, objective

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        # Not the argument `bf16`: it wraps the model for good, and predictions would no longer be those of its weights.
        targets = {name: inputs.pop(name) for name in self.targets}
        with torch.autocast(model.device.type, torch.bfloat16, enabled=_has_bfloat16()):
            output = model(**inputs)
        loss, right = self.objective(output, targets)
        self.watch.batch(loss.detach(), right)
        return loss


class _Epochs(TrainerCallback):
    """Fills in the student's curve, and leaves it with the weights of its best epoch.

    Loss and train accuracy are the means over an epoch's batches, each seen before its step and with dropout: they
    cost no second pass, and lag a little behind what the epoch's last weights would score.
    """

    def __init__(self, student, score, asked):
        self.student, self.score, self.asked = student, score, asked
        self.curve, self.batches, self.best, self.weights = [], [], -1.0, None

    def on_train_begin(self, args, state, control, **_):
        self.bar = tqdm(total=state.max_steps, desc=f"fine-tuning, seed {args.seed}", unit="step", disable=None)

    def batch(self, loss, right):
        self.batches.append((len(right), loss * len(right), right.sum()))

    def on_step_end(self, args, state, control, **_):
        self.bar.update()

    def on_epoch_end(self, args, state, control, **_):
        rows, loss, hits = (float(sum(column)) for column in zip(*self.batches, strict=True))
        self.batches.clear()
        scores = {column: self.score(part) if part else float("nan") for column, part in self.asked.items()}
        score, epoch = scores["selection_score"], round(state.epoch)
        self.curve.append({"epoch": epoch, "loss": loss / rows, "train_accuracy": hits / rows, **scores})
        self.bar.set_postfix(loss=f"{loss / rows:.3f}", selection=f"{score:.3f}")
        if not score <= self.best:  # NaN, too: the last epoch is kept
            self.best, self.student.epoch = score, epoch
            self.weights = copy.deepcopy(self.student.model.state_dict())

    def on_train_end(self, args, state, control, **_):
        self.bar.close()
        self.student.model.load_state_dict(self.weights)
        self.student.curve = pd.DataFrame(self.curve)


def _has_bfloat16() -> bool:
    """Whether the hardware computes in bfloat16: where it is only emulated, float32 is faster."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu.get_capabilities().get("avx512_bf16", False)  # processors with AMX have it too
