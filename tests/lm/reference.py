"""The model written out a second time, slowly and from the format's description alone, for configurations that no
golden case has: one utterance, no batch, explicit loops, float64."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from vall_e_lm import Inputs, ModelConfig, Target
from vall_e_lm.model import TASK_IDS

State = Mapping[str, Tensor]


def levels_summed(config: ModelConfig, level: int, sums: bool) -> list[int]:
    """Input levels of a target."""
    if level == 1:
        return [0]
    if not sums:
        return [level - 1]
    return [0, *range(1, level if config.sum_mode == "inclusive" else level - 1)]


def sequence(config: ModelConfig, w: State, inputs: Inputs, target: Target) -> tuple[Tensor, list[int]]:
    """Rows [S, D] and position ids."""
    rows: list[Tensor] = []
    runs: list[tuple[str, int]] = []

    def segment(name: str, pieces: Sequence[Tensor], counted: int | None = None) -> None:
        if runs:
            rows.append(w["sep"])
        rows.extend(pieces)
        runs.append((name, len(pieces) if counted is None else counted))

    def response(level: int, codes: Tensor) -> list[Tensor]:
        out = []
        for frame in codes.tolist():
            row = frame if isinstance(frame, list) else [frame]
            if level == 0:
                out.append(w["resps_emb.embeddings.0.weight"][row[0]])
            else:
                used = levels_summed(config, level, config.sums is True or config.sums == "resp")
                out.append(sum((w[f"resps_emb.embeddings.{k + 1}.weight"][row[k]] for k in used), torch.zeros(())))
        return out

    level = target.level
    if target.kind == "stt":
        assert inputs.response is not None
        heard = []
        for frame in inputs.response.tolist():
            row = w["resps_emb.embeddings.0.weight"][frame[0]].clone()
            if config.stt_mode == "plain":
                for k in range(1, config.levels - 1):
                    row += w[f"resps_emb.embeddings.{k + 1}.weight"][frame[k]]
            else:
                for top in range(1, config.levels - 1):
                    for k in range(top):
                        row += w[f"resps_emb.embeddings.{k + 1}.weight"][frame[k]]
            heard.append(row)
        segment("resp", heard)
    elif inputs.phonemes is not None:
        segment("text", [w["text_emb.weight"][i] for i in inputs.phonemes.tolist()])
    if config.lang_mode and inputs.language is not None:
        segment("lang", [w["langs_emb.weight"][inputs.language]])
    segment("level", [w["rvq_l_emb.weight"][level]])
    if inputs.prompt is not None and target.kind != "stt":
        pieces, counted = [], 0
        for piece in [inputs.prompt] if isinstance(inputs.prompt, Tensor) else inputs.prompt:
            if isinstance(piece, str):
                pieces.append(w["tasks_emb.weight"][TASK_IDS[piece]])
                continue
            below = levels_summed(config, max(level, 1), config.sums is True or config.sums == "prom")
            used = list(range(config.levels)) if config.whole_prompt else below
            for frame in piece.tolist():
                parts = [w[f"proms_emb.embeddings.{k}.weight"][frame[k]] for k in used]
                pieces.append(sum(parts, torch.zeros(())))
                counted += 1
        segment("prom", pieces, counted)
    if target.kind == "stt" and inputs.tokens is not None:
        segment("text", [w["text_emb.weight"][i] for i in inputs.tokens.tolist()])
    elif target.kind == "len" and inputs.tokens is not None:
        segment("len", [w["len_emb.weight"][i] for i in inputs.tokens.tolist()])
    elif target.kind == "nar-len" and inputs.response is not None:
        table = w[f"resps_emb.embeddings.{config.levels}.weight"]
        segment("resp", [table[i] for i in inputs.response.tolist()])
    elif inputs.response is not None and target.kind != "stt":
        segment("resp", response(level, inputs.response))
    if config.unified_position_ids:
        return torch.stack(rows), list(range(len(rows)))
    ids: list[int] = []
    for n, (name, length) in enumerate(runs):
        ends = name not in ("resp", "len") if config.layout == "era" else n < len(runs) - 1
        ids += list(range(length + ends))
    return torch.stack(rows), (ids + [1] * len(rows))[: len(rows)]


def forward(config: ModelConfig, w: State, x: Tensor, positions: Sequence[int], causal: bool) -> Tensor:
    """Rows [S, D] -> states [S, D]."""
    n = len(x)
    h, hd = config.heads, config.width // config.heads

    def norm(rows: Tensor, name: str) -> Tensor:
        return rows / (rows.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt() * w[name]

    angles = [[p * 10000.0 ** (-2 * i / hd) for i in range(hd // 2)] for p in range(max(positions) + 1)]
    turns = torch.polar(
        torch.ones(len(angles), hd // 2, dtype=torch.float64), torch.tensor(angles, dtype=torch.float64)
    )

    def rotate(vector: Tensor, position: int) -> Tensor:
        turned = torch.view_as_complex(vector.view(2, hd // 2).T.contiguous()) * turns[position]
        return torch.view_as_real(turned).T.reshape(-1)

    for layer in range(config.layers):
        p = f"model.layers.{layer}."
        y = norm(x, p + "input_layernorm.weight")
        q, k, v = ((y @ w[f"{p}self_attn.{c}_proj.weight"].T).view(n, h, hd) for c in "qkv")
        mixed = torch.zeros_like(x)
        for head in range(h):
            qs = torch.stack([rotate(q[i, head], positions[i]) for i in range(n)])
            ks = torch.stack([rotate(k[i, head], positions[i]) for i in range(n)])
            scores = qs @ ks.T / math.sqrt(hd)
            if causal:
                scores = scores.masked_fill(torch.ones(n, n, dtype=torch.bool).triu(1), -math.inf)
            mixed[:, head * hd : (head + 1) * hd] = scores.softmax(-1) @ v[:, head]
        x = x + mixed @ w[p + "self_attn.o_proj.weight"].T
        y = norm(x, p + "post_attention_layernorm.weight")
        gate = y @ w[p + "mlp.gate_proj.weight"].T
        gate = 0.5 * gate * (1 + torch.erf(gate / math.sqrt(2)))
        x = x + (gate * (y @ w[p + "mlp.up_proj.weight"].T)) @ w[p + "mlp.down_proj.weight"].T
    return norm(x, "model.norm.weight")


def head(config: ModelConfig, w: State, states: Tensor, target: Target) -> Tensor:
    """States [S, D] -> scores [S, V] of the head at the published place."""
    if not config.split_classifiers:
        name = "classifier"
    else:
        q = config.levels
        later = config.layout == "later"
        place = {"ar": 0, "nar": target.level, "nar-len": q, "stt": q + later, "len": q + later + 1}[target.kind]
        name = f"classifiers.proj.{place}"
    scores = states @ w[f"{name}.weight"].T
    return scores + w[f"{name}.bias"] if config.classifiers_bias else scores
