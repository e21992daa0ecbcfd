"""Chains in `generate()` of a small random model: batch, beams, several calls."""



from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from vall_e_adapters import as_hf_processor, huggingface
from vall_e_adapters.huggingface import ChainProcessor
from vall_e_authoring.contract.probes import instances
from vall_e_core import ModelError, Sampler, UsageError
from vall_e_core.testing import installed_samplers
from vall_e_tensors import without_torchaudio

from .samplers import Counting

transformers = pytest.importorskip("transformers")
SIZE = 37


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(1)
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.LlamaConfig(vocab_size=SIZE, bos_token_id=1, eos_token_id=2, pad_token_id=0, **shape)
    with without_torchaudio():  # transformers imports it, in whatever state it is
        made = transformers.LlamaForCausalLM(config).eval()
    made.lm_head.weight.data *= 40  # a random model is nearly uniform
    return made


def generate(model: Any, *processors: Any, prompts: Tensor | None = None, **settings: Any) -> Tensor:
    ids = torch.tensor([[5, 6, 7], [8, 9, 5], [3, 3, 3]]) if prompts is None else prompts
    given: dict[str, Any] = {"max_new_tokens": 12, "min_new_tokens": 12, "do_sample": False, **settings}
    found: Tensor = model.generate(
        ids, attention_mask=torch.ones_like(ids), logits_processor=transformers.LogitsProcessorList(processors), **given
    )
    return found


class Compared(transformers.LogitsProcessor):  # type: ignore[misc, name-defined]  # it may be absent
    """Runs a processor, and at every step a new one that has everything to replay: both must agree."""

    def __init__(self, make: Callable[[], ChainProcessor]) -> None:
        self.make, self.kept = make, make()
        self.steps = self.moves = 0

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        parents = self.kept._parents(input_ids)
        moved = parents is not None and parents.tolist() != list(range(len(input_ids)))
        self.moves += moved
        self.steps += parents is not None
        left = self.kept(input_ids, scores)
        anew = self.make()(input_ids, scores)
        assert torch.equal(left == float("-inf"), anew == float("-inf"))
        assert torch.allclose(left, anew, atol=1e-5)
        return left


def test_it_is_what_transformers_asks_for() -> None:
    assert isinstance(as_hf_processor("top-k:5"), transformers.LogitsProcessor)


@pytest.mark.slow
@pytest.mark.parametrize("beams", [1, 3])
def test_it_equals_the_processors_of_transformers(model: Any, beams: int) -> None:
    ours = generate(model, as_hf_processor(["repetition-penalty:1.7,window=-1", "top-k:9"]), num_beams=beams)
    theirs = generate(
        model,
        transformers.RepetitionPenaltyLogitsProcessor(1.7),
        transformers.TopKLogitsWarper(9),
        num_beams=beams,
    )
    assert torch.equal(ours, theirs)
    assert not torch.equal(ours, generate(model, num_beams=beams)), "it does something at all"


@pytest.mark.slow
@pytest.mark.parametrize("beams", [1, 4])
def test_state_follows_its_row(model: Any, beams: int) -> None:
    compared = Compared(lambda: as_hf_processor([Counting(strength=0.7), "top-k:20"]))
    generate(model, compared, num_beams=beams)
    assert compared.steps > 5
    assert (compared.moves > 0) == (beams > 1), "beams were re-ordered"


@pytest.mark.parametrize(
    "sampler",
    [each for each in installed_samplers() if each.role == "transform" and "ar" in each.stages and not each.needs],
    ids=lambda each: each.name,
)
def test_every_transform_follows_rows_that_are_reordered(sampler: type[Sampler]) -> None:
    """As in a beam search, at random; a new processor that has everything to replay gives the same."""
    made = torch.Generator().manual_seed(3)
    one = instances(sampler)[0]
    processor = as_hf_processor(one, stop_token=2, longest=32)
    ids = torch.randint(9, (4, 5), generator=made)
    for step in range(10):
        scores = torch.randn(4, 9, generator=made) * 3
        left = processor(ids, scores)
        if step == 0 or sampler.name != "xtc":  # which draws anew at each step
            assert torch.allclose(left, as_hf_processor(one, stop_token=2, longest=32)(ids, scores), atol=1e-4)
        parents = torch.randint(4, (4,), generator=made)
        ids = torch.cat([ids[parents], left.argmax(1)[parents].unsqueeze(1)], 1)


@pytest.mark.slow
def test_state_begins_anew_with_every_call(model: Any) -> None:
    processor = as_hf_processor([Counting(strength=2.0), "top-k:20"])
    first = generate(model, processor)
    assert torch.equal(generate(model, processor), first)
    other = torch.tensor([[5, 6, 7, 8], [8, 9, 5, 5]])
    assert torch.equal(generate(model, processor, prompts=other), generate(
        model, as_hf_processor([Counting(strength=2.0), "top-k:20"]), prompts=other))  # fmt: skip
    processor.reset()
    assert torch.equal(generate(model, processor), first)


def test_a_row_alone_gives_what_it_gave_in_the_batch(model: Any) -> None:
    processor = as_hf_processor([Counting(strength=2.0, noise=3.0)], seed=4)
    whole = generate(model, processor)
    assert torch.equal(generate(model, processor, prompts=whole[:1, :3]), whole[:1])


def test_noise_is_the_seeds_and_the_rows_own(model: Any) -> None:
    same = torch.tensor([[5, 6, 7], [5, 6, 7]])
    made = [generate(model, as_hf_processor(Counting(noise=9.0), seed=seed), prompts=same) for seed in (1, 1, 2)]
    assert torch.equal(made[0], made[1]) and not torch.equal(made[0], made[2])
    assert not torch.equal(made[0][0], made[0][1])


def test_a_chain_with_a_selector_chooses_by_itself(model: Any) -> None:
    def run(seed: int, **settings: Any) -> Tensor:
        torch.manual_seed(int(torch.randint(99, ())))
        return generate(model, as_hf_processor(["top-k:9", "multinomial"], seed=seed), **settings)

    assert torch.equal(run(3), run(3))
    assert torch.equal(run(3), run(3, do_sample=True)), "there is nothing left for generate() to draw"
    assert not torch.equal(run(3), run(4))
    assert torch.equal(generate(model, as_hf_processor("greedy")), generate(model))


def test_a_chain_with_a_selector_refuses_beams(model: Any) -> None:
    with pytest.raises(UsageError, match="multinomial chooses the token"):
        generate(model, as_hf_processor("multinomial"), num_beams=4)


def test_padding_in_front_is_no_history() -> None:
    scores = torch.linspace(0, 3, SIZE).repeat(2, 1)
    processor = as_hf_processor("repetition-penalty:2,window=-1", pad_token=0)
    left = processor(torch.tensor([[0, 0, 9], [9, 9, 0]]), scores)
    assert torch.equal((left != scores).nonzero()[:, 1], torch.tensor([9, 9])), "token 0 is worth 0 either way"
    assert torch.equal(left[0], processor(torch.tensor([[0, 0, 9], [9, 9, 0]]), scores)[0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_type_of_the_scores_stays(dtype: torch.dtype) -> None:
    scores = torch.randn(2, SIZE).to(dtype)
    left = as_hf_processor(["temperature:0.5", "top-k:3"])(torch.tensor([[4], [5]]), scores)
    assert left.dtype == dtype and bool(((left > float("-inf")).sum(1) == 3).all())


def test_the_stop_token_stays() -> None:
    left = as_hf_processor("top-k:1", stop_token=2)(torch.tensor([[4]]), torch.arange(SIZE).float().unsqueeze(0))
    assert (left > float("-inf")).nonzero()[:, 1].tolist() == [2, SIZE - 1]


def test_what_cannot_work_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no sampler"):
        as_hf_processor("nonsense")
    for needing in ("cfg", "beam:2"):
        with pytest.raises(UsageError, match="can't work"):
            as_hf_processor(needing)
    with pytest.raises(UsageError, match="room for 3"):
        as_hf_processor("top-k:3", longest=3)(torch.zeros(1, 4, dtype=torch.long), torch.zeros(1, SIZE))
    huggingface._processor_class.cache_clear()
    monkeypatch.setattr(huggingface, "import_module", lambda name: __import__("no_such_transformers"))
    with pytest.raises(ModelError, match="transformers can't be imported"):
        as_hf_processor("top-k:3")
    huggingface._processor_class.cache_clear()
