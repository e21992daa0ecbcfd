"""A response's further levels and its wave while level 0 is still being written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from vall_e_core import UsageError, VallEError
from vall_e_core.sampling import StatelessSelector, Step
from vall_e_core.sampling.running import Chain
from vall_e_lm import BaseModel, GrowingLevels, Guidance, ModelConfig, Schedule, Utterance, generate_nar
from vall_e_lm.model.version7 import Model7
from vall_e_tts.synthesis.streaming import PartStream, Piece, WaveStream

from .conftest import SMALL, Make

FRAMES = 60
CUTS = ([FRAMES], [1] * FRAMES, [0, 7, 0, 13, 40, 0], [24, 36], [59, 1])
SHORT = Schedule(first=4, lookahead=3, growth=2.0)


class Draw(StatelessSelector):
    """Draws from the distribution, by the noise of the row."""

    def select(self, logits: Tensor, step: Step, state: None) -> Tensor:
        shares = torch.softmax(logits, -1).cumsum(-1)
        return (shares < step.uniform("test")[:, None]).sum(-1).clamp(max=logits.shape[-1] - 1)


class Smear:
    """4 samples a frame, each a mean over the codes of 2 frames on either side."""

    name, sample_rate, frame_rate, levels, codebook_size, context_frames = "smear", 40, 10.0, 4, 24, 2

    def __init__(self, right: int = 2) -> None:
        self.right = right
        self.lengths: list[int] = []

    def encode(self, wave: Tensor) -> Tensor:
        raise NotImplementedError

    def decode(self, codes: Tensor) -> Tensor:
        self.lengths.append(len(codes))
        each = torch.nn.functional.pad(codes.float().sum(1), (2, self.right))
        mixed = each.unfold(0, 3 + self.right, 1).mean(1)
        return (mixed[:, None] + torch.arange(4) / 10).reshape(-1) / 100


def chain() -> Chain:
    return Chain([], Draw(), vocab_size=24, stage="nar")


def spoken(seed: int = 0) -> Utterance:
    stream = torch.Generator().manual_seed(seed)
    return Utterance(
        7, torch.randint(3, 20, (6,), generator=stream), 1, torch.randint(0, 24, (5, 4), generator=stream)
    )  # fmt: skip


def level0(frames: int = FRAMES) -> Tensor:
    return torch.randint(0, 24, (frames,), generator=torch.Generator().manual_seed(5))


def parts(codes: Tensor, sizes: Iterable[int]) -> Iterator[Tensor]:
    yield from torch.split(codes, list(sizes))


def grown(model: BaseModel, codes: Tensor, sizes: Iterable[int], **settings: Any) -> Tensor:
    """All that comes out, put together."""
    given: dict[str, Any] = {"seed": 0, "schedule": SHORT} | settings
    growing = GrowingLevels(model, spoken(), chain(), **given)
    found = [each.codes for part in parts(codes, sizes) for each in growing.push(part)]
    found += [each.codes for each in growing.push(codes[:0], final=True)]
    assert growing.complete
    assert growing.frames == sum(map(len, found))
    return torch.cat(found)


def streamed(model: BaseModel, codes: Tensor, sizes: Iterable[int], **settings: Any) -> list[Piece]:
    given: dict[str, Any] = {"seed": 0, "schedule": SHORT, "codec": Smear()} | settings
    return list(pieces_of(parts(codes, sizes), PartStream(model, spoken(), chain(), given.pop("codec"), **given)))


def pieces_of(level0: Iterable[Tensor], stream: PartStream) -> Iterator[Piece]:
    for chunk in level0:
        stream.push(chunk)
        while stream.due:
            yield stream.piece()
    stream.push(torch.zeros(0, dtype=torch.long), True)
    while stream.due:
        yield stream.piece()


def whole(model: BaseModel, codes: Tensor, **settings: Any) -> Tensor:
    return generate_nar(model, [spoken()], [codes], chain(), seed=0, **settings)[0]


@pytest.mark.parametrize("guidance", [None, Guidance(2.0)])
@pytest.mark.parametrize("frames", [1, 2, 6])
def test_a_part_that_ends_before_the_first_piece_is_the_whole_pass(
    make: Make, frames: int, guidance: Guidance | None
) -> None:
    codes = level0(frames)
    expected = whole(make(), codes, guidance=guidance)
    assert torch.equal(grown(make(), codes, [1] * frames, guidance=guidance), expected)
    assert torch.equal(grown(make(), codes, [frames], guidance=guidance), expected)


@pytest.mark.parametrize("guidance", [None, Guidance(2.0)])
def test_the_sizes_in_which_codes_arrive_do_not_matter(make: Make, guidance: Guidance | None) -> None:
    model = make()
    found = [streamed(model, level0(), sizes, guidance=guidance) for sizes in CUTS]
    for pieces in found:
        assert len(pieces) == len(found[0])
        for piece, first in zip(pieces, found[0], strict=True):
            assert torch.equal(piece.codes, first.codes)
            assert np.array_equal(piece.wave, first.wave)


def test_the_seed_decides(make: Make) -> None:
    model, codes = make(scale=2.0), level0()
    assert torch.equal(grown(model, codes, [9, 51], seed=0), grown(model, codes, [9, 51], seed=0))
    assert not torch.equal(grown(model, codes, [9, 51], seed=0), grown(model, codes, [9, 51], seed=1))
    assert not torch.equal(grown(model, codes, [60]), grown(model, codes, [60], guidance=Guidance(3.0)))


def test_noise_belongs_to_the_frame(make: Make) -> None:
    """A model whose levels see nothing but the past gives the same codes, window by window, as all at once."""
    model = make(noncausal_masks=False)
    assert torch.equal(grown(model, level0(), [1] * FRAMES), whole(model, level0()))


def test_level_0_comes_out_as_it_went_in_and_nothing_is_lost(make: Make) -> None:
    pieces = streamed(make(), level0(), [10] * 6)
    assert torch.equal(torch.cat([each.codes for each in pieces])[:, 0], level0())
    assert [len(each.codes) for each in pieces] == [4, 8, 16, 32]
    assert sum(len(each.wave) for each in pieces) == 4 * FRAMES
    assert all(each.wave.dtype == np.float32 and len(each.wave) == 4 * len(each.codes) for each in pieces)


def test_a_piece_comes_as_soon_as_what_it_needs_is_there(make: Make) -> None:
    given: list[int] = []

    def written() -> Iterator[Tensor]:
        for each in parts(level0(), [1] * FRAMES):
            given.append(1)
            yield each

    pieces = pieces_of(written(), PartStream(make(), spoken(), chain(), Smear(), seed=0, schedule=SHORT))
    assert len(next(pieces).codes) == 4
    assert len(given) == 4 + 3
    next(pieces)
    assert len(given) == 12 + 3


@pytest.mark.parametrize(("levels", "expected"), [(None, 4), (0, 1), (2, 3)])
def test_how_many_levels(make: Make, levels: int | None, expected: int) -> None:
    pieces = streamed(make(), level0(), [FRAMES], levels=levels)
    assert {each.codes.shape[1] for each in pieces} == {expected}
    short = level0(5)
    found = torch.cat([each.codes for each in streamed(make(), short, [5], levels=levels)])
    assert torch.equal(found, whole(make(), short, max_levels=levels) if levels != 0 else short[:, None])


def test_a_model_without_further_levels(make: Make) -> None:
    model = make(capabilities=frozenset({"ar"}), nar_levels=0)
    given = parts(level0(), [30, 30])
    pieces = list(pieces_of(given, PartStream(model, spoken(), None, Smear(), seed=0, levels=0, schedule=SHORT)))
    assert torch.equal(torch.cat([each.codes for each in pieces]), level0()[:, None])
    with pytest.raises(UsageError, match="need a chain"):
        GrowingLevels(make(), spoken(), None, seed=0)


@pytest.mark.parametrize("levels", [None, 1])
def test_version_7_brings_all_levels(levels: int | None) -> None:
    settings = {k: v for k, v in SMALL.items() if k != "unified_position_ids"}
    model = Model7(ModelConfig(**settings, version=7), seed=4).eval()
    codes = torch.randint(0, 24, (FRAMES, 4), generator=torch.Generator().manual_seed(1))
    pieces = streamed(model, codes, [25, 35], levels=levels)
    kept = codes if levels is None else codes[:, :2]
    assert torch.equal(torch.cat([each.codes for each in pieces]), kept)
    np.testing.assert_allclose(np.concatenate([each.wave for each in pieces]), Smear().decode(kept).numpy(), atol=1e-6)


def test_nothing_gives_nothing(make: Make) -> None:
    assert streamed(make(), level0(0), []) == []
    assert streamed(make(), level0(0), [0]) == []


def test_a_long_response_is_cut_off_in_front(make: Make) -> None:
    model = make()
    seen: list[int] = []
    handle = model.register_forward_hook(lambda _m, given, _o: seen.append(given[0].shape[1]))
    rule = Schedule(first=4, lookahead=2, growth=1.0, most=4, context=8)
    codes = grown(model, level0(), [FRAMES], schedule=rule)
    handle.remove()
    assert torch.equal(codes[:, 0], level0())
    assert max(seen) - min(seen) == 8
    assert max(seen) == seen[-4]


def test_after_the_end_nothing_may_follow(make: Make) -> None:
    growing = GrowingLevels(make(), spoken(), chain(), seed=0)
    list(growing.push(level0(3), final=True))
    with pytest.raises(UsageError, match="ended"):
        growing.push(level0(3))


def test_broken_numbers_are_an_error(make: Make) -> None:
    model = make()
    with torch.no_grad():
        model.sep.fill_(float("nan"))
    with pytest.raises(VallEError, match="NAR"):
        streamed(model, level0(), [FRAMES])


@pytest.mark.parametrize("changes", [{"first": 0}, {"lookahead": 0}, {"growth": 0.5}, {"most": 2}, {"context": -1}])
def test_a_schedule_that_cannot_be(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="can't be cut"):
        Schedule(**changes)


def test_pieces_grow() -> None:
    assert list(islice(Schedule(first=3, growth=2.0, most=10).ends(), 5)) == [3, 9, 19, 29, 39]


def test_windows_with_enough_on_either_side_are_the_whole_decoding() -> None:
    codec, codes = Smear(), torch.randint(0, 24, (30, 4), generator=torch.Generator().manual_seed(2))
    stream = WaveStream(codec)
    pieces = [stream.push(codes[i : i + 5], codes[i + 5 : i + 9], i == 25) for i in range(0, 30, 5)]
    np.testing.assert_allclose(np.concatenate(pieces), Smear().decode(codes).numpy(), atol=1e-6)
    assert max(codec.lengths) == 5 + 2 + 2


def test_where_windows_disagree_the_first_fades_into_the_second() -> None:
    codes = torch.randint(0, 24, (30, 4), generator=torch.Generator().manual_seed(2))
    codes[10:] = 23
    expected = Smear().decode(codes).numpy()
    plain, faded = (WaveStream(Smear(), blend_seconds=seconds) for seconds in (0.0, 0.2))
    hard = np.concatenate([plain.push(codes[:10], codes[10:11]), plain.push(codes[10:], final=True)])
    soft = np.concatenate([faded.push(codes[:10], codes[10:11]), faded.push(codes[10:], final=True)])
    assert len(hard) == len(soft) == len(expected)
    assert abs(soft[40] - soft[39]) < abs(hard[40] - hard[39])
    np.testing.assert_allclose(soft[48:], expected[48:], atol=1e-6)
