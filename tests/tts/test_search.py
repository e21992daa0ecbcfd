"""Beam search and stateful selectors from the command line, and through the engine in batches."""


from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from vall_e_core import BuildContext
from vall_e_core.sampling.running import Chain, compile_chain
from vall_e_core.testing import as_sampler
from vall_e_lm import ArPass, Guidance, Model, Utterance, generate_ar, load_model
from vall_e_lm.decode import ArResult

from .test_flags import plain

Record = dict[str, Any]
SHORT = ("--max-ar-steps", 40)
CHAINS = [
    ("--beam-width", 3), ("--sampler", "beam:4"), ("--mirostat-tau", 3, "--beam-width", 2), ("--mirostat-tau", 3),
    ("--sampler", "ras", "--sampler", "beam:2"), ("--sampler", "min-p:0.1", "--sampler", "adaptive-p"),
    ("--sampler", "mirostat:3,version=2,variant=llama.cpp"), ("--sampler", "beam:3,length-penalty=0.5,early-stop=true"),
]  # fmt: skip


def codes(record: Record) -> list[str]:
    return [part["codes_sha256"] for part in record["parts"]]


def chain_names(record: Record) -> list[str]:
    return [each["name"] for each in record["samplers"]["ar"] if "off" not in each]


@pytest.mark.slow
@pytest.mark.parametrize("flags", CHAINS, ids=lambda flags: " ".join(map(str, flags)))
def test_the_same_seed_gives_the_same_codes(tts: Any, flags: Sequence[object]) -> None:
    first, again = tts(*flags, *SHORT), tts(*flags, *SHORT)
    assert codes(first) == codes(again) != codes(plain(tts, *SHORT))


@pytest.mark.slow
def test_flags_and_chain_are_two_spellings(tts: Any) -> None:
    flags = tts("--ar-temp", 1, "--beam-width", 3, *SHORT)
    assert chain_names(flags) == ["temperature", "multinomial", "beam"] or chain_names(flags) == ["multinomial", "beam"]
    assert codes(flags) == codes(tts("--sampler", "beam:3", *SHORT))
    both = tts("--ar-temp", 1, "--mirostat-tau", 3, "--mirostat-eta", 0.2, *SHORT)
    assert codes(both) == codes(tts("--sampler", "mirostat:3,eta=0.2", *SHORT))


@pytest.mark.slow
def test_a_beam_of_one_is_greedy_and_needs_no_seed(tts: Any) -> None:
    greedy = tts("--ar-temp", 0, *SHORT)
    assert codes(tts("--beam-width", 1, *SHORT)) == codes(greedy)
    assert codes(tts("--beam-width", 3, *SHORT)) == codes(tts("--beam-width", 3, *SHORT, seed=9))


@pytest.mark.slow
def test_a_wider_beam_finds_a_likelier_sequence(tts: Any) -> None:
    likely = [
        tts("--sampler", f"beam:{width},length-penalty=0", *SHORT)["parts"][0]["log_probability"] for width in (1, 8)
    ]
    assert likely[1] > likely[0]


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--sampler", "mirostat", "--sampler", "ras"), "two selectors"),
        (("--ar-temp", 0, "--mirostat-tau", 3), "--ar-temp 0 can't be combined with --mirostat-tau 3"),
        (("--nar-sampler", "beam:3"), "NAR levels"), (("--nar-sampler", "mirostat"), "NAR levels"),
        (("--sampler", "top-k:4", "--beam-width", 3), "--beam-width"), (("--beam-width", 2.5), "beam-width"),
        (("--beam-width", -1), "at least 0"), (("--mirostat-tau", -1), "at least 0"),
        (("--sampler", "xtc", "--sampler", "beam"), "beam"), (("--sampler", "beam", "--sampler", "top-k"), "behind"),
    ],
    ids=lambda each: " ".join(map(str, each)) if isinstance(each, tuple) else "",
)  # fmt: skip
def test_what_cannot_work_is_a_usage_error(tts: Any, flags: Sequence[object], says: str) -> None:
    assert says in tts.run(*flags, code=2).stderr


def test_a_neutral_member_is_in_nobody_s_way(tts: Any) -> None:
    assert chain_names(tts("--sampler", "xtc:0", "--sampler", "beam:2", *SHORT)) == ["multinomial", "beam"]


@pytest.mark.parametrize("flags", [("--beam-width", 3), ("--mirostat-tau", 3), ("--sampler", "ras")])
def test_a_model_without_that_pass_refuses(tts: Any, len_model_path: Path, flags: Sequence[object]) -> None:
    assert "no AR pass" in tts.run(*flags, model=len_model_path, code=2).stderr


def test_filters_before_mirostat_are_warned_about(tts: Any) -> None:
    assert "top-k before mirostat" in tts.run("--top-k", 20, "--mirostat-tau", 3, *SHORT).stderr


def model_of(path: Path) -> Model:
    found = load_model(path).model
    assert isinstance(found, Model)
    return found.eval()


def utterances(count: int) -> list[Utterance]:
    made = torch.Generator().manual_seed(3)
    texts = [torch.randint(5, 30, (4 + i,), generator=made) for i in range(count)]
    return [Utterance(i, text, 0, torch.randint(32, (6 + 2 * i, 4), generator=made)) for i, text in enumerate(texts)]


def chain_of(*specs: str) -> Chain:
    return compile_chain([as_sampler(spec) for spec in specs], "ar").build(BuildContext(vocab_size=33, stop_token=32))


def same(left: ArResult, right: ArResult) -> bool:
    close = abs(left.log_probability - right.log_probability) < 1e-3
    return torch.equal(left.codes, right.codes) and left.stop_reason == right.stop_reason and close


@pytest.mark.slow
@pytest.mark.parametrize(
    "specs", [("beam:3",), ("mirostat:3", "beam:2"), ("ras:4", "beam:3,early-stop=true"), ("mirostat:3",), ("ras",)],
    ids=" ".join,
)  # fmt: skip
@pytest.mark.parametrize("stop", [-1.0, 6.0])
def test_eight_at_once_equal_each_alone(make_model: Any, tmp_path: Path, specs: tuple[str, ...], stop: float) -> None:
    model, chain = model_of(make_model(tmp_path / "m.sft", stop=stop)), chain_of(*specs)
    every, limits = utterances(8), [20, 5, 13, 20, 1, 9, 17, 2]
    together = generate_ar(model, every, ArPass(chain, seed=1), max_steps=limits)
    for utterance, limit, found in zip(every, limits, together, strict=True):
        (alone,) = generate_ar(model, [utterance], ArPass(chain, seed=1), max_steps=limit)
        assert same(alone, found), utterance.id
    order = [3, 7, 0, 5, 1, 6, 2, 4]
    moved = generate_ar(model, [every[i] for i in order], ArPass(chain, seed=1), max_steps=[limits[i] for i in order])
    assert all(same(result, together[i]) for result, i in zip(moved, order, strict=True))
    uncached = generate_ar(model, every[:3], ArPass(chain, seed=1, cache=False), max_steps=limits[:3])
    assert all(same(*pair) for pair in zip(uncached, together, strict=False))


@pytest.mark.parametrize("guidance", [None, Guidance(2.0)])
def test_the_log_probability_is_that_of_the_hypothesis(
    make_model: Any, tmp_path: Path, guidance: Guidance | None
) -> None:
    """It could only be right if cache, histories and sums followed the parents."""
    from vall_e_lm import Target, speech_job
    from vall_e_lm.decode.refine import sequence_log_probabilities

    model, every = model_of(make_model(tmp_path / "m.sft", stop=4.0)), utterances(3)
    found = generate_ar(model, every, ArPass(chain_of("beam:4"), seed=0, guidance=guidance), max_steps=15)
    jobs = [speech_job(each, 15, torch.device("cpu")) for each in every]
    expected = sequence_log_probabilities(
        model, Target("ar"), jobs, [each.codes for each in found], [each.stop_reason == "stop" for each in found],
        guidance,
    )  # fmt: skip
    assert [each.log_probability for each in found] == pytest.approx(expected, abs=1e-3)
