"""The model against the slow reference, over configurations beyond the golden cases."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from vall_e_lm import Inputs, Target
from vall_e_lm.model import pad

from . import reference
from .conftest import Make, utterance

LATER = {"layout": "later", "capabilities": frozenset({"ar", "nar", "len"}), "version": 6, "text_tokens": 9}
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "era": {},
    "era exclusive": {"sum_mode": "exclusive", "stt_mode": "cumulative"},
    "era unsummed": {"sums": False},
    "era one head": {"split_classifiers": False},
    "era one head, no bias, unified": {
        "split_classifiers": False,
        "classifiers_bias": False,
        "unified_position_ids": True,
    },
    "era whole prompt": {"whole_prompt": True},
    "era no language": {"lang_mode": False},
    "era bidirectional": {"noncausal_masks": True, "levels": 2},
    "era 9 levels": {"levels": 9, "sum_mode": "exclusive"},
    "later": LATER,
    "later exclusive": LATER | {"sum_mode": "exclusive"},
    "later prompt sums": LATER | {"sums": "prom"},
    "later response sums": LATER | {"sums": "resp", "unified_position_ids": True},
    "later whole prompt": LATER | {"whole_prompt": True, "sums": False},
    "later bidirectional": LATER | {"noncausal_masks": True, "classifiers_bias": False},
    "later without length": {"layout": "later", "lang_mode": False, "sums": False},
}
TARGETS = [Target("ar"), *(Target("nar", q) for q in (1, 2, 3)), Target("nar-len"), Target("stt"), Target("len")]


def codes(seed: int, frames: int, levels: int) -> torch.Tensor:
    return torch.randint(0, 24, (frames, levels), generator=torch.Generator().manual_seed(seed))


def conditionings(levels: int, target: Target) -> dict[str, Inputs]:
    """Prompts of every kind; responses of none, one and, the trap of upstream's, eight frames."""
    phonemes, long = torch.tensor([1, 7, 8, 9, 2]), codes(1, 8, levels)
    prompt = codes(2, 6, levels)
    shape = {"ar": lambda r: r[:, 0], "nar-len": lambda r: r[:, 0]}.get(target.kind, lambda r: r)
    response = {n: shape(long[:n]) for n in (0, 1, 8)}
    if target.kind == "nar":
        response = {n: r[:, : target.level] for n, r in response.items()}
    tokens = torch.tensor([1, 4, 5]) if target.kind == "stt" else torch.tensor([0, 3])
    found = {
        "prompt": Inputs(phonemes, 1, prompt, response[8], tokens),
        "promptless": Inputs(phonemes, 0, None, response[1], tokens),
        "empty prompt": Inputs(phonemes, 1, prompt[:0], response[8], tokens),
        "task token": Inputs(phonemes, 1, ["ns", prompt], response[8], tokens),
        "two tokens": Inputs(phonemes, 1, [prompt[:2], "soe", prompt[2:], "eoe"], response[1], tokens),
        "no phonemes": Inputs(None, 1, prompt, response[1], tokens),
        "no language": Inputs(phonemes, None, prompt, response[1], tokens),
    }
    if target.kind == "ar":
        found["nothing yet"] = Inputs(phonemes, 1, prompt, response[0])
        found["nothing yet, empty prompt"] = Inputs(phonemes, 1, prompt[:0], response[0])
    return found


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: f"{t.kind}{t.level or ''}")
@pytest.mark.parametrize("name", CONFIGURATIONS)
@torch.inference_mode()
def test_equal_to_the_reference(make: Make, name: str, target: Target) -> None:
    model = make(layers=1, **CONFIGURATIONS[name])
    config = model.config
    expected_support = {
        "nar": target.level < config.levels,
        "nar-len": config.layout == "later",
        "len": "len" in config.capabilities,
    }.get(target.kind, True)
    assert model.supports(target) == expected_support
    if not expected_support:
        return
    weights = {k: v.double() for k, v in model.state_dict().items()}
    for what, inputs in conditionings(config.levels, target).items():
        found = model.embed(inputs, target)
        rows, positions = reference.sequence(config, weights, inputs, target)
        torch.testing.assert_close(found.embeds.double(), rows, rtol=1e-5, atol=1e-5, msg=lambda m, w=what: f"{w}: {m}")
        assert found.positions.tolist() == positions, what
        causal = target.sequential or not config.noncausal_masks
        hidden = model(found.embeds[None], found.positions[None], causal=model.causal(target))[0]
        states = reference.forward(config, weights, rows, positions, causal)
        torch.testing.assert_close(hidden.double(), states, rtol=1e-3, atol=1e-3)
        scores = reference.head(config, weights, states, target)
        raw = model.logits(hidden, target, raw=True)
        torch.testing.assert_close(raw.double(), scores, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("unified", [True, False])
@pytest.mark.parametrize("layout", ["era", "later"])
@pytest.mark.parametrize("target", [t for t in TARGETS if t.sequential], ids=lambda t: t.kind)
@torch.inference_mode()
def test_next_position_is_where_the_next_token_goes(make: Make, target: Target, layout: str, unified: bool) -> None:
    capabilities = frozenset({"ar", "nar", "len"}) if layout == "later" else frozenset({"ar", "nar"})
    model = make(layout=layout, unified_position_ids=unified, capabilities=capabilities)
    if not model.supports(target):
        assert (target.kind, layout) == ("len", "era")
        return
    for what, inputs in conditionings(4, target).items():
        sequence = model.embed(inputs, target)
        if not sequence.incremental:
            assert "token" in what and not unified
            continue
        token = torch.tensor([3])
        if target.kind == "ar":
            assert inputs.response is not None
            longer = Inputs(inputs.phonemes, inputs.language, inputs.prompt, torch.cat((inputs.response, token)))
        else:
            assert inputs.tokens is not None
            more = torch.cat((inputs.tokens, token))
            longer = Inputs(inputs.phonemes, inputs.language, inputs.prompt, inputs.response, more)
        grown = model.embed(longer, target)
        assert torch.equal(grown.positions[:-1], sequence.positions), what
        assert int(grown.positions[-1]) == sequence.next_position, what
        assert torch.equal(grown.embeds[-1], model.embed_token(token, target)[0])
        assert grown.output_rows.start == sequence.output_rows.start
        assert sequence.output_rows.stop == len(sequence.embeds)


@torch.inference_mode()
def test_nar_output_rows_are_the_responses(make: Make) -> None:
    model = make()
    inputs = utterance(0, 8)
    inputs.response = codes(3, 8, 2)
    sequence = model.embed(inputs, Target("nar", 2))
    assert len(sequence.embeds[sequence.output_rows]) == 8


@torch.inference_mode()
def test_one_head_drops_what_a_target_cannot_mean(make: Make) -> None:
    """With one head NAR could choose the stop, which is no code: the next level would look it up and fail."""
    model = make(split_classifiers=False)
    hidden = torch.randn(3, 32)
    assert model.logits(hidden, Target("nar", 1)).shape == (3, 24)
    assert model.logits(hidden, Target("nar", 1), raw=True).shape == (3, 25)
    assert model.logits(hidden, Target("ar")).shape == (3, 25)
    assert model.logits(hidden, Target("stt")).shape == (3, 20)


@pytest.mark.parametrize("causal", [True, False])
@torch.inference_mode()
def test_padding_changes_nothing(make: Make, causal: bool) -> None:
    model = make(noncausal_masks=not causal)
    rows = [utterance(i, n, prompt=n) for i, n in enumerate((1, 8, 4))]
    for row in rows:
        row.response = codes(4, len(row.response), 1)
    sequences = [model.embed(r, Target("nar", 1)) for r in rows]
    embeds, positions, lengths = pad(sequences)
    together = model(embeds, positions, causal=causal, lengths=lengths)
    noisy = embeds.clone()
    for i, n in enumerate(lengths.tolist()):
        noisy[i, n:] = 7.0
    again = model(noisy, positions, causal=causal, lengths=lengths)
    for i, sequence in enumerate(sequences):
        alone = model(sequence.embeds[None], sequence.positions[None], causal=causal)[0]
        torch.testing.assert_close(together[i, : len(alone)], alone, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(again[i, : len(alone)], alone, rtol=1e-4, atol=1e-4)


def test_bad_ids_are_named(make: Make) -> None:
    from vall_e_core import InputError, ModelError

    model, good = make(), utterance(0, 2)
    assert isinstance(good.prompt, torch.Tensor)
    for changes, word in (
        ({"phonemes": torch.tensor([1, 20])}, "phonemes: id 20"),
        ({"response": torch.tensor([25])}, "id 25"),
        ({"response": torch.tensor([-1])}, "id -1"),
        ({"prompt": good.prompt + 24}, "audio codes"),
        ({"prompt": ["whisper", good.prompt]}, "whisper"),
    ):
        with pytest.raises(InputError, match=word):
            model.embed(Inputs(**(vars(good) | changes)), Target("ar"))
    short = vars(good) | {"prompt": good.prompt[:, :2], "response": codes(1, 2, 3)}
    with pytest.raises(InputError, match="needs 3 code levels"):
        model.embed(Inputs(**short), Target("nar", 3))
    with pytest.raises(InputError, match="audio codes"):
        model.embed(Inputs(language=1), Target("stt"))
    for target in (Target("len"), Target("nar-len"), Target("nar", 0), Target("nar", 4)):
        with pytest.raises(ModelError, match="can't do"):
            model.embed(good, target)
    assert model.embed(Inputs(**(vars(good) | {"language": 99})), Target("ar")).embeds.isfinite().all()
