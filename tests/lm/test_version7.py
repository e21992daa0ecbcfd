"""Version 7 in all its variants, written out a second time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from vall_e_core import InputError, ModelError
from vall_e_lm import Inputs, ModelConfig, Target, load_model, save_model
from vall_e_lm.model import Model7

from . import reference

BASE: dict[str, Any] = {
    "version": 7, "layout": "later", "width": 32, "heads": 4, "layers": 1, "levels": 3, "audio_tokens": 24,
    "phoneme_tokens": 20, "text_tokens": 7, "langs": 2, "unified_position_ids": False, "split_classifiers": False,
    "final_norm": False, "noncausal_masks": True, "len_use_logits": True,
    "capabilities": frozenset({"ar", "nar", "len"}),
}  # fmt: skip
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "one encoder": {"monolithic_audio_encoder": True},
    "segmented": {"segmented_attention": True},
    "bare encoder": {
        "audio_encoder_norm": False,
        "audio_encoder_ffn": False,
        "audio_encoder_level_weights": False,
    },
    "wide": {"audio_encoder_expansion": 3, "audio_decoder_expansion": 1},
    "shared norm": {"per_level_normalization": False, "final_norm": True},
    "causal": {"noncausal_masks": False, "segmented_attention": True},
    "no length, unified": {"len_use_logits": False, "unified_position_ids": True, "text_tokens": 0},
}


def model_of(changes: dict[str, Any]) -> Model7:
    """A model with enlarged weights."""
    model = Model7(ModelConfig(**(BASE | changes)), seed=4).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4.0)
    return model


def encode(model: Model7, codes: Tensor, *, response: bool) -> Tensor:
    """Codes [T, Q] -> [T, D] by the description of the format."""
    config, w = model.config, model.state_dict()
    name = "audio_emb" if config.monolithic_audio_encoder else "resps_emb" if response else "proms_emb"
    role = 1 if config.monolithic_audio_encoder and response else 0
    rows = []
    for frame in codes.tolist():
        total = torch.zeros(config.width)
        shares = torch.ones(config.levels)
        if config.audio_encoder_level_weights:
            shares = w[f"{name}.level_weights"].softmax(0)
        for level, code in enumerate(frame):
            x = w[f"{name}.embs.{level}.weight"][code] + w[f"{name}.pos_embedding"][role, level]
            if config.audio_encoder_norm:
                x = F.layer_norm(x, x.shape, w[f"{name}.norm.weight"], w[f"{name}.norm.bias"], 1e-5)
            if config.audio_encoder_ffn:
                hidden = F.gelu(x @ w[f"{name}.proj.0.weight"].T + w[f"{name}.proj.0.bias"])
                x = x + hidden @ w[f"{name}.proj.2.weight"].T + w[f"{name}.proj.2.bias"]
            total += shares[level] * x
        rows.append(total)
    return torch.stack(rows)


@pytest.mark.parametrize("name", VARIANTS)
@torch.inference_mode()
def test_encoder_sequence_mask_and_decoder(name: str) -> None:
    model = model_of(VARIANTS[name])
    config, w = model.config, model.state_dict()
    stream = torch.Generator().manual_seed(1)
    phonemes = torch.tensor([1, 5, 9, 2])
    prompt = torch.randint(0, 24, (3, 3), generator=stream)
    response = torch.randint(0, 26, (5, 3), generator=stream)
    target = Target("nar-len")
    found = model.embed(Inputs(phonemes, 1, prompt, response), target)
    parts = [
        w["phn_emb.weight"][phonemes],
        w["langs_emb.weight"][1:2],
        encode(model, prompt, response=False),
        encode(model, response, response=True),
    ]
    rows = torch.cat([p for part in parts for p in (part, w["sep"][None])][:-1])
    torch.testing.assert_close(found.embeds, rows, rtol=1e-4, atol=1e-4)
    unified = list(range(16))
    assert found.positions.tolist() == (
        unified if config.unified_position_ids else [*range(5), 0, 1, *range(4), *range(5)]
    )
    assert found.embeds[found.output_rows].shape[0] == 5
    blocks = None if found.blocks is None else found.blocks[None]
    segmented = config.segmented_attention and config.noncausal_masks
    assert (blocks is not None) == segmented
    if blocks is not None:
        assert blocks[0].tolist() == [0] * 7 + [1] * 4 + [2] * 5
    hidden = model(rows[None], found.positions[None], causal=model.causal(target), blocks=blocks)[0]
    if not segmented:
        wide = {k: v.double() for k, v in w.items()}
        wide.setdefault("model.norm.weight", torch.ones(32, dtype=torch.float64))
        states = reference.forward(config, wide, rows.double(), found.positions.tolist(), not config.noncausal_masks)
        if config.final_norm:
            torch.testing.assert_close(hidden.double(), states, rtol=1e-3, atol=1e-3)
        else:
            direction = F.normalize(hidden.double(), dim=-1)
            torch.testing.assert_close(direction, F.normalize(states, dim=-1), rtol=1e-3, atol=1e-3)
    scores = model.logits(hidden, target)
    assert scores.shape == (3, 16, 25)
    for level in range(3):
        p = f"audio_decoder.head.{level}."
        x = hidden
        if config.per_level_normalization:
            x = F.layer_norm(x, (32,), w[p + "0.weight"], w[p + "0.bias"], 1e-5)
        x = F.gelu(x @ w[p + "1.weight"].T + w[p + "1.bias"])
        x = x @ w[p + "3.weight"].T + w[p + "3.bias"]
        torch.testing.assert_close(scores[level], x @ w[p + "4.weight"].T + w[p + "4.bias"], rtol=1e-4, atol=1e-3)


@torch.inference_mode()
def test_segmented_mask_hides_later_blocks() -> None:
    """What stands in a later block changes nothing in an earlier one; what stands earlier does change later ones."""
    model = model_of({"segmented_attention": True})
    phonemes, prompt = torch.tensor([1, 5, 2]), torch.zeros(3, 3, dtype=torch.long)

    def states(response: Tensor, prompt: Tensor) -> Tensor:
        s = model.embed(Inputs(phonemes, 0, prompt, response), Target("nar-len"))
        assert s.blocks is not None
        out: Tensor = model(s.embeds[None], s.positions[None], causal=False, blocks=s.blocks[None])[0]
        return out

    empty, full = torch.full((4, 3), 25), torch.ones(4, 3, dtype=torch.long)
    a, b, c = states(empty, prompt), states(full, prompt), states(empty, prompt + 1)
    torch.testing.assert_close(a[:10], b[:10])
    assert not torch.allclose(a[10:], b[10:])
    torch.testing.assert_close(a[:6], c[:6])
    assert not torch.allclose(a[10:], c[10:])


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_are_saved_and_seen_in_the_tensors(tmp_path: Path, name: str) -> None:
    model = model_of(VARIANTS[name])
    save_model(tmp_path / "m.sft", model)
    loaded = load_model(tmp_path / "m.sft")
    assert isinstance(loaded.model, Model7)
    assert loaded.config == model.config
    assert all(torch.equal(v, loaded.model.state_dict()[k]) for k, v in model.state_dict().items())


@torch.inference_mode()
def test_length_is_five_digits() -> None:
    model = model_of({})
    with torch.no_grad():
        model.len_decoder.head.weight.zero_()
        model.len_decoder.head.bias.copy_(torch.eye(10)[[0, 1, 2, 0, 7]].flatten())
    assert int(model.read_length(torch.zeros(32))) == 1207
    sequence = model.embed(Inputs(torch.tensor([1, 2]), 0, torch.zeros(2, 3, dtype=torch.long)), Target("len"))
    assert torch.equal(sequence.embeds[-1], model.len_emb)
    with pytest.raises(ModelError):
        model_of({"len_use_logits": False}).embed(Inputs(torch.tensor([1, 2]), 0), Target("len"))


def test_what_it_cannot_do() -> None:
    model = model_of({})
    assert model.stop_token(Target("ar")) == 24 and model.mask_token == 25
    assert not model.supports(Target("nar", 1))
    with pytest.raises(InputError, match="3 levels at once"):
        model.embed(Inputs(torch.tensor([1]), 0, None, torch.zeros(4, dtype=torch.long)), Target("ar"))
    with pytest.raises(InputError, match="phonemes"):
        model.embed(Inputs(torch.tensor([20]), 0), Target("ar"))


@torch.inference_mode()
def test_audio_by_steps_with_a_cache() -> None:
    model = model_of({"monolithic_audio_encoder": True})
    codes = torch.randint(0, 24, (6, 3), generator=torch.Generator().manual_seed(2))
    start = model.embed(Inputs(torch.tensor([1, 4, 2]), 1, codes, codes[:0]), Target("ar"))
    cache = model.new_cache(1, 40)
    model(start.embeds[None], start.positions[None], causal=True, cache=cache)
    for step, frame in enumerate(codes):
        place = torch.tensor([[start.next_position + step]])
        hidden = model(model.embed_token(frame[None], Target("ar"))[:, None], place, causal=True, cache=cache)
        whole = model.embed(Inputs(torch.tensor([1, 4, 2]), 1, codes, codes[: step + 1]), Target("ar"))
        expected = model(whole.embeds[None], whole.positions[None], causal=True)[0, -1]
        torch.testing.assert_close(hidden[0, 0], expected, rtol=1e-4, atol=1e-4)
