"""The module that speaks is the module that is trained."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from vall_e_lm import Inputs, Model, ModelConfig, Target
from vall_e_lm.model import pad

from .conftest import SMALL


def test_two_models_of_one_seed_are_the_same_and_leave_the_global_stream_alone() -> None:
    before = torch.get_rng_state()
    a, b, c = (Model(ModelConfig(**SMALL), seed=s) for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    states = [m.state_dict() for m in (a, b, c)]
    assert all(torch.equal(v, states[1][k]) for k, v in states[0].items())
    assert not torch.equal(states[0]["sep"], states[2]["sep"])
    assert all(v.isfinite().all() for v in states[0].values())


@pytest.mark.slow
def test_every_used_parameter_learns() -> None:
    """A few steps of AR, NAR, demasking, length and transcription lower the loss and reach every weight."""
    everything = {"layout": "later", "version": 5, "capabilities": frozenset({"ar", "nar", "len"}), "levels": 3}
    model = Model(ModelConfig(**(SMALL | everything | {"noncausal_masks": True})), seed=0)
    stream = torch.Generator().manual_seed(0)
    codes = [torch.randint(0, 24, (n, 3), generator=stream) for n in (9, 5, 12)]
    phonemes = [torch.randint(3, 20, (n,), generator=stream) for n in (4, 6, 3)]
    start, digits = torch.tensor([1]), torch.tensor([0, 9])

    def loss(target: Target) -> torch.Tensor:
        sequences, wanted = [], []
        for c, p in zip(codes, phonemes, strict=True):
            inputs = Inputs(p, 0, c, c[:, 0])
            labels = c[:, 0]
            if target.kind == "ar":
                labels = torch.cat((c[:, 0], torch.tensor([24])))
            elif target.kind == "nar":
                inputs.response, labels = c[:, : target.level], c[:, target.level]
            elif target.kind == "nar-len":
                inputs.response = torch.full_like(c[:, 0], model.mask_token)
            elif target.kind == "len":
                inputs.tokens, labels = digits, torch.tensor([0, 9, 10])
            else:
                inputs = Inputs(language=0, response=c, tokens=torch.cat((start, p)))
                labels = torch.cat((start, p, torch.tensor([2])))
            sequences.append(model.embed(inputs, target))
            wanted.append(labels)
        embeds, positions, lengths = pad(sequences)
        hidden = model(embeds, positions, causal=model.causal(target), lengths=lengths)
        rows = torch.cat([hidden[i, s.output_rows] for i, s in enumerate(sequences)])
        return F.cross_entropy(model.logits(rows, target), torch.cat(wanted))

    kinds = [Target("ar"), Target("nar", 1), Target("nar", 2), Target("nar-len"), Target("len"), Target("stt")]
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    curve = []
    for _ in range(12):
        optimiser.zero_grad(set_to_none=True)
        total = torch.stack([loss(t) for t in kinds]).sum()
        total.backward()
        optimiser.step()
        curve.append(float(total.detach()))
    assert curve[-1] < 0.7 * curve[0]
    idle = {name for name, p in model.named_parameters() if p.grad is None}
    # the newest level of a prompt is never read; tones and the dropout token have no use
    assert idle == {"tones_emb.weight", "dropout_token", "proms_emb.embeddings.2.weight"}


def test_full_size_has_upstreams_number_of_parameters() -> None:
    """Published: 228,126,977 (era, with an unused table of 1025 x 1024) and 237,968,641 (later)."""
    full = Model(ModelConfig(langs=4, tasks=9), seed=None)
    assert sum(p.numel() for p in full.parameters()) + 1025 * 1024 == 228_126_977
    later = Model(ModelConfig(langs=4, tasks=9, layout="later", text_tokens=8575), seed=None)
    assert sum(p.numel() for p in later.parameters()) == 237_968_641


def test_names_are_upstreams() -> None:
    names = set(Model(ModelConfig(**SMALL), seed=None).state_dict())
    assert {"text_emb.weight", "sep", "proms_emb.embeddings.3.weight", "resps_emb.embeddings.0.weight"} <= names
    assert {"classifiers.proj.4.bias", "model.layers.3.self_attn.q_proj.weight", "model.norm.weight"} <= names
    assert not any("rotary" in n or "embed_tokens" in n for n in names)
