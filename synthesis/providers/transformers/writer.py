"""The local model at work: from chats to tokens, from tokens to texts."""

from __future__ import annotations

import threading

from synthesis import UserError
from synthesis.models.load import loading, locate
from synthesis.teacher.request import Rejected, Reply

OPTIONS = "chat_template_kwargs"  # the only field of teacher.extra that means something here


class Writer:
    """The loaded model. It stops at the next token when `closed` is set. Raises UserError when it cannot be loaded."""

    def __init__(self, model: str, closed: threading.Event):
        import torch

        from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

        self.name, self.closed = model, closed
        self.device, dtype = _hardware()
        with loading(model, "teacher.model") as options:
            place = locate(model)
            self.tokenizer = AutoTokenizer.from_pretrained(place, padding_side="left", **options)
            weights = AutoModelForCausalLM.from_pretrained(place, dtype=getattr(torch, dtype), **options)
            self.model = weights.to(self.device).eval()
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
                output = self.model.generate(
                    input_ids=ids,
                    attention_mask=mask,
                    max_new_tokens=min(body["max_tokens"] or self.room, self.room - longest),
                    logits_processor=processors,
                    stopping_criteria=StoppingCriteriaList([stopped]),
                )
        except torch.OutOfMemoryError:
            raise UserError(
                f"{len(rows)} rows at once do not fit into the memory: lower asking.concurrency or teacher.max_tokens"
            ) from None
        answers = output[:, longest:].tolist()
        return [self._reply(row, new, body["model"]) for row, new in zip(rows, answers, strict=True)]

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
