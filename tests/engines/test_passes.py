"""Whole passes over a response, captured: a pass of a shape that was seen is repeated, and does what eager does."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from vall_e_cuda_graph import CudaGraph, passes
from vall_e_cuda_graph.recorder import GraphEngine, GraphRecorder
from vall_e_lm import BaseModel, Guidance, KVCache, Model, Target, generate_nar, generate_nar_len

from .conftest import small_model
from .pretended import NAME, PretendedGraphs, pretended, sent
from .recording import Work, buckets
from .test_cuda_graph import needs_cuda
from .test_recorded import AUDIO, Itself, chain_of, say, utterances

LENGTHS = (7, 30, 1, 12)


def levels(
    model: BaseModel, batches: list[list[int]], device: str = "cpu", guidance: Guidance | None = None
) -> list[list[list[int]]]:
    """All codes of the utterances of each batch, one after the other."""
    chain = chain_of("top-p:0.9", "temperature:0.8", device=device, stage="nar", size=AUDIO)
    made = torch.Generator().manual_seed(3)
    given = [torch.randint(0, AUDIO, (length,), generator=made).to(device) for length in LENGTHS]
    mine = utterances(device)
    found = []
    for batch in batches:
        some = generate_nar(
            model, [mine[i] for i in batch], [given[i] for i in batch], chain, seed=5, guidance=guidance
        )
        found += [codes.tolist() for codes in some]
    return found


def adopt(graphs: Any, model: Model, heard: list[str] | None = None) -> Model:
    notes: list[str] = [] if heard is None else heard
    GraphEngine(GraphRecorder(graphs, notes.append)).adopt(model, None)
    return model


# on a device that isn't there


@pytest.mark.slow
@pytest.mark.parametrize("seen", [True, False], ids=["bidirectional", "causal"])
@pytest.mark.parametrize("guidance", [None, Guidance(2.0, 0.7)], ids=str)
def test_a_level_is_eager_s(monkeypatch: pytest.MonkeyPatch, guidance: Guidance | None, seen: bool) -> None:
    """One response and several, alike in length or not; with the padding that makes their shapes alike."""
    batches = [[0], [1], [0, 1, 2, 3], [3, 2], [0], [1]]
    plain = small_model(layers=2, noncausal_masks=seen)
    here = levels(plain, batches, guidance=guidance)
    buckets(monkeypatch.setattr, 32, 5, NAME)
    with pretended() as graphs:
        model = sent(plain)
        expected = levels(model, batches, NAME, guidance)
        heard: list[str] = []
        found = levels(adopt(graphs, model, heard), batches, NAME, guidance)
    assert found == expected == here
    assert heard == [] and graphs.captured > 0


@pytest.mark.slow
def test_of_a_shape_the_second_pass_is_captured_and_the_others_are_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three levels a response: the first one tries a shape, the second captures it, and so it stays."""
    buckets(monkeypatch.setattr, 64, 5, NAME)
    with pretended() as graphs:
        model = adopt(graphs, sent(small_model(layers=2)))
        levels(model, [[0]], NAME)
        assert (graphs.tried, graphs.captured, graphs.repeated) == (1, 1, 2)
        levels(model, [[1], [2], [0]], NAME)
        assert (graphs.tried, graphs.captured, graphs.repeated) == (1, 1, 11), "all of them are padded to 64"
        levels(model, [[0, 1]], NAME)
        assert (graphs.tried, graphs.captured) == (2, 2), "two rows are another shape"


@pytest.mark.slow
def test_demasking_repeats_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = small_model(layers=2, layout="later", capabilities=frozenset({"nar", "len"}), text_tokens=0)

    def demask(model: BaseModel, device: str) -> list[list[int]]:
        chain = chain_of("top-p:0.9", device=device, stage="nar", size=AUDIO)
        made = generate_nar_len(model, utterances(device)[:2], [12, 20], chain, seed=5)
        return [each.tolist() for each in made]

    here = demask(plain, "cpu")
    buckets(monkeypatch.setattr, 32, 5, NAME)
    with pretended() as graphs:
        model = adopt(graphs, sent(plain))
        assert demask(model, NAME) == here
        assert graphs.captured == 1 and graphs.repeated > 10


def test_without_a_cache_steps_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is longer than the last: there is next to nothing to repeat."""
    graphs, model = Counting(), small_model(layers=2)
    buckets(monkeypatch.setattr, 128, 5)
    adopt(graphs, model)
    say(model, chain_of("dry"), 3, cache=False)
    assert graphs.tried <= 1


def test_a_prefill_and_steps_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes through a cache is the loop's business."""
    def refuse(*given: object) -> Tensor:
        raise AssertionError("a pass was kept")

    model, chain = small_model(layers=2), chain_of("dry")
    expected = [each.codes.tolist() for each in say(model, chain, 3)]
    GraphEngine(GraphRecorder(Itself(), print)).adopt(model, None)
    model.recorder = None
    monkeypatch.setattr(passes.Passes, "run", refuse)
    assert [each.codes.tolist() for each in say(model, chain, 3)] == expected


# of what is kept


def passed(model: BaseModel, rows: int, length: int, device: str = "cpu") -> Tensor:
    """A pass over arbitrary embeddings."""
    stream = torch.Generator().manual_seed(rows * 1000 + length)
    embeds = torch.randn(rows, length, 64, generator=stream).to(device)
    places = torch.arange(length).expand(rows, length).to(device)
    found: Tensor = model(embeds, places, causal=False, target=Target("nar", 1))
    return found


class Counting(Itself):
    """Captures are repeated by doing the work again."""

    def capture(self, work: Work, pool: object) -> Work:
        super().capture(work, pool)
        return work


@torch.no_grad()
def test_only_so_many_shapes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "MOST_SHAPES", 2)
    graphs, model = Counting(), small_model(layers=2)
    expected = {length: passed(model, 1, length) for length in (8, 16, 24)}
    adopt(graphs, model)

    def all_right(*lengths: int) -> int:
        for length in lengths:
            assert torch.equal(passed(model, 1, length), expected[length])
        return graphs.tried

    assert all_right(8, 16, 8, 16, 8) == 2 and graphs.captured == 2
    assert all_right(24, 8) == 3, "16 had been used longest ago"
    assert all_right(16) == 4


@torch.no_grad()
def test_a_large_pass_is_left_to_the_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "MOST_ROWS", 64)
    graphs, model = Counting(), small_model(layers=2)
    adopt(graphs, model)
    passed(model, 2, 33)
    assert graphs.tried == 0
    passed(model, 2, 32)
    assert graphs.tried == 1


def test_gradients_are_left_to_the_layers() -> None:
    graphs, model = Counting(), small_model(layers=2)
    adopt(graphs, model)
    assert passed(model, 1, 8).requires_grad and graphs.tried == 0


def test_a_pass_outlives_the_mode_it_was_kept_in() -> None:
    """What inference mode made may not be written to elsewhere, which is not the user's business."""
    model = adopt(Counting(), small_model(layers=2))
    with torch.inference_mode():
        first = passed(model, 1, 8).clone()
    with torch.no_grad():
        for _ in range(3):
            assert torch.equal(passed(model, 1, 8), first)


@torch.no_grad()
def test_a_result_is_the_caller_s() -> None:
    model = adopt(Counting(), small_model(layers=2))
    mine = [passed(model, 1, 8) for _ in range(3)]
    mine[0].zero_()
    assert torch.equal(mine[1], mine[2]) and mine[1].abs().sum() > 0


@torch.no_grad()
def test_without_memory_everything_kept_is_let_go() -> None:
    class Full(Counting):
        full = False

        def capture(self, work: Work, pool: object) -> Work:
            if self.full:
                raise torch.cuda.OutOfMemoryError("no room")
            return super().capture(work, pool)

    graphs, model = Full(), small_model(layers=2)
    adopt(graphs, model)
    for _ in range(2):
        passed(model, 1, 8)
    graphs.full = True
    passed(model, 1, 16)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        passed(model, 1, 16)
    graphs.full = False
    tried = graphs.tried
    passed(model, 1, 8)
    assert graphs.tried == tried + 1, "it begins anew"


@torch.no_grad()
def test_where_capturing_fails_passes_go_on() -> None:
    model = small_model(layers=2)
    expected, heard = passed(model, 1, 8), list[str]()
    adopt(Itself(fails=True), model, heard)
    for _ in range(3):
        assert torch.equal(passed(model, 1, 8), expected)
    assert heard == ["the engine cuda-graph leaves work to eager: it can't be captured (operation not permitted)"]


def test_a_shared_backbone_stays_shared() -> None:
    model = adopt(PretendedGraphs.__new__(PretendedGraphs), small_model(layers=2))
    assert isinstance(model.backbones()[None], passes.CapturedBackbone)
    assert len({id(each) for each in model.backbones().values()}) == 1


def test_a_cpu_pads_nothing() -> None:
    assert "cpu" not in KVCache.BUCKETS


# on a GPU; this has not run yet


@needs_cuda
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("guidance", [None, Guidance(2.0, 0.7)], ids=str)
def test_a_captured_level_is_eager_s_on_a_gpu(dtype: torch.dtype, guidance: Guidance | None) -> None:
    from vall_e_core import BuildContext

    batches = [[0], [1], [0, 1, 2, 3], [3, 2], [0], [1]]
    model = small_model(layers=2).to("cuda", dtype)
    expected = levels(model, batches, "cuda", guidance)
    heard: list[str] = []
    CudaGraph().build(BuildContext("cuda", notify=heard.append)).adopt(model, None)
    assert levels(model, batches, "cuda", guidance) == expected
    assert heard == []
