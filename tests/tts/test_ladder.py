"""What a try after a bad take changes."""


from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from vall_e_core import PluginError, Registry, Sampler
from vall_e_core.run import SamplerSpec
from vall_e_core.sampling.running import ChainRequest
from vall_e_core.testing import check_sampler
from vall_e_lm import plan_chain
from vall_e_tts.synthesis.ladder import ladder


def rungs(registry: Registry, *specs: str, stage: str = "ar") -> list[tuple[str, list[str]]]:
    """Each rung's name and what its chain does, for an explicit chain or for none."""
    known = registry.samplers()
    explicit = tuple(SamplerSpec.parse(each, None).resolve(registry) for each in specs) if specs else None
    plan = plan_chain(known, stage, ChainRequest(explicit))
    return [(rung.name, rung.plan.describe()) for rung in ladder(plan, known)]


def test_the_noise_then_the_selector_then_the_temperature(registry: Registry) -> None:
    asked, again, aware, cooler = rungs(registry, "dry:0.5", "top-p:0.9", "temperature:0.8")
    assert asked == again == ("as asked", [*asked[1][:-1], "multinomial"])
    assert aware[0] == "ras" and aware[1][:3] == asked[1][:3] and aware[1][3].startswith("ras")
    assert cooler[0] == "cooler" and cooler[1][:2] == asked[1][:2] and cooler[1][2].startswith("temperature:t=0.56")


def test_a_chain_without_a_temperature_gets_one(registry: Registry) -> None:
    assert any(each.startswith("temperature:t=0.7") for each in rungs(registry, "top-p:0.9")[-1][1])
    plain = rungs(registry, "multinomial")
    assert [name for name, _ in plain] == ["as asked", "as asked", "ras", "cooler"]


@pytest.mark.parametrize("spec", ["greedy", "beam:3", "mirostat:4", "ras:12", "temperature:0"])
def test_who_asks_for_another_choice_keeps_it(registry: Registry, spec: str) -> None:
    assert [name for name, _ in rungs(registry, spec)] == ["as asked"]


def test_the_parallel_levels_have_no_ladder(registry: Registry) -> None:
    assert [name for name, _ in rungs(registry, "top-p:0.9", stage="nar")] == ["as asked"]


@pytest.mark.parametrize("offered", [["a", "list", "of three"], "hotter", 5, ("hotter", None), ("hotter", [object()])])
def test_an_offer_that_is_none_is_its_samplers_fault(registry: Registry, offered: object) -> None:
    class Hotter(Sampler):
        """Offers nonsense."""

        name = "hotter"

        @classmethod
        def retry(cls, chain: Sequence[Sampler]) -> Any:
            return offered

    plan = plan_chain(registry.samplers(), "ar", ChainRequest())
    with pytest.raises(PluginError, match="the sampler hotter offers no chain"):
        ladder(plan, [*registry.samplers(), Hotter])
    assert [each for each in check_sampler(Hotter) if "retry() must return a name" in each]


@pytest.mark.slow
def test_the_record_says_which_chain_was_heard(tts: Any, make_model: Any) -> None:
    model = make_model(tts.folder / "endless.sft", stop=-1e4)
    heard = set()
    for seed in range(2):
        tts.run("--max-tries", 4, model=model, text="hello there", seed=seed)
        part = tts.record()["parts"][0]
        assert part["tries"] == 4
        heard.add(part["rung"])
    assert heard <= {"as asked", "ras", "cooler"}
    assert tts()["parts"][0]["rung"] == "as asked"


@pytest.mark.slow
def test_a_retried_part_is_heard_by_its_own_chain(tts: Any, make_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the third try is good: its codes are those of a run whose chain was `ras` with that try's seed."""
    from vall_e_tts.synthesis import takes

    original = takes.judge
    seen: list[int] = []

    def picky(take: Any, wanted: Any, frame_rate: float) -> Any:
        seen.append(take.seed)
        return ("ok", ()) if len(seen) == 3 else ("short", ("too early",))

    monkeypatch.setattr(takes, "judge", picky)
    record = tts("--top-p", 0.9, seed=1)
    part = record["parts"][0]
    assert part["rung"] == "ras" and part["tries"] == 3 and part["seed"] == seen[2]
    monkeypatch.setattr(takes, "judge", original)
    chain = ("--ar-sampler", "top-p:0.9", "--ar-sampler", "temperature:0.95", "--ar-sampler", "ras")
    direct = tts(*chain, "--max-tries", 1, seed=seen[2])
    assert (part["rung"] == "ras") == (direct["parts"][0]["codes_sha256"] == part["codes_sha256"])
