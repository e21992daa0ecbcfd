"""The language model as it is trained: upstream's tensor names and arithmetic, a whole batch of one kind at a time.

The product's `vall_e_lm.model` reads what this trains; `tests` compare the two on the exported file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class LanguageModelShape:
    """Sizes of the tensors."""

    width: int
    heads: int
    layers: int
    levels: int
    audio_tokens: int
    vocabulary: int
    whole_prompt: bool = False
    """Every target sees all levels of the prompt."""


@dataclass
class Batch:
    """Sequences of one kind (`ar`, `nar`, `stt`), as rows of a flat table of embeddings.

    The flat table is: text ids, prompt frames, response frames, the level row, the separator, a zero row.
    """

    kind: str
    level: int
    text: Tensor
    """[sum of text lengths]; for STT the phonemes so far."""
    prompt: Tensor
    """[sum of prompt frames, Q]; empty for STT."""
    response: Tensor
    """[sum of response frames, Q]."""
    index: Tensor
    """[N, T] into the flat table; the last row of the table is padding."""
    positions: Tensor
    """[N, T]."""
    rows: Tensor
    """[R] flat (N * T) places whose outputs are judged."""
    targets: Tensor
    """[R]."""

    def to(self, device: str) -> Batch:
        """The same batch elsewhere."""
        return Batch(
            self.kind,
            self.level,
            *(
                t.to(device)
                for t in (
                    self.text,
                    self.prompt,
                    self.response,
                    self.index,
                    self.positions,
                    self.rows,
                    self.targets,
                )
            ),
        )


class Output(NamedTuple):
    """What a batch gives."""

    logits: Tensor
    """[R, classes]."""
    loss: Tensor
    """Cross-entropy."""


class Norm(nn.Module):
    """RMS norm, eps 1e-6."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """[..., D] -> [..., D]."""
        return functional.rms_norm(x, self.weight.shape, self.weight, 1e-6)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions, first half against second half: x [N, H, T, d], cos and sin [N, 1, T, d]."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


class Attention(nn.Module):
    """Multi-head attention without biases."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(width, width, bias=False) for _ in range(4))

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None) -> Tensor:
        """[N, T, D] -> [N, T, D]; mask [N, 1, 1, T] of visible places, or None: causal."""
        batch, time, width = x.shape
        q, k, v = (
            p(x).view(batch, time, self.heads, -1).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj)
        )
        mixed = functional.scaled_dot_product_attention(
            rotate(q, cos, sin), rotate(k, cos, sin), v, mask, is_causal=mask is None
        )
        result: Tensor = self.o_proj(mixed.transpose(1, 2).reshape(batch, time, width))
        return result


class FeedForward(nn.Module):
    """`down(gelu(gate(x)) * up(x))`, four times as wide inside."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate_proj, self.up_proj = (nn.Linear(width, 4 * width, bias=False) for _ in range(2))
        self.down_proj = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[..., D] -> [..., D]."""
        result: Tensor = self.down_proj(functional.gelu(self.gate_proj(x)) * self.up_proj(x))
        return result


class Layer(nn.Module):
    """Attention and feed-forward, each normalised before and added after."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = Norm(width), Norm(width)
        self.self_attn, self.mlp = Attention(width, heads), FeedForward(width)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None) -> Tensor:
        """[N, T, D] -> [N, T, D]."""
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask)
        result: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return result


class Backbone(nn.Module):
    """The layers and the final norm."""

    def __init__(self, shape: LanguageModelShape) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(shape.width, shape.heads) for _ in range(shape.layers))
        self.norm = Norm(shape.width)


class Tables(nn.Module):
    """A list of embedding tables under upstream's name `embeddings`."""

    def __init__(self, rows: list[int], width: int) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(n, width) for n in rows)


class Heads(nn.Module):
    """A list of linear heads under upstream's name `proj`."""

    def __init__(self, classes: list[int], width: int) -> None:
        super().__init__()
        self.proj = nn.ModuleList(nn.Linear(width, n) for n in classes)


class LanguageModel(nn.Module):
    """AR level 0, NAR levels 1..Q-1 and transcription; era layout, inclusive sums, plain STT, segment positions."""

    def __init__(self, shape: LanguageModelShape) -> None:
        super().__init__()
        self.shape = shape
        width, levels, ids = shape.width, shape.levels, shape.audio_tokens
        self.text_emb = nn.Embedding(shape.vocabulary, width)
        self.rvq_l_emb = nn.Embedding(levels, width)
        self.sep = nn.Parameter(torch.zeros(width))
        self.proms_emb = Tables([ids] * levels, width)
        self.resps_emb = Tables([ids + 1] + [ids] * (levels - 1), width)
        self.model = Backbone(shape)
        self.classifiers = Heads([ids + 1] + [ids] * (levels - 1) + [shape.vocabulary], width)
        self.reset()

    @torch.no_grad()
    def reset(self) -> None:
        """Initial values: silent residual branches and heads, so that training starts from a uniform guess."""
        for name, parameter in self.named_parameters():
            if "emb" in name or name == "sep":
                parameter.normal_(0.0, 0.5)
            elif name.startswith("classifiers") or name.endswith(("o_proj.weight", "down_proj.weight")):
                parameter.zero_()
            elif name.endswith("_proj.weight"):
                parameter.normal_(0.0, 1.0 / math.sqrt(self.shape.width))

    def heard_levels(self) -> int:
        """Transcription sees all levels but this last one; half of the batches in training have fewer."""
        levels = self.shape.levels
        if not self.training or levels < 3 or torch.rand(()) < 0.5:
            return levels
        return int(torch.randint(2, levels, ()))

    def flat(self, batch: Batch) -> Tensor:
        """The table of embeddings that the batch's index points into: [F, D]."""
        q = batch.level
        response, prompt = self.resps_emb.embeddings, self.proms_emb.embeddings
        if batch.kind == "ar":
            audio = response[0](batch.response[:, 0])
        elif batch.kind == "nar":
            audio = torch.stack([response[i + 1](batch.response[:, i]) for i in range(q)]).sum(0)
        else:
            parts = [response[0](batch.response[:, 0])] + [
                response[i + 1](batch.response[:, i]) for i in range(1, self.heard_levels() - 1)
            ]
            audio = torch.stack(parts).sum(0)
        pieces = [self.text_emb(batch.text)]
        if len(batch.prompt):
            seen = self.shape.levels if self.shape.whole_prompt else max(1, q)
            pieces.append(torch.stack([prompt[i](batch.prompt[:, i]) for i in range(seen)]).sum(0))
        pieces += [audio, self.rvq_l_emb.weight[q : q + 1], self.sep[None], torch.zeros_like(self.sep)[None]]
        return torch.cat(pieces)

    def forward(self, batch: Batch) -> Output:
        """The judged rows' logits and the loss."""
        shape = self.shape
        flat = self.flat(batch)
        x = flat[batch.index]
        half = shape.width // shape.heads // 2
        rates = 10000.0 ** (-torch.arange(half, device=x.device, dtype=torch.float32) / half)
        angles = batch.positions[..., None].float() * rates
        angles = torch.cat([angles, angles], dim=-1)[:, None]
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        mask = (batch.index != len(flat) - 1)[:, None, None] if batch.kind == "nar" else None
        for layer in self.model.layers:
            x = layer(x, cos, sin, mask)
        head = self.classifiers.proj[shape.levels if batch.kind == "stt" else batch.level]
        hidden = self.model.norm(x.flatten(0, 1)[batch.rows])
        logits = head(hidden)
        return Output(logits, functional.cross_entropy(logits.float(), batch.targets))
