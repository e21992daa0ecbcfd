"""Every installed component keeps the contract of its kind."""

from __future__ import annotations

import pytest

from vall_e_core import Codec, Normalizer, Phonemizer, Registry, Sampler, Task
from vall_e_core.testing import (
    check_codec,
    check_normalizer,
    check_phonemizer,
    check_sampler,
    check_speller,
    check_task,
    installed_samplers,
)
from vall_e_stt import Speller

INSTALLED = Registry.load(environ={})


QUICK = {"greedy", "length-penalty", "min-length", "multinomial", "p-less", "tfs"}
"""Samplers with few parameters and no memory: the contract of the others takes about a second, or many."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "sampler",
    [
        pytest.param(each, marks=[] if each.name in QUICK else [pytest.mark.slow], id=each.name)
        for each in installed_samplers()
    ],
)
def test_contract(sampler: type[Sampler]) -> None:
    assert check_sampler(sampler) == []


@pytest.mark.parametrize("codec", INSTALLED.all(Codec).values(), ids=lambda each: each.name)
def test_contract_of_a_codec(codec: type[Codec]) -> None:
    problems = check_codec(codec)
    if problems and "can't be built on this machine" in problems[0]:
        pytest.skip(problems[0])
    assert problems == []


@pytest.mark.parametrize("phonemizer", INSTALLED.all(Phonemizer).values(), ids=lambda each: each.name)
def test_contract_of_a_phonemizer(phonemizer: type[Phonemizer]) -> None:
    assert check_phonemizer(phonemizer) == []


@pytest.mark.parametrize("normalizer", INSTALLED.all(Normalizer).values(), ids=lambda each: each.name)
def test_contract_of_a_normalizer(normalizer: type[Normalizer]) -> None:
    assert check_normalizer(normalizer) == []


@pytest.mark.parametrize("task", INSTALLED.all(Task).values(), ids=lambda each: each.name)
def test_contract_of_a_task(task: type[Task]) -> None:
    assert check_task(task) == []


@pytest.mark.slow
@pytest.mark.parametrize("speller", INSTALLED.all(Speller).values(), ids=lambda each: each.name)
def test_contract_of_a_speller(speller: type[Speller]) -> None:
    assert check_speller(speller) == []
