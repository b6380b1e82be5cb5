"""Torch modules that are exported as they are: an encoder with the regression that reads what it makes of a text."""

import numpy as np
import torch

from synthesis.encoding.embedding import mean

NEVER = -1e4  # the logit of a label without training rows: its probability is 0, and no number in the graph is infinite


class Regression(torch.nn.Module):
    """An encoder, the mean of its tokens' vectors, and a logistic regression: logits of shape (rows, labels).

    encoder: of the library transformers, or a SentenceTransformer, which pools by itself. Of a pair whose texts are
    encoded apart the regression reads u, v, |u - v|, u * v.
    """

    def __init__(self, encoder: torch.nn.Module, weight: np.ndarray, bias: np.ndarray):
        super().__init__()
        self.encoder = encoder
        device = next(encoder.parameters()).device
        self.head = torch.nn.Linear(weight.shape[1], weight.shape[0], device=device)
        self.head.weight.data.copy_(torch.from_numpy(weight))
        self.head.bias.data.copy_(torch.from_numpy(np.maximum(bias, NEVER)))

    def forward(self, **inputs) -> dict[str, torch.Tensor]:
        second = {name.removeprefix("second_"): inputs.pop(name) for name in list(inputs) if name.startswith("second_")}
        features = self._encode(inputs)
        if second:
            u, v = features, self._encode(second)
            features = torch.cat([u, v, (u - v).abs(), u * v], dim=-1)
        return {"logits": self.head(features)}

    def _encode(self, inputs: dict) -> torch.Tensor:
        if hasattr(self.encoder, "encode"):  # a SentenceTransformer
            return self.encoder(inputs)["sentence_embedding"]
        return mean(self.encoder(**inputs).last_hidden_state, inputs["attention_mask"])
