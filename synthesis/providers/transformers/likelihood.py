"""How likely a model finds answers that are given to it, such as the words of labels."""

from __future__ import annotations

import numpy as np
import torch
from tqdm import tqdm

from synthesis.models.load import room

TOKENS = 2**15  # of what is asked, times the answers, that are kept at once


@torch.inference_mode()
def log_likelihoods(model, asked: list[list[int]], told: list[list[int]], title: str = "") -> np.ndarray:
    """The logarithm of the probability of each answer after each prompt, all of them tokens: (prompts, answers).

    NaN where the model has no room for a prompt and its answers. A prompt is read once, and each of the answers goes on
    from there. Batching changes no more than the rounding of sums. title: of the line of progress.
    """
    result, longest = np.full((len(asked), len(told)), np.nan), room(model) - max(map(len, told))
    order = sorted(
        (row for row, tokens in enumerate(asked) if len(tokens) <= longest), key=lambda row: -len(asked[row])
    )
    with tqdm(total=len(order), desc=title, unit="row", disable=None) as bar:
        while order:
            size = max(1, TOKENS // (len(told) * len(asked[order[0]])))
            rows, order = order[:size], order[size:]
            result[rows] = _batch(model, [asked[row] for row in rows], told).double().cpu().numpy()
            bar.update(len(rows))
    return result


def _batch(model, asked: list[list[int]], told: list[list[int]]) -> torch.Tensor:
    width, device = max(map(len, asked)), model.device
    ids = torch.tensor([[0] * (width - len(row)) + row for row in asked], device=device)
    seen = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in asked], device=device)
    places = (seen.cumsum(1) - 1).clamp(min=0)
    read = model(ids, attention_mask=seen, position_ids=places, use_cache=True, logits_to_keep=1)
    first = torch.tensor([answer[0] for answer in told], device=device)
    sums = read.logits[:, -1].float().log_softmax(-1)[:, first]
    longest = max(map(len, told))
    if longest == 1:
        return sums
    filled = torch.tensor([answer + [-1] * (longest - len(answer)) for answer in told], device=device)
    filled = filled.repeat(len(asked), 1)
    given, wanted = filled[:, :-1].clamp(min=0), filled[:, 1:]
    seen, places = (table.repeat_interleave(len(told), 0) for table in (seen, places))
    read.past_key_values.batch_repeat_interleave(len(told))
    logits = model(
        given,
        attention_mask=torch.cat([seen, torch.ones_like(given)], 1),
        position_ids=places[:, -1:] + 1 + torch.arange(longest - 1, device=device),
        past_key_values=read.past_key_values,
        use_cache=True,
    ).logits
    chances = logits.float().log_softmax(-1).gather(-1, wanted.clamp(min=0)[..., None])[..., 0]
    return sums + chances.masked_fill(wanted < 0, 0).sum(1).reshape(sums.shape)


def ended(told: list[list[int]], end: int | None) -> list[list[int]]:
    """The answers; where one of them begins another one, each with the token that ends it."""
    begins = any(one != other and other[: len(one)] == one for one in told for other in told)
    return [[*answer, end] for answer in told] if begins and end is not None else told
