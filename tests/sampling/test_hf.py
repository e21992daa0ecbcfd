"""`hf`: processors written for transformers as members of a chain."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from vall_e_core import ComponentError, PluginError, UsageError
from vall_e_core.sampling.running import compile_chain
from vall_e_core.testing import apply_samplers, sampler_steps
from vall_e_hf import HuggingFace
from vall_e_hf.processor import argument

HISTORIES = [[3, 4, 3, 9], [], [7, 7, 7, 7, 7, 7], [1, 2, 3, 4]]
LOGITS = torch.randn(4, 40, generator=torch.Generator().manual_seed(5)) * 3


def hf(target: str, **args: str) -> HuggingFace:
    return HuggingFace(target=target, args=args)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module of somebody's own processors."""
    (tmp_path / "own_processors.py").write_text(
        """
import torch

class Stateful:
    def __init__(self):
        self.calls = 0
    def __call__(self, input_ids, scores):
        self.calls += 1
        return scores - self.calls * torch.nn.functional.one_hot(torch.tensor(0), scores.shape[1])

class Cached:
    bias = None
    def __call__(self, input_ids, scores):
        if self.bias is None:
            self.bias = torch.ones(scores.shape[1])
        return scores + self.bias

class InPlace:
    def __call__(self, input_ids, scores):
        scores[:, 0] = 5.0
        return scores

class Short:
    def __call__(self, input_ids, scores):
        return scores[:, :2]

class Fails:
    def __call__(self, input_ids, scores):
        raise IndexError("no such token")

class NoProcessor:
    def __call__(self, text):
        raise AssertionError("never called")

def function(input_ids, scores):
    return scores
"""
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "own_processors"
    sys.modules.pop("own_processors", None)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("RepetitionPenaltyLogitsProcessor", {"penalty": 1.5}),
        ("NoRepeatNGramLogitsProcessor", {"ngram_size": 2}),
        ("TopKLogitsWarper", {"top_k": 5, "filter_value": -1e4}),
        ("TopPLogitsWarper", {"top_p": 0.7}),
        ("MinPLogitsWarper", {"min_p": 0.2}),
        ("TypicalLogitsWarper", {"mass": 0.6}),
        ("EtaLogitsWarper", {"epsilon": 0.05}),
    ],
)
def test_rows_of_any_length_get_what_the_processor_gives_each(name: str, args: dict[str, float]) -> None:
    """The reference is the processor itself, called for each row by itself."""
    transformers = pytest.importorskip("transformers")
    ours = apply_samplers([hf(f"transformers:{name}", **{k: str(v) for k, v in args.items()})], LOGITS, HISTORIES)
    for row, history in enumerate(HISTORIES):
        ids = torch.tensor([history], dtype=torch.long)
        theirs = getattr(transformers, name)(**args)(ids, LOGITS[row : row + 1].clone())
        assert torch.equal(ours[row : row + 1], theirs)


def test_it_reads_as_any_sampler_does() -> None:
    made = HuggingFace.from_spec("transformers:MinPLogitsWarper,args=min_p@0.1")
    assert made == hf("transformers:MinPLogitsWarper", min_p="0.1")
    assert HuggingFace.from_spec(made.to_spec().partition(":")[2]) == made
    assert HuggingFace.from_mapping({"target": made.target, "args": {"min_p": 0.1}}) == made


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3), ("0.5", 0.5), ("-inf", float("-inf")), ("-1e9", -1e9), ("true", True), ("False", False),
        ("none", None), ("3;4", [3, 4]), ("3;", [3]), ("cpu", "cpu"), ("__import__('os')", "__import__('os')"),
        ("1@2", "1@2"),
    ],
)  # fmt: skip
def test_arguments(text: str, value: object) -> None:
    assert argument(text) == value and type(argument(text)) is type(value)


def test_a_list_reaches_the_processor() -> None:
    pytest.importorskip("transformers")
    spec = "hf:transformers:SuppressTokensLogitsProcessor,args=suppress_tokens@3;4"
    left = apply_samplers([spec], LOGITS)
    assert (left == float("-inf")).nonzero()[:, 1].unique().tolist() == [3, 4]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("", "needs target"),
        ("TopKLogitsWarper", "module:Class"),
        ("a b:C", "module:Class"),
        ("..x:C", "module:Class"),
        ("no_such_package_at_all:C", "isn't installed"),
        ("vall_e_hf:C,args=a b@1", "name of an argument"),
        ("vall_e_hf:C,args=a@1,args=b@2", "given twice"),
    ],
)
def test_a_bad_spelling_is_seen_before_anything_is_imported(spec: str, said: str) -> None:
    with pytest.raises(ComponentError, match=said):
        HuggingFace.from_spec(spec)


def test_a_value_that_the_grammar_cannot_hold_is_refused() -> None:
    with pytest.raises(ComponentError, match="can't hold"):
        hf("vall_e_hf:C", a="1,2")


@pytest.mark.parametrize(
    ("target", "args", "said"),
    [
        ("vall_e_hf.example:Nothing", {}, "there is no"),
        ("vall_e_hf.nothing:FadeLast", {}, "there is no"),
        ("vall_e_hf.example:FadeLast", {"amounts": "1"}, "can't be made"),
        ("subprocess:Popen", {"args": "false"}, "no logits processor"),
        ("os:system", {"command": "false"}, "no logits processor"),
        ("builtins:exec", {}, "no logits processor"),
        ("functools:partial", {}, "no logits processor"),
        ("own_processors:NoProcessor", {}, "no logits processor"),
        ("own_processors:function", {}, "no logits processor"),
    ],
)
def test_only_processors_are_made(module: str, target: str, args: dict[str, str], said: str) -> None:
    """A chain may come from a record or from a model's advice: nothing else in an installed module is ever called."""
    with pytest.raises(ComponentError, match=said):
        apply_samplers([hf(target, **args)], LOGITS)


@pytest.mark.parametrize(("name", "said"), [("Short", "returns"), ("Fails", "failed")])
def test_a_broken_processor_is_named(module: str, name: str, said: str) -> None:
    with pytest.raises(PluginError, match=f"{module}:{name} {said}"):
        apply_samplers([hf(f"{module}:{name}")], LOGITS)


def test_state_of_its_own_follows_one_row_and_no_more(module: str) -> None:
    one = hf(f"{module}:Stateful")
    for _ in range(2):  # every run begins anew
        steps = sampler_steps(one, torch.zeros(3, 6), [1, 2, 3])
        assert [float(each["logits"][0]) for each in steps] == [-1.0, -2.0, -3.0]
    with pytest.raises(PluginError, match="keeps state of its own"):
        apply_samplers([one], LOGITS, HISTORIES)
    assert torch.equal(apply_samplers([hf(f"{module}:Cached")], LOGITS, HISTORIES), LOGITS + 1), "a cache is no state"


def test_removed_tokens_stay_removed_and_logits_are_not_written_to(module: str) -> None:
    logits = LOGITS.clone()
    logits[:, 0] = float("-inf")
    kept = logits.clone()
    assert torch.equal(apply_samplers([hf(f"{module}:InPlace")], logits, HISTORIES), kept)
    assert torch.equal(logits, kept)


def test_stages_without_order_are_refused() -> None:
    for stage in ("nar", "len"):
        with pytest.raises(UsageError, match="hf can't work"):
            compile_chain([hf("vall_e_hf.example:FadeLast")], stage)


@pytest.mark.slow
def test_it_needs_no_transformers() -> None:
    code = (
        "import sys; sys.modules['transformers'] = None\n"
        "from vall_e_core.testing import apply_samplers\n"
        "print(apply_samplers(['hf:vall_e_hf.example:FadeLast,args=amount@2'], [0.0, 0.0, 0.0], [1]).tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "[0.0, -2.0, 0.0]", done.stderr


def test_a_beam_gets_the_history_of_its_row() -> None:
    """The chain re-orders rows; the processor only ever sees the histories."""
    one = hf("vall_e_hf.example:FadeLast", amount="4")
    whole = apply_samplers([one], LOGITS, HISTORIES)
    order = [2, 0, 3, 1]
    turned: Any = apply_samplers([one], LOGITS[order], [HISTORIES[row] for row in order])
    assert isinstance(turned, Tensor) and torch.equal(turned, whole[order])
