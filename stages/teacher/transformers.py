"""A local causal model: transformers' `generate` with the model's chat template, in batches.

Each row draws from a generator of its own, seeded by its request, sample and attempt: whatever shares its batch, it
gets the same random numbers. The same batches on the same machine thus give the same answers; in another batch the
padding changes logits by rounding errors, which now and then changes a token.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from functools import cache
from pathlib import Path

from stages.pipeline.stage import UserError
from stages.teacher.request import Rejected, Reply, Request, digest

WINDOW = 16  # batches' worth of rows that are collected, so that rows of like length share one
MOMENT = 0.05  # seconds that the first batch waits for company
OPTIONS = "chat_template_kwargs"  # the only field of teacher.extra that means something here


def provider(params, task: str) -> Provider:
    """The model that params.yaml names. Raises UserError when it cannot be found, or teacher.extra has other fields."""
    return Provider(params.teacher)


class Provider:
    """`teacher.concurrency` rows are generated at once."""

    stored = True
    price = (0.0, 0.0)

    def __init__(self, teacher):
        if other := teacher.extra.keys() - {OPTIONS}:
            raise UserError(f"teacher.extra: `{min(other)}` is for endpoints; a local model knows only {OPTIONS}")
        self.teacher, self.batch = teacher, teacher.concurrency
        self.concurrency = WINDOW * self.batch
        self.revision = revision(teacher.model)
        self.writer = None  # loaded by the first answer: a run out of the store needs no torch
        self.waiting: list[tuple[list[int], int, dict, asyncio.Future]] = []
        self.work = None
        self.closed = threading.Event()

    def body(self, request: Request) -> dict:
        """All that an answer depends on, the weights included."""
        teacher = self.teacher
        system = [{"role": "system", "content": teacher.system}] if teacher.system else []
        return {
            "model": teacher.model,
            "revision": self.revision,
            "messages": [*system, {"role": "user", "content": request.prompt}],
            "temperature": 1.0 if teacher.temperature is None else teacher.temperature,
            "top_p": teacher.top_p or 1.0,
            "max_tokens": teacher.max_tokens,
            **teacher.extra,
        }

    async def answer(self, body: dict, sample: int, attempt: int) -> Reply:
        """One row of a batch. Raises Rejected for too long a prompt, UserError when the model cannot be used."""
        if self.writer is None:
            self.writer = Writer(self.teacher.model, self.closed)
        tokens = self.writer.tokens(body)
        seed = int(digest([body, sample, attempt])[:15], 16)
        done = asyncio.get_running_loop().create_future()
        self.waiting.append((tokens, seed, body, done))
        if self.work is None or self.work.done():
            self.work = asyncio.create_task(self._write())
        return await done

    async def close(self) -> None:
        """Stop at the next token and free the model."""
        self.closed.set()
        if self.work:
            self.work.cancel()
        self.writer = None

    async def _write(self) -> None:
        """Batch by batch, the longest rows first: what does not fit into the memory shows at once."""
        await asyncio.sleep(MOMENT)
        while self.waiting:
            self.waiting.sort(key=lambda row: (len(row[0]), row[1]))
            rows, self.waiting = self.waiting[-self.batch :], self.waiting[: -self.batch]
            tokens, seeds, bodies, futures = zip(*rows, strict=True)
            try:
                replies = await asyncio.to_thread(self.writer.write, tokens, seeds, bodies[0])
            except Exception as error:  # whatever it is, those who wait must hear of it
                replies = [error] * len(rows)
            for done, reply in zip(futures, replies, strict=True):
                if done.done():
                    continue
                if isinstance(reply, Exception):
                    done.set_exception(reply)
                else:
                    done.set_result(reply)
            await asyncio.sleep(0)  # lets those who were answered ask for their next rows


class Writer:
    """The loaded model. Raises UserError when it cannot be loaded."""

    def __init__(self, model: str, closed: threading.Event):
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        self.name, self.closed = model, closed
        self.device, dtype = _hardware()
        try:
            same = {} if Path(model).is_dir() else {"revision": revision(model)}
            self.tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left", **same)
            loaded = AutoModelForCausalLM.from_pretrained(model, dtype=getattr(torch, dtype), **same)
            self.model = loaded.to(self.device).eval()
        except Exception as error:  # loaders raise nearly everything for a model that is broken or unknown to them
            raise UserError(_cannot(model, error)) from None
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token or self.tokenizer.convert_ids_to_tokens(0)
        ends = self.model.generation_config.eos_token_id
        ends = self.tokenizer.eos_token_id if ends is None else ends
        self.ends = [ends] if isinstance(ends, int) else list(ends or ())
        # Not the model's own settings: its penalties and top_k would work unseen beside those of params.yaml.
        self.model.generation_config = GenerationConfig(
            do_sample=False, eos_token_id=self.ends or None, pad_token_id=self.tokenizer.pad_token_id
        )
        self.room = getattr(self.model.config.get_text_config(), "max_position_embeddings", None) or 1 << 20

    def tokens(self, body: dict) -> list[int]:
        """The prompt as the model reads it. Raises Rejected when it is too long."""
        messages = body["messages"]
        if self.tokenizer.chat_template:
            from jinja2 import TemplateError

            try:
                text = self.tokenizer.apply_chat_template(
                    messages, add_generation_prompt=True, tokenize=False, **body.get(OPTIONS, {})
                )
            except TemplateError as error:
                raise UserError(f"the chat template of {self.name}: {' '.join(str(error).split())}") from None
            tokens = self.tokenizer(text, add_special_tokens=False).input_ids
        else:
            tokens = self.tokenizer("\n\n".join(message["content"] for message in messages)).input_ids
        if len(tokens) >= self.room:
            raise Rejected(f"the prompt has {len(tokens):,} tokens, and {self.name} reads less than {self.room:,}")
        return tokens

    def write(self, rows: tuple[list[int], ...], seeds: tuple[int, ...], body: dict) -> list[Reply]:
        """Complete the rows, all with the settings of `body`. Raises UserError when they do not fit into the memory."""
        import torch
        from transformers import LogitsProcessorList, StoppingCriteriaList

        longest = max(map(len, rows))
        pad = self.tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (longest - len(row)) + row for row in rows], device=self.device)
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=self.device)
        processors = LogitsProcessorList([_sampling(body, seeds, self.device)] if body["temperature"] else [])

        def stopped(tokens, _):
            return torch.full((len(tokens),), self.closed.is_set(), device=tokens.device, dtype=torch.bool)

        try:
            with torch.inference_mode():
                found = self.model.generate(
                    input_ids=ids,
                    attention_mask=mask,
                    max_new_tokens=min(body["max_tokens"] or self.room, self.room - longest),
                    logits_processor=processors,
                    stopping_criteria=StoppingCriteriaList([stopped]),
                )
        except torch.OutOfMemoryError:
            raise UserError(
                f"{len(rows)} rows at once do not fit into the memory: lower teacher.concurrency or max_tokens"
            ) from None
        return [
            self._reply(row, new, body["model"]) for row, new in zip(rows, found[:, longest:].tolist(), strict=True)
        ]

    def _reply(self, row: list[int], new: list[int], model: str) -> Reply:
        length = next((place for place, token in enumerate(new) if token in self.ends), None)
        finish, used = ("length", len(new)) if length is None else ("stop", length + 1)
        text = self.tokenizer.decode(new[:length], skip_special_tokens=True).replace("\0", "")
        return Reply(text, finish, len(row), used, model)


def _sampling(body: dict, seeds: tuple[int, ...], device: str):
    """Temperature and top_p, then Gumbel noise: the largest logit is a fair draw, each row's by its own generator."""
    import torch
    from transformers import LogitsProcessor, TemperatureLogitsWarper, TopPLogitsWarper

    warpers = [TemperatureLogitsWarper(float(body["temperature"]))]
    warpers += [TopPLogitsWarper(body["top_p"])] if body["top_p"] < 1 else []
    generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]

    class Sampling(LogitsProcessor):
        def __call__(self, ids, scores):
            scores = scores.float()
            for warper in warpers:
                scores = warper(ids, scores)
            noise = torch.empty_like(scores)
            for row, generator in zip(noise, generators, strict=True):
                row.exponential_(generator=generator)
            return scores - noise.log()

    return Sampling()


def _hardware() -> tuple[str, str]:
    """The device and the type of the weights."""
    import torch

    if torch.cuda.is_available():
        return "cuda", "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    return ("mps", "float16") if torch.backends.mps.is_available() else ("cpu", "float32")


@cache
def revision(model: str) -> str:
    """What changes when the weights do: a digest of a folder's files, or the hub's revision. Raises UserError."""
    folder = Path(model)
    if folder.is_dir():
        digests = []
        for path in sorted(path for path in folder.iterdir() if path.is_file()):
            with path.open("rb") as file:
                digests.append(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}")
        return digest(digests)
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    try:  # what is in the cache stays what is used, whatever the hub has by now
        config = try_to_load_from_cache(model, "config.json") or hf_hub_download(model, "config.json")
        return Path(config).parent.name  # .../snapshots/<revision>/config.json
    except Exception as error:  # the hub's client raises dozens of kinds, all of them mean the same to a user
        raise UserError(_cannot(model, error)) from None


def _cannot(model: str, error: Exception) -> str:
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")
    return f"teacher.model: `{model}` cannot be loaded: {reason[:300]}; name a folder or a model of the hub"
