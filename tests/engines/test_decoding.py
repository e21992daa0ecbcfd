"""Everything that decodes, decodes through the engine; and the same seed says the same."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from vall_e_core import BuildContext, ModelError, Registry, VallE
from vall_e_core.sampling.running import Chain
from vall_e_lm import (
    ArPass,
    EarlyExit,
    Guidance,
    Model,
    ModelConfig,
    Utterance,
    generate_ar,
    generate_nar,
    generate_nar_len,
    plan_chain,
    save_model,
    transcribe,
)
from vall_e_lm.model import Model7

from .conftest import Converted, small_model

pytest.importorskip("onnxruntime")

from vall_e_onnx.blocks import StepBackbone, WideBlock
from vall_e_onnx.convert import OnnxModel
from vall_e_onnx.product import wide_works

STEPS = 12
needs_wide = pytest.mark.skipif(not wide_works(), reason="this machine has no exact products of 8 bits")


def chain(stage: str = "ar", vocabulary: int = 33, **flags: object) -> Chain:
    plan = plan_chain(Registry.load(third_party=False).samplers(), stage, None, flags)
    return plan.build(BuildContext("cpu", vocab_size=vocabulary, stop_token=32, frame_rate=75.0, stage=stage))


def utterances(count: int = 3) -> list[Utterance]:
    stream = torch.Generator().manual_seed(2)
    return [
        Utterance(
            i, torch.randint(3, 40, (6 + 3 * i,), generator=stream), 0,
            torch.randint(0, 32, (9 + i, 4), generator=stream),
        )
        for i in range(count)
    ]  # fmt: skip


def say(
    model: Model, items: list[Utterance], use: Chain | None = None, **settings: Any,
) -> list[list[int]]:
    made = generate_ar(model, items, ArPass(chain() if use is None else use, seed=5, **settings), max_steps=STEPS)
    return [each.codes.tolist() for each in made]


class Counter:
    """Counts the steps that ONNX Runtime makes."""

    def __init__(self, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        backbone = model.model
        assert isinstance(backbone, StepBackbone) and backbone.step is not None
        step = backbone.step

        def counted(*args: Any) -> torch.Tensor:
            self.calls += 1
            return step(*args)

        monkeypatch.setattr(backbone, "step", counted)


def test_a_seed_says_the_same_alone_in_a_batch_and_again(converted: Converted, monkeypatch: pytest.MonkeyPatch) -> None:
    model, items = converted(), utterances()
    counter = Counter(model, monkeypatch)
    together = say(model, items)
    assert counter.calls == min(max(map(len, together)), STEPS - 1), "the first token comes from the prefill"
    assert together == say(model, items) == say(converted(), items)
    assert together == [say(model, [each])[0] for each in items]


@pytest.mark.parametrize(
    "settings",
    [
        {"cache": False}, {"guidance": Guidance(2.0, 0.5)}, {"refine_on_stop": True},
        {"early_exit": EarlyExit(2, 99.0, 99.0)}, {"early_exit": EarlyExit(2, None, None)},
    ],
)  # fmt: skip
def test_every_way_of_decoding_works(converted: Converted, settings: dict[str, Any]) -> None:
    model, items = converted(layerskip=True), utterances(2)
    found = say(model, items, **settings)
    assert found == say(model, items, **settings)
    assert all(0 < len(each) <= STEPS and max(each) < 32 for each in found)
    exact = say(small_model(layerskip=True), items, **settings)
    same = sum(a == b for x, y in zip(found, exact, strict=True) for a, b in zip(x[:1], y[:1], strict=True))
    assert same >= 1, "the first tokens come from nearly the same logits"


@pytest.mark.parametrize(
    "settings",
    [
        {}, {"cache": False}, {"guidance": Guidance(2.0, 0.5)}, {"refine_on_stop": True},
        {"early_exit": EarlyExit(2, 99.0, 99.0)}, {"batch_size": 2}, {"use": chain(**{"beam-width": 3})},
    ],
)  # fmt: skip
def test_weights_as_they_are_say_what_eager_says(converted: Converted, settings: dict[str, Any]) -> None:
    items = utterances(4)
    assert say(converted(32, layerskip=True), items, **settings) == say(small_model(layerskip=True), items, **settings)


@needs_wide
def test_early_exit_leaves_the_steps_to_the_layers(converted: Converted, monkeypatch: pytest.MonkeyPatch) -> None:
    model = converted(layerskip=True)
    counter = Counter(model, monkeypatch)
    rule = EarlyExit(2, 99.0, 99.0)
    assert say(model, utterances(), early_exit=rule) == [
        say(model, [each], early_exit=rule)[0] for each in utterances()
    ]
    assert counter.calls == 0


def test_a_beam_searches(converted: Converted, monkeypatch: pytest.MonkeyPatch) -> None:
    model = converted()
    counter = Counter(model, monkeypatch)
    wide = chain(**{"beam-width": 3})
    found = say(model, utterances(), wide)
    assert counter.calls > 0
    assert found == [say(model, [each], wide)[0] for each in utterances()]


def test_further_levels_demasking_and_transcription(converted: Converted) -> None:
    model, items = converted(), utterances(2)
    level0 = [torch.arange(8), torch.arange(5)]
    greedy = chain("nar", 32, **{"nar-temp": 0.0})
    levels = generate_nar(model, items, level0, greedy, seed=1)
    exact = generate_nar(small_model(), items, level0, greedy, seed=1)
    assert [each.shape for each in levels] == [(8, 4), (5, 4)]
    assert float(torch.cat([(a == b).float().flatten() for a, b in zip(levels, exact, strict=True)]).mean()) > 0.8
    heard = transcribe(model, [levels[0]], [0], chain("stt", 48), max_steps=6)
    assert 0 < len(heard[0].tokens) <= 6
    later = converted(layout="later", capabilities=frozenset({"nar", "len"}), text_tokens=0)
    filled = generate_nar_len(later, items, [7, 4], greedy, seed=1)
    assert [len(each) for each in filled] == [7, 4]


def test_version_7(converted: Converted) -> None:
    config = ModelConfig(
        version=7, width=64, heads=4, layers=2, levels=4, audio_tokens=32, phoneme_tokens=48, langs=4,
        capabilities=frozenset({"ar", "nar", "len"}), layout="later", final_norm=False,
    )  # fmt: skip
    models = [Model7(config, seed=0).eval() for _ in range(2)]
    OnnxModel(8, 1, lambda line: None).adopt(models[1], None)
    found = [generate_ar(each, utterances(2), ArPass(chain(), seed=1), max_steps=5) for each in models]
    assert [each.codes.shape for each in found[1]] == [each.codes.shape for each in found[0]]


def test_levels_with_weights_of_their_own(converted: Converted) -> None:
    """As an adapter for some levels makes them: every backbone is converted, and used where it was."""
    from copy import deepcopy

    def with_level(level: int) -> Model:
        model = small_model()
        other = deepcopy(model.model)
        with torch.no_grad():
            for parameter in other.parameters():
                parameter.mul_(0.5)
        model.set_backbone(level, other)
        return model

    greedy = chain("nar", 32, **{"nar-temp": 0.0})
    exact, model = with_level(2), with_level(2)
    OnnxModel(8, 1, lambda line: None).adopt(model, None)
    assert all(isinstance(each, StepBackbone) for each in model.backbones().values())
    codes = [generate_nar(each, utterances(1), [torch.arange(20)], greedy, seed=1)[0] for each in (exact, model)]
    plain = generate_nar(small_model(), utterances(1), [torch.arange(20)], greedy, seed=1)[0]
    assert float((codes[0][:, 2] == codes[1][:, 2]).float().mean()) > 0.8
    assert not torch.equal(plain[:, 2], codes[0][:, 2])


def test_heads_that_do_not_suit_the_operator(converted: Converted) -> None:
    notices: list[str] = []
    if not wide_works():
        pytest.skip("this machine has no exact products of 8 bits")
    model = converted(notices=notices, heads=8)
    assert "torch runs its steps" in "".join(notices)
    assert say(model, utterances()) == [say(model, [each])[0] for each in utterances()]
    with pytest.raises(ModelError, match="4 bits"):
        converted(4, heads=8)


def unsuited(tmp_path: Path) -> Path:
    """A checkpoint whose heads are 8 wide."""
    return Path(save_model(tmp_path / "model.sft", small_model(heads=8, audio_tokens=1024)) or tmp_path / "model.sft")


def test_what_nobody_asked_for_gives_way_to_eager(tmp_path: Path) -> None:
    notices: list[str] = []
    assert VallE.load(unsuited(tmp_path), device="cpu", codec="mini", notify=notices.append).engine == "eager"
    assert any("multiples of 16" in line and "eager does" in line for line in notices)
    with pytest.raises(ModelError, match="can't run this model"):
        VallE.load(unsuited(tmp_path), device="cpu", codec="mini", engine="onnx")


def test_a_broken_installation_of_what_nobody_asked_for_gives_way_too(monkeypatch: pytest.MonkeyPatch) -> None:
    notices: list[str] = []
    monkeypatch.setitem(sys.modules, "vall_e_onnx.convert", None)
    assert VallE.load(device="cpu", notify=notices.append).engine == "eager"
    assert any("can't load ONNX Runtime" in line for line in notices)
    with pytest.raises(ModelError, match="can't load ONNX Runtime"):
        VallE.load(device="cpu", quantize="int8")


def test_a_machine_without_exact_products_keeps_its_layers(
    converted: Converted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vall_e_onnx.convert.wide_works", lambda: False)
    model = converted()
    counter = Counter(model, monkeypatch)
    assert not any(isinstance(each, WideBlock) for each in model.model.layers)
    found = say(model, utterances())
    assert max(map(len, found)) > 1 and counter.calls > 0


@needs_wide
def test_the_float_weights_are_let_go(converted: Converted) -> None:
    left = sum(each.numel() for each in converted().model.parameters())
    assert left == 64 * (2 * 4 + 1), "the norms' gains"
