"""A student that fine-tunes an encoder with a fresh classification head."""

import copy
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm
from transformers import (
    AutoModelForSequenceClassification,
    DataCollatorWithPadding,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    enable_full_determinism,
)

from stages.student.encoder import load_model, load_tokenizer, run, tokenize


@dataclass
class FineTuned:
    """A fine-tuned encoder. See stages.student.Student for the fields they share."""

    names: list[str]
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    tokens: int
    epoch: int = 0
    curve: pd.DataFrame = field(default_factory=pd.DataFrame)

    def predict(self, inputs) -> np.ndarray:
        """Return probabilities of shape (rows, names), computed in float32 so that batching does not change them."""
        rows = tokenize(self.tokenizer, inputs) if inputs else []
        return run(self.model, self.tokenizer, rows, len(self.names), lambda output, _: output.logits.softmax(-1))

    def save(self, folder) -> None:
        """Write a folder that `transformers.pipeline("text-classification", folder)` loads."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


def fit(inputs, labels, selection_inputs, selection_labels, names, settings, seed) -> FineTuned:
    """Fine-tune the published weights of `settings.model` for `settings.epochs` and keep the epoch that is best on
    the selection rows: the earliest of equals, the last when there are none.

    The same seed gives the same student on the same machine. Raises UserError when the model cannot be loaded.
    """
    enable_full_determinism(seed, warn_only=True)  # before the model: its classification head starts at random
    numbers = {name: number for number, name in enumerate(names)}
    tokenizer = load_tokenizer(settings.model, settings.max_tokens)
    model = load_model(
        AutoModelForSequenceClassification,
        settings.model,
        id2label=dict(enumerate(names)),
        label2id=numbers,
        ignore_mismatched_sizes=True,  # a model that was fine-tuned before brings a head for its own labels
    )
    rows = tokenize(tokenizer, inputs)
    tokens = settings.epochs * sum(len(row["input_ids"]) for row in rows)
    student = FineTuned(names, model, tokenizer, tokens)
    watch = _Epochs(student, selection_inputs, [numbers[label] for label in selection_labels])
    with TemporaryDirectory() as folder:  # the Trainer makes its folder even though nothing is saved there
        # Its defaults are wanted: AdamW, a linear schedule, gradients clipped to norm 1.
        arguments = TrainingArguments(
            output_dir=folder,
            seed=seed,
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
            model=model,
            args=arguments,
            train_dataset=[row | {"labels": numbers[label]} for row, label in zip(rows, labels, strict=True)],
            data_collator=DataCollatorWithPadding(tokenizer),
        )
        trainer.train()
    return student


class _Trainer(Trainer):
    """Computes the forward pass in bfloat16 where that pays, and shows every batch to `watch`."""

    def __init__(self, watch, **rest):
        super().__init__(callbacks=[watch], **rest)
        self.remove_callback(PrinterCallback)
        self.watch = watch

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        # Not the argument `bf16`: it wraps the model for good, and predictions would no longer be those of its weights.
        labels = inputs.pop("labels")
        with torch.autocast(labels.device.type, torch.bfloat16, enabled=_has_bfloat16()):
            logits = model(**inputs).logits.float()
        loss = torch.nn.functional.cross_entropy(logits, labels)
        self.watch.batch(loss.detach(), logits.detach(), labels)
        return loss


class _Epochs(TrainerCallback):
    """Fills in the student's curve, and leaves it with the weights of its best epoch.

    Loss and train accuracy are the means over an epoch's batches, each seen before its step and with dropout: they
    cost no second pass, and lag a little behind what the epoch's last weights would score.
    """

    def __init__(self, student, selection_inputs, selection_labels):
        self.student, self.inputs, self.labels = student, selection_inputs, selection_labels
        self.curve, self.batches, self.best, self.weights = [], [], -1.0, None

    def on_train_begin(self, args, state, control, **_):
        self.bar = tqdm(total=state.max_steps, desc=f"fine-tuning, seed {args.seed}", unit="step", disable=None)

    def batch(self, loss, logits, labels):
        self.batches.append((len(labels), loss * len(labels), (logits.argmax(-1) == labels).sum()))

    def on_step_end(self, args, state, control, **_):
        self.bar.update()

    def on_epoch_end(self, args, state, control, **_):
        rows, loss, hits = (float(sum(column)) for column in zip(*self.batches, strict=True))
        self.batches.clear()
        score = float("nan")
        if self.inputs:
            score = float((self.student.predict(self.inputs).argmax(1) == self.labels).mean())
        epoch = round(state.epoch)
        self.curve.append((epoch, loss / rows, hits / rows, score))
        self.bar.set_postfix(loss=f"{loss / rows:.3f}", selection=f"{score:.3f}")
        if not score <= self.best:  # NaN, too: the last epoch is kept
            self.best, self.student.epoch = score, epoch
            self.weights = copy.deepcopy(self.student.model.state_dict())

    def on_train_end(self, args, state, control, **_):
        self.bar.close()
        self.student.model.load_state_dict(self.weights)
        columns = ["epoch", "loss", "train_accuracy", "selection_accuracy"]
        self.student.curve = pd.DataFrame(self.curve, columns=columns)


def _has_bfloat16() -> bool:
    """Whether the hardware computes in bfloat16: where it is only emulated, float32 is faster."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu.get_capabilities().get("avx512_bf16", False)  # processors with AMX have it too
