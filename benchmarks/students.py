"""How fast students learn and answer, beside the loop of the S3 authors and the Trainer of transformers as it comes.

    python -m benchmarks.students [--model FOLDER] [--data FILE] [--rows N] [--max-tokens N] [--repeat N]

FILE is a table of texts and labels, CSV or Parquet, by default that of the demo. Figures are tokens a second, padding
not counted, so that a way that pads pays for it. The ways take turns; of each the best of the repeats counts, because
other programs can only make it slower. Loading the model is left out; on a GPU, recording the steps is not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pandas as pd

from synthesis.students.base import Examples, Lesson  # before torch, which reads what it sets

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
BATCH = 16


@dataclass(frozen=True)
class Rows:
    """What all ways learn: texts, labels by name, and the tokens of each text, cut at `longest`."""

    model: str
    longest: int
    texts: list[str]
    labels: list[str]
    tokens: list[list[int]]

    @property
    def names(self) -> list[str]:
        return sorted(set(self.labels))

    @property
    def numbers(self) -> list[int]:
        return [self.names.index(label) for label in self.labels]

    @property
    def mean_length(self) -> float:
        return sum(map(len, self.tokens)) / len(self.tokens)


def authors(rows: Rows, steps: int) -> float:
    """Tokens a second of the authors' loop: every text padded to 512 tokens, float32, batches of 16, plain AdamW."""
    import torch

    model = fresh(rows)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-6)
    padded = torch.zeros((len(rows.texts), 512), dtype=torch.int64)
    for place, tokens in enumerate(rows.tokens):
        padded[place, : len(tokens)] = torch.tensor(tokens)
    labels, model = torch.tensor(rows.numbers), model.train()
    for step in range(-1, steps):  # the first one warms up
        if step == 0:
            began = clock()
        places = torch.arange(step * BATCH, (step + 1) * BATCH) % len(padded)
        ids, truth = padded[places].to(model.device), labels[places].to(model.device)
        optimizer.zero_grad()
        model(input_ids=ids, attention_mask=(ids > 0).long(), labels=truth).loss.backward()
        optimizer.step()
    return steps * BATCH * rows.mean_length / (clock() - began)


def trainer(rows: Rows, steps: int) -> float:
    """Tokens a second of the Trainer with its defaults, but for batches of 16."""
    import torch
    from transformers import DataCollatorWithPadding, PrinterCallback, Trainer, TrainingArguments

    from synthesis.models.load import load_tokenizer

    learned = [{"input_ids": row, "labels": label} for row, label in zip(rows.tokens, rows.numbers, strict=True)]
    quiet = {"report_to": "none", "save_strategy": "no", "logging_strategy": "no", "disable_tqdm": True}
    quiet["dataloader_pin_memory"] = torch.cuda.is_available()  # it warns where there is no GPU
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(folder, max_steps=steps, per_device_train_batch_size=BATCH, **quiet)
        collator = DataCollatorWithPadding(load_tokenizer(rows.model))
        whole = Trainer(fresh(rows), settings, train_dataset=learned, data_collator=collator)
        whole.remove_callback(PrinterCallback)
        began = clock()
        whole.train()
        return steps * BATCH * rows.mean_length / (clock() - began)


def students(rows: Rows, steps: int, batch: int = BATCH, seeds: int = 1) -> tuple[float, object]:
    """Tokens a second of this project's students, of all seeds together, and the first student."""
    from synthesis.students import classifier

    spent = []

    def timed(*arguments):
        began = clock()
        train(*arguments)
        spent.append(clock() - began)

    train, classifier.train = classifier.train, timed
    nothing, classifier.NOTHING = classifier.NOTHING, float("inf")  # so few steps teach little: not begun anew
    try:
        learned = classifier.fit(lesson(rows, steps, batch, seeds))
    finally:
        classifier.train, classifier.NOTHING = train, nothing
    return sum(student.tokens for student in learned) / spent[0], learned[0]


def lesson(rows: Rows, steps: int, batch: int, seeds: int) -> Lesson:
    rest = {"min_epochs": 0, "learning_rate": 5e-5, "warmup": 0.1, "weight_decay": 0.01}
    # Not params.Student: a machine with a GPU may lack what reads params.yaml.
    settings = SimpleNamespace(model=rows.model, max_tokens=rows.longest, steps=steps, batch=batch, **rest)
    return Lesson(Examples(rows.texts, rows.labels), settings, rows.names, seeds=range(seeds))


def fresh(rows: Rows):
    """The model with a new head, where it is trained."""
    import torch
    from transformers import AutoModelForSequenceClassification

    from synthesis.models.load import load_model
    from synthesis.training.loop import accelerator

    torch.use_deterministic_algorithms(False)  # which an earlier student may have asked for
    return load_model(AutoModelForSequenceClassification, rows.model, num_labels=len(rows.names)).to(accelerator())


def clock() -> float:
    """Seconds, once the GPU has done all that it was given."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def read(options) -> Rows:
    from synthesis.encoding.forward import tokenize
    from synthesis.models.load import load_tokenizer

    table = pd.read_parquet(options.data) if options.data.suffix == ".parquet" else pd.read_csv(options.data)
    table = table.sample(min(options.rows, len(table)), random_state=0)
    texts, labels = list(table.text), list(table.label.astype(str))
    tokenizer = load_tokenizer(options.model, options.max_tokens)
    tokens = [row["input_ids"] for row in tokenize(tokenizer, texts)]
    return Rows(options.model, options.max_tokens, texts, labels, tokens)


def prediction(student, rows: Rows) -> dict[str, float]:
    """Rows a second of answering, from the texts on; of this alone the model's part, and the tokenizer's."""
    from synthesis.encoding.forward import tokenize

    began = clock()
    student.predict(rows.texts)
    whole = clock() - began
    tokenized = list(tokenize(student.tokenizer, rows.texts))
    cut = clock() - began - whole
    student.answer(tokenized)
    return {"texts to answers": whole, "tokenizer": cut, "model": clock() - began - whole - cut}


def main() -> None:
    import torch

    on_gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default=MINILM)
    parser.add_argument("--data", type=Path, default=Path("data/gold/reviews/reviews.csv"))
    parser.add_argument("--rows", type=int, default=8000 if on_gpu else 128)
    parser.add_argument("--max-tokens", type=int, default=192)
    parser.add_argument("--steps", type=int, default=500 if on_gpu else 8, help="of a student; the others take fewer")
    parser.add_argument("--repeat", type=int, default=2)
    options = parser.parse_args()
    rows = read(options)
    hardware = torch.cuda.get_device_name() if on_gpu else f"{torch.get_num_threads()} threads of a processor"
    print(f"{hardware}; {len(rows.texts)} rows of {rows.mean_length:.0f} tokens on average\n")

    few = max(2, options.steps // 8)
    ways = {
        "the authors' loop, padded to 512": lambda: authors(rows, few),
        "Trainer as it comes": lambda: trainer(rows, few),
        "students": lambda: students(rows, options.steps)[0],
    }
    if on_gpu:
        ways["students, batches of 64"] = lambda: students(rows, options.steps, 64)[0]
        ways |= {f"students, {n} seeds": lambda n=n: students(rows, options.steps, seeds=n)[0] for n in (3, 5)}
    best = dict.fromkeys(ways, 0.0)
    for _ in range(options.repeat):
        for name, way in ways.items():
            best[name] = max(best[name], way())
            print(f"{name}: {best[name]:,.0f} tokens/s", file=sys.stderr, flush=True)
    print("| way | tokens/s | of the authors' | of Trainer's | time of one seed |")
    print("|---|---|---|---|---|")
    loop, default, one = (best[name] for name in list(ways)[:3])
    for name, rate in best.items():
        seeds = int(name.split()[1]) if name.endswith("seeds") else 1
        print(f"| {name} | {rate:,.0f} | {rate / loop:.2f}x | {rate / default:.2f}x | {seeds * one / rate:.2f}x |")
    _, student = students(rows, few)
    seconds = [prediction(student, rows) for _ in range(options.repeat)]
    print("\n| answering | rows/s |\n|---|---|")
    for part in seconds[0]:
        print(f"| {part} | {len(rows.texts) / min(each[part] for each in seconds):,.0f} |")


if __name__ == "__main__":
    main()
