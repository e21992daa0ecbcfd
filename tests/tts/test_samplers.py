"""Every sampler does its work from the command line, in chains of any length."""


from __future__ import annotations

from typing import Any

import pytest

from vall_e_core.testing import as_sampler, installed_samplers

from .test_flags import chain, codes, plain

AR_CHAIN = [
    "cfg:1.5", "logit-bias:3@2+5@-inf", "suppress:7+9", "min-length:0.3", "repetition-penalty", "frequency-presence",
    "dry:breakers=2", "no-repeat-ngram:3", "length-penalty", "top-n-sigma:3", "top-h:0.9", "top-k", "tfs", "typical-p",
    "top-p", "top-a:0.01", "min-p:0.01", "epsilon", "eta", "xtc:0.2", "temperature:0.9", "quadratic:0.01",
]  # fmt: skip
NAR_CHAIN = ["suppress:7", "top-n-sigma:3", "typical-p", "xtc:0.2", "quadratic:0.01", "multinomial"]
ALONE = {
    "logit-bias": "3@9", "suppress": "0+1+2+3+4+5+6+7", "min-length": "0.9", "repetition-penalty": "9",
    "length-penalty": "9", "no-repeat-ngram": "1", "top-h": "0.1", "epsilon": "0.1", "eta": "0.3", "min-p": "0.7",
    "top-k": "3", "tfs": "0.3", "typical-p": "0.3", "top-p": "0.3", "top-a": "0.9", "xtc": "1,threshold=0.01",
    "temperature": "0.5", "dry": "8,allowed-length=1", "frequency-presence": "9", "quadratic": "3",
    "top-n-sigma": "0.5",
    "dynamic-temperature": "min=0.1,max=0.3", "cfg": "4",
}  # fmt: skip
"""Values that are felt in forty steps of a random model."""


def flags(option: str, chain: list[str]) -> list[str]:
    return [part for member in chain for part in (option, member)]


@pytest.mark.slow
def test_a_chain_of_everything_speaks_in_the_order_given(tts: Any) -> None:
    record = tts(*flags("--ar-sampler", AR_CHAIN), *flags("--nar-sampler", NAR_CHAIN))
    assert list(chain(record))[: len(AR_CHAIN)] == [each.partition(":")[0] for each in AR_CHAIN]
    assert list(chain(record, "nar")) == [each.partition(":")[0] for each in NAR_CHAIN]
    again = tts(*flags("--ar-sampler", AR_CHAIN), *flags("--nar-sampler", NAR_CHAIN))
    assert codes(again) == codes(record)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(each.name for each in installed_samplers() if each.role == "transform"))
def test_a_sampler_by_itself_has_an_effect(tts: Any, name: str) -> None:
    if name not in ALONE:
        pytest.skip("another package's tests")
    speaking = [] if name == "min-length" else ["--sampler", "min-length:0.4"]  # the random model likes to stop at once
    without = plain(tts, *speaking, "--sampler", "multinomial", "--max-ar-steps", 40, "--max-tries", 1)
    record = tts(*speaking, "--sampler", f"{name}:{ALONE[name]}", "--max-ar-steps", 40, "--max-tries", 1)
    assert name in chain(record) and codes(record) != codes(without)


def test_a_plain_chain_is_the_ar_pass_s_alone(tts: Any) -> None:
    record = tts(*flags("--sampler", ["logit-bias:32@-2+7@1", "dry", "top-p"]), "--max-ar-steps", 30)
    assert list(chain(record))[:-1] == ["logit-bias", "dry", "top-p"]
    assert list(chain(record, "nar")) == list(chain(plain(tts), "nar"))


def test_the_chain_that_verbose_shows_can_be_given_back(tts: Any) -> None:
    given = ["logit-bias:3@-2+7@1", "dry:breakers=3+7", "xtc:0", "ras:mask-before-resample=false"]
    shown = tts.run(*flags("--sampler", given), "-v").stderr
    (line,) = [each for each in shown.splitlines() if each.startswith("ar chain: ")]
    members = [each.removesuffix(" (off)") for each in line.removeprefix("ar chain: ").split(" → ")]
    assert "bias=3@-2.0+7@1.0" in members[0] and "breakers=3+7" in members[1]
    assert [as_sampler(each) for each in members] == [as_sampler(each) for each in given]


@pytest.mark.parametrize(
    ("spec", "says", "hint"),
    [
        ("top-q:0.9", "no sampler is called 'top-q'", "did you mean top-p?   (vall-e samplers list shows all)"),
        ("suppress", "suppress needs ids", "suppress:ids=…"), ("greedy:1", "found '1'", "greedy takes no parameters"),
        ("dry:multiplyer=1", "no parameter 'multiplyer'", "did you mean multiplier?"),
        ("top-p+dry", "one --sampler names one sampler", "--sampler top-p --sampler dry"),
        ("top-p:1.2", "top-p: p: must be at most 1", ""), ("logit-bias:1024", "expected key@value", ""),
    ],
)  # fmt: skip
def test_a_mistake_is_answered_with_what_to_try(tts: Any, spec: str, says: str, hint: str) -> None:
    done = tts.run("--sampler", spec, code=2).stderr
    assert says in done and hint in done


@pytest.mark.slow
def test_a_least_length_that_the_text_wouldn_t_take_is_reached(tts: Any) -> None:
    """Regression: the bound that follows from the text cut it before."""
    record = tts("--sampler", "min-length:3", "--max-tries", 1, text="a b")
    assert 3.0 <= record["duration"] <= 4.1
    assert tts("--sampler", "min-length:3", "--max-ar-steps", "1s", text="a b")["duration"] == 1.0


@pytest.mark.slow
def test_samplers_in_a_file(tts: Any, tmp_path: Any) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(
        "sampler:\n- suppress: {ids: [3, 7]}\n- logit-bias: {bias: {2: -1.5}}\n- dry: {breakers: [1]}\n- top-p:0.8\n"
    )
    found = chain(tts("--config", config))
    assert found["suppress"] == {"ids": [3, 7]} and found["logit-bias"] == {"bias": {"2": -1.5}}
    assert found["dry"]["breakers"] == [1] and found["top-p"] == {"p": 0.8}


@pytest.mark.slow
def test_guidance_by_a_sampler_and_by_its_flag_agree_where_nothing_is_rescaled(tts: Any) -> None:
    greedy = ("--max-ar-steps", 30, "--max-levels", 0)
    flag = tts("--cfg-strength", 3, "--cfg-rescale", 0, "--ar-temp", 0, *greedy)
    chained = tts("--ar-sampler", "cfg:3,rescale=0", "--ar-sampler", "greedy", *greedy)
    plain = tts("--ar-temp", 0, *greedy)
    assert codes(flag) == codes(chained) != codes(plain)
    neutral = tts("--ar-sampler", "cfg:1", "--ar-sampler", "greedy", *greedy)
    assert codes(neutral) == codes(plain)


def test_guidance_twice_is_refused(tts: Any) -> None:
    done = tts.run("--cfg-strength", 3, "--ar-sampler", "cfg", code=2)
    assert "guidance is asked for twice" in done.stderr
