"""A recorded step does what the ordinary one does, token for token, and could be a graph's."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from vall_e_core import BuildContext, PluginError, VallE
from vall_e_core.sampling import StatelessTransform, Step
from vall_e_core.sampling.running import Chain, Stage, compile_chain
from vall_e_core.testing import as_sampler
from vall_e_cuda_graph.recorder import GraphEngine, GraphRecorder
from vall_e_lm import (
    ArPass,
    BaseModel,
    EarlyExit,
    Guidance,
    KVCache,
    Model,
    ModelConfig,
    Utterance,
    generate_ar,
    stream_ar,
    transcribe,
)
from vall_e_lm.decode import ArResult
from vall_e_lm.decode.executors import LEAST_STEPS, AheadExecutor, RecordedExecutor, StepExecutor
from vall_e_lm.model import Model7
from vall_e_trace import TraceRecorder

from .conftest import small_model
from .pretended import NAME, pretended, sent
from .recording import InPlace, Repeating, Work, buckets, watch_loops

AUDIO = STOP = 32
LIMITS = [9, 30, 4, 17, 25, 1, 12, 30, 6, 21]
OFTEN = f"logit-bias:{STOP}@9"
"""Stops now and then, so that rows end where nobody expects it."""
NEVER = f"suppress:{STOP}"
CHAINS: list[tuple[str, ...]] = [
    (), (OFTEN, "dry", "repetition-penalty", "top-k:12", "top-p:0.9"), ("mirostat:3",), ("mirostat:3,version=2",),
    (OFTEN, "ras:4"), ("adaptive-p",), (OFTEN, "no-repeat-ngram:3", "length-penalty:0.5"), ("entropix",),
    ("frequency-presence", "xtc", "min-p"), ("min-length:8", "dynamic-temperature", "quadratic:0.3", "greedy"),
    ("top-n-sigma", "top-h", "tfs:0.9", "typical-p", "top-a:0.2", "epsilon:0.001", "eta:0.001", "temperature:0.8"),
    (OFTEN, "beam:3"), ("mirostat:3", "beam:2"), ("dry", "beam:2"),
]  # fmt: skip
BATCHES: list[tuple[int | None, int]] = [(1, 3), (3, len(LIMITS)), (None, len(LIMITS))]
"""Rows at a time, and how many utterances: one, few, and all."""
WAYS: list[dict[str, Any]] = [
    {"guidance": Guidance(2.0, 0.7)}, {"guidance": Guidance(1.5, 0.0)}, {"refine_on_stop": True},
    {"guidance": Guidance(2.0), "refine_on_stop": True},
]  # fmt: skip


def chain_of(*specs: str, device: str = "cpu", stage: str = "ar", size: int = AUDIO + 1, stop: int = STOP) -> Chain:
    plan = compile_chain([as_sampler(spec) for spec in specs], stage)
    return plan.build(BuildContext(device, vocab_size=size, stop_token=stop))


def utterances(device: str = "cpu") -> list[Utterance]:
    made = torch.Generator().manual_seed(7)
    return [
        Utterance(
            i, torch.randint(3, 40, (4 + 5 * i % 7,), generator=made).to(device), 1,
            torch.randint(0, AUDIO, (3 + i, 4), generator=made).to(device),
            prefix=torch.randint(0, AUDIO, (i % 3,), generator=made).to(device) if i % 3 else None,
            keep_prefix=i % 2 == 0,
        )
        for i in range(len(LIMITS))
    ]  # fmt: skip


def say(
    model: Model, chain: Chain, batch: int | None, *, count: int = len(LIMITS), device: str = "cpu", **how: Any
) -> list[ArResult]:
    """The first `count` utterances."""
    mine, limits = utterances(device)[:count], LIMITS[:count]
    return generate_ar(model, mine, ArPass(chain, seed=5, batch_size=batch, **how), max_steps=limits)


def assert_same(left: Sequence[ArResult], right: Sequence[ArResult]) -> None:
    for mine, other in zip(left, right, strict=True):
        assert mine.codes.tolist() == other.codes.tolist()
        facts = (mine.stop_reason, mine.steps, mine.refined, mine.degenerate)
        assert facts == (other.stop_reason, other.steps, other.refined, other.degenerate)
        assert abs(mine.log_probability - other.log_probability) < 1e-3


Record = Callable[..., Repeating]


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> Record:
    """`record(model)`: from now on steps are recorded, the cache is rounded up, and the host looks every 5 steps."""

    def begin(model: BaseModel) -> Repeating:
        buckets(monkeypatch.setattr, 16, 5)
        recorder = model.recorder = Repeating(InPlace(watch_loops(monkeypatch.setattr)))
        return recorder

    return begin


# the same function again, on the same memory


@pytest.mark.slow
@pytest.mark.parametrize("specs", CHAINS, ids=" ".join)
def test_a_recorded_step_is_the_ordinary_one(record: Record, specs: tuple[str, ...]) -> None:
    """Across the cache's buckets, with rows that end, join and are dropped; one row, few, and all."""
    model, chain = small_model(layers=2), chain_of(*specs)
    expected = [say(model, chain, batch, count=count) for batch, count in BATCHES]
    recorder = record(model)
    for (batch, count), each in zip(BATCHES, expected, strict=True):
        assert_same(say(model, chain, batch, count=count), each)
    assert recorder.repeats > recorder.steps / 2 and len(set(recorder.keys)) > 1
    assert recorder.said == []


@pytest.mark.slow
@pytest.mark.parametrize("how", WAYS, ids=str)
@pytest.mark.parametrize("specs", [(OFTEN, "dry"), (OFTEN, "beam:2")], ids=" ".join)
def test_however_level_0_is_written(record: Record, how: dict[str, Any], specs: tuple[str, ...]) -> None:
    model, chain = small_model(layers=2), chain_of(*specs)
    batches = (3, None)
    expected = [say(model, chain, batch, **how) for batch in batches]
    recorder = record(model)
    for batch, each in zip(batches, expected, strict=True):
        assert_same(say(model, chain, batch, **how), each)
    assert recorder.repeats > 0 and recorder.said == []


def test_guidance_within_the_chain(record: Record) -> None:
    model, chain = small_model(layers=2), chain_of("cfg:2", OFTEN)
    expected = say(model, chain, 3)
    recorder = record(model)
    assert_same(say(model, chain, 3), expected)
    assert recorder.repeats > 0


def test_a_stream_in_pieces(record: Record) -> None:
    model, chain = small_model(layers=2), chain_of("dry", NEVER)
    utterance = utterances()[3]
    (whole,) = generate_ar(model, [utterance], ArPass(chain, seed=5), max_steps=40)
    recorder = record(model)
    pieces = list(stream_ar(model, utterance, ArPass(chain, 5), max_steps=40, every=7))
    assert torch.cat(pieces).equal(whole.codes) and len(whole.codes) == 40
    assert recorder.steps == 40 and recorder.repeats > 30


def test_a_transcription(record: Record) -> None:
    model = small_model()
    chain = chain_of("top-k:9", stage="stt", size=48, stop=2)
    made = torch.Generator().manual_seed(3)
    clips = [torch.randint(0, AUDIO, (length, 4), generator=made) for length in (9, 14)]
    expected = transcribe(model, clips, [1, None], chain, max_steps=24, seed=2)
    recorder = record(model)
    found = transcribe(model, clips, [1, None], chain, max_steps=24, seed=2)
    assert [each.tokens.tolist() for each in found] == [each.tokens.tolist() for each in expected]
    assert recorder.repeats > 0


def test_one_recording_for_each_bucket_and_number_of_rows(record: Record) -> None:
    model, chain = small_model(layers=2), chain_of(NEVER)
    recorder = record(model)
    every = utterances()[:3]
    longest = 6 + 5 + 4 + 9  # phonemes, prompt, the rest, and room to be wrong
    generate_ar(model, every, ArPass(chain, seed=1), max_steps=[40, 40, 40])
    assert recorder.starts == 1 and recorder.steps == 40
    assert recorder.keys == sorted(set(recorder.keys)), "each length once, one after the other"
    assert all(key % 16 == 0 for key in recorder.keys[:-1]) and recorder.keys[-1] <= longest + 40 + 16
    again = record(model)
    generate_ar(model, every, ArPass(chain, seed=1), max_steps=[40, 5, 40])
    assert again.starts == 2, "the row that was dropped left a smaller batch"


def test_short_batches_are_not_worth_it(record: Record) -> None:
    model, chain = small_model(layers=2), chain_of(NEVER)
    recorder = record(model)
    loops = recorder.check.loops  # type: ignore[attr-defined]
    generate_ar(model, utterances()[:2], ArPass(chain, seed=1), max_steps=LEAST_STEPS)
    assert recorder.steps == 0 and type(loops[-1].executor) is AheadExecutor
    generate_ar(model, utterances()[:2], ArPass(chain, seed=1), max_steps=LEAST_STEPS + 1)
    assert recorder.steps == LEAST_STEPS + 1 and type(loops[-1].executor) is RecordedExecutor
    assert recorder.said == []


@pytest.mark.slow
@pytest.mark.parametrize("how", [{}, {"cache": False}, {"early_exit": EarlyExit(3, 2.0, 2.0)}, *WAYS], ids=str)
def test_eager_may_go_ahead_of_the_look(monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]) -> None:
    """As it does where steps may be recorded: the same operations on as many rows as a recorded step."""
    model, chain = small_model(), chain_of(OFTEN, "dry")
    loops = watch_loops(monkeypatch.setattr)
    expected = [say(model, chain, batch, count=count, **how) for batch, count in BATCHES]
    assert {type(loop.executor) for loop in loops} == {StepExecutor}
    loops.clear()
    buckets(monkeypatch.setattr, 16, 5)
    for (batch, count), each in zip(BATCHES, expected, strict=True):
        assert_same(say(model, chain, batch, count=count, **how), each)
    assert {type(loop.executor) for loop in loops} == {AheadExecutor}


def test_a_graph_runs_what_eager_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passes over as many rows and places, one after the other, where rows are dropped and join as well."""
    buckets(monkeypatch.setattr, 16, 5)
    model, chain = small_model(layers=2), chain_of(OFTEN, "dry")
    seen: list[tuple[int, ...]] = []

    def note(module: Any, given: tuple[Any, ...]) -> None:
        embeds, attend = given
        seen.append((*embeds.shape, attend.extent))

    model.model.register_forward_pre_hook(note)
    for batch in (3, None):
        seen.clear()
        say(model, chain, batch)
        eager = list(seen)
        seen.clear()
        model.recorder = Repeating()
        say(model, chain, batch)
        assert seen == eager
        model.recorder = None


def test_room_is_checked_before_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    buckets(monkeypatch.setattr, 16, 5)
    cache = KVCache(1, 1, 1, 20, 4)
    assert [cache.reach(tokens) for tokens in (1, 16, 17, 20, 21)] == [16, 16, 20, 20, 20]
    cache.extent = 19
    cache.reserve(1)
    cache.extent = 20
    with pytest.raises(ValueError, match="21 are needed"):
        cache.reserve(1)


@pytest.mark.slow
def test_a_batch_s_memory_goes_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not when Python gets round to looking for cycles: a batch's cache may be most of a GPU."""
    buckets(monkeypatch.setattr, 16, 5, NAME)
    gone: list[weakref.ref[KVCache]] = []
    with pretended() as graphs:
        model, chain = sent(small_model(layers=2)), chain_of(NEVER, device=NAME)
        GraphEngine(GraphRecorder(graphs, print)).adopt(model, None)
        fresh = model.new_cache

        def noted(*given: Any) -> KVCache:
            cache = fresh(*given)
            gone.append(weakref.ref(cache))
            return cache

        model.new_cache = noted  # type: ignore[method-assign]
        gc.collect()
        gc.disable()
        try:
            generate_ar(model, utterances(NAME)[:3], ArPass(chain, seed=1, batch_size=2), max_steps=[20, 40, 30])
            assert gone and not [each for each in gone if each() is not None]
        finally:
            gc.enable()
        assert graphs.captured > 0


# what isn't recorded


@dataclass
class Growing:
    seen: Tensor


def growing(chain: Chain) -> Chain:
    """The chain with a transform whose state gets longer."""
    fresh, accept = chain.init, chain.accept

    def init(*given: Any, **more: Any) -> Any:
        state = fresh(*given, **more)
        state.stages = [*state.stages, Growing(torch.zeros(len(state.degenerate), 1))]
        return state

    def accepted(tokens: Tensor, step: Any, state: Any, logits: Tensor | None = None) -> Any:
        *own, last = state.stages
        state.stages = own
        made = accept(tokens, step, state, logits)
        made.stages = [*made.stages, Growing(torch.cat((last.seen, tokens[:, None].float()), 1))]
        return made

    chain.init, chain.accept = init, accepted  # type: ignore[method-assign]
    return chain


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"cache": False}, "without a cache"),
        ({"early_exit": EarlyExit(3, 2.0, 2.0)}, "layer skip"),
        ({"chain": "trace"}, "a trace"),
        ({"chain": "waits"}, "waits for the device"),
        ({"chain": "growing"}, "changes its shape"),
    ],
    ids=lambda each: each if isinstance(each, str) else "-".join(map(str, each)),
)
def test_what_cannot_be_recorded_is_done_step_by_step_and_said_once(
    monkeypatch: pytest.MonkeyPatch, how: dict[str, Any], says: str
) -> None:
    how = dict(how)
    special = how.pop("chain", None)
    model = small_model()

    def chain() -> Chain:
        made = chain_of(OFTEN, "dry")
        if special == "waits":
            made.waits = True
        if special == "trace":
            made = made.watched(TraceRecorder())
        return growing(made) if special == "growing" else made

    batch = None if special == "growing" else 4
    expected = say(model, chain(), batch, **how)
    buckets(monkeypatch.setattr, 16, 5)
    heard: list[str] = []
    graphs = Itself()
    model.recorder = GraphRecorder(graphs, heard.append)
    for _ in range(2):
        assert_same(say(model, chain(), batch, **how), expected)
    (line,) = heard
    assert line.startswith("the engine cuda-graph leaves work to eager: ") and says in line
    assert graphs.captured == 0


def test_the_chain_knows_whether_a_member_waits() -> None:
    pytest.importorskip("transformers")
    assert chain_of("hf:transformers:SuppressTokensLogitsProcessor,args=suppress_tokens@3;4").waits
    assert not chain_of("top-k:5").waits


def test_all_levels_at_once_are_left_to_eager() -> None:
    config = ModelConfig(
        version=7, width=32, heads=4, layers=2, levels=4, audio_tokens=24, phoneme_tokens=48, langs=2
    )
    model = Model7(config, seed=1).eval()
    items = [Utterance(0, torch.tensor([1, 5, 6, 2]), 1)]
    chain = chain_of(size=25, stop=24)
    (expected,) = generate_ar(model, items, ArPass(chain, seed=5), max_steps=20)
    recorder = model.recorder = Repeating()
    (found,) = generate_ar(model, items, ArPass(chain, seed=5), max_steps=20)
    assert torch.equal(found.codes, expected.codes)
    assert len(recorder.said) == 1 and recorder.steps == 0


# the plugin's own recorder


class Itself:
    """Graphs of a device on which nothing can be repeated: a capture does the work, and a repetition nothing."""

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails
        self.tried = self.captured = 0

    def pool(self) -> object:
        return object()

    def run(self, work: Work) -> None:
        self.tried += 1
        work()

    def capture(self, work: Work, pool: object) -> Work:
        if self.fails:
            raise RuntimeError("operation not permitted\nwhen capturing")
        self.captured += 1
        work()
        return lambda: None


def test_a_step_is_tried_then_captured_then_repeated() -> None:
    done: list[str] = []

    class Noting(Itself):
        def capture(self, work: Work, pool: object) -> Work:
            super().capture(work, pool)
            done.append("captured")
            return lambda: done.append("repeated")

    def worked() -> None:
        done.append("worked")

    recording = GraphRecorder(Noting(), done.append).start()
    for key in (1, 1, 1, 2, 2, 1):
        recording.run(key, worked)
    first = ["worked", "worked", "captured", "repeated"]  # the second is worked by the capture
    assert done == [*first, "repeated", *first, "repeated"]


def test_out_of_memory_is_the_caller_s_business() -> None:
    class Full(Itself):
        def capture(self, work: Work, pool: object) -> Work:
            raise torch.cuda.OutOfMemoryError("no room")

    heard: list[str] = []
    recording = GraphRecorder(Full(), heard.append).start()
    recording.run(1, lambda: None)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        recording.run(1, lambda: None)
    assert heard == []


def test_where_capturing_fails_steps_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    model, chain = small_model(layers=2), chain_of(OFTEN, "dry")
    expected = say(model, chain, 3)
    buckets(monkeypatch.setattr, 16, 5)
    heard: list[str] = []
    GraphEngine(GraphRecorder(Itself(fails=True), heard.append)).adopt(model, None)
    assert_same(say(model, chain, 3), expected)
    assert_same(say(model, chain, 3), expected)
    assert heard == [
        "the engine cuda-graph leaves work to eager: it can't be captured (operation not permitted)"
    ]


# graphs, on a device that isn't there


ELSEWHERE: list[tuple[tuple[str, ...], dict[str, Any]]] = [
    ((OFTEN, "dry", "repetition-penalty", "top-k:12", "top-p:0.9", "min-p", "temperature:0.9"), {}),
    (("mirostat:3",), {}), (("mirostat:3,version=2",), {}), (("adaptive-p",), {}), ((OFTEN, "ras:4"), {}),
    (("entropix",), {}),
    ((OFTEN, "no-repeat-ngram:3", "frequency-presence", "xtc", "length-penalty:0.5"), {}),
    (("top-n-sigma", "top-h", "tfs:0.9", "typical-p", "top-a:0.2", "epsilon:0.001", "eta:0.001", "quadratic:0.3"), {}),
    (("min-length:8", "dynamic-temperature", "greedy"), {"guidance": Guidance(2.0, 0.7)}),
    (("cfg:2", OFTEN), {}), ((OFTEN, "dry"), {"refine_on_stop": True}), ((OFTEN, "beam:2"), {}),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("specs", "how"), ELSEWHERE, ids=str)
def test_a_graph_is_eager_token_for_token(
    monkeypatch: pytest.MonkeyPatch, specs: tuple[str, ...], how: dict[str, Any]
) -> None:
    """Captured without a wait and without a copy from the host, and repeated without any of our Python."""
    plain, few = small_model(layers=2), {"count": 3, **how}  # two rows, one of which ends while the third waits
    here = say(plain, chain_of(*specs), 2, **few)
    buckets(monkeypatch.setattr, 16, 5, NAME)
    with pretended() as graphs:
        model = sent(plain)
        expected = say(model, chain_of(*specs, device=NAME), 2, device=NAME, **few)
        heard: list[str] = []
        GraphEngine(GraphRecorder(graphs, heard.append)).adopt(model, None)
        found = say(model, chain_of(*specs, device=NAME), 2, device=NAME, **few)
        assert_same(found, expected)
        assert_same(found, here)
        assert heard == []
        assert graphs.captured > 0 and graphs.repeated > graphs.tried


@pytest.mark.slow
def test_a_graph_of_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = small_model(layers=2)
    specs = (OFTEN, "dry", "top-k:12")
    here = say(plain, chain_of(*specs), None, count=2)
    buckets(monkeypatch.setattr, 16, 16, NAME)
    with pretended() as graphs:
        model = sent(plain)
        GraphEngine(GraphRecorder(graphs, print)).adopt(model, None)
        assert_same(say(model, chain_of(*specs, device=NAME), 1, count=2, device=NAME), here)
        assert graphs.captured > 0


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_graph_in_16_bits(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype) -> None:
    """The chain gets float32 all the same."""
    buckets(monkeypatch.setattr, 16, 5, NAME)
    loops = watch_loops(monkeypatch.setattr)
    plain = small_model(layers=2).to(dtype)
    with pretended() as graphs:
        model, chain = sent(plain), chain_of(OFTEN, "dry", "top-p:0.9", device=NAME)
        expected = say(model, chain, 2, count=4, device=NAME)
        GraphEngine(GraphRecorder(graphs, print)).adopt(model, None)
        assert_same(say(model, chain, 2, count=4, device=NAME), expected)
        assert graphs.captured > 0
        still = loops[-1].executor.still  # type: ignore[attr-defined]
        assert still.logits.dtype == torch.float32
        assert loops[-1].stepper._cache.keys.dtype == dtype  # type: ignore[attr-defined]


class Odd(StatelessTransform):
    def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
        self.change = change

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        return self.change(logits)


ODD: dict[str, Callable[[Tensor], Tensor]] = {
    "item waits for the device": lambda logits: logits if float(logits.amax()) > 0 else -logits,
    "where copies between cpu and meta": lambda logits: torch.where(logits > 0, logits, torch.tensor(-1.0)),
    "index copies between cpu and meta": lambda logits: logits - logits[torch.tensor([0])],
    "to copies between cpu and meta": lambda logits: logits + torch.ones(1).to(logits.device),
}


@pytest.mark.slow
@pytest.mark.parametrize("says", ODD)
def test_a_capture_finds_what_a_graph_cannot_hold(monkeypatch: pytest.MonkeyPatch, says: str) -> None:
    """A chain that looks at a value, or brings one along, is left to eager, and the notice says what it did."""
    buckets(monkeypatch.setattr, 16, 5, NAME)
    with pretended() as graphs:
        model, chain = sent(small_model(layers=2)), Chain([Stage("odd", Odd(ODD[says]))], device=NAME)
        expected = say(model, chain, 2, count=2, device=NAME)
        heard: list[str] = []
        GraphEngine(GraphRecorder(graphs, heard.append)).adopt(model, None)
        assert_same(say(model, chain, 2, count=2, device=NAME), expected)
        (line,) = heard
        assert says in line and graphs.captured == 0


# the whole program


TEXT = "A boat. A fire."
LONG = "A boat slid. They built a fire, and a bus stopped."
ASKED: list[tuple[dict[str, Any], str]] = [
    ({}, ""), ({"candidates": 2, "ar": ["dry", "top-p:0.9"]}, ""), ({"ar": ["beam:2"]}, ""),
    ({"cfg_strength": 2.0}, ""), ({"layer_skip": True}, "layer skip"), ({"trace": True}, "a trace"),
]  # fmt: skip


@pytest.fixture(scope="module")
def voice() -> VallE:
    return VallE.load(device="cpu", engine="eager")


@pytest.mark.slow
@pytest.mark.parametrize(("asked", "says"), ASKED, ids=str)
def test_what_a_user_asks_for(
    voice: VallE, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], says: str
) -> None:
    """Served by recorded steps, or by eager with one notice; the codes are the same."""
    model = voice.loaded.model
    if "layer_skip" in asked:
        monkeypatch.setattr(model, "config", replace(model.config, layerskip=True))
    expected = voice.synthesize(TEXT, voice="heart", seed=3, **asked)
    buckets(monkeypatch.setattr, 64, 8)
    recorder = Repeating()
    monkeypatch.setattr(model, "recorder", recorder)
    found = voice.synthesize(TEXT, voice="heart", seed=3, **asked)
    assert [part.codes.tolist() for part in found.parts] == [part.codes.tolist() for part in expected.parts]
    assert {line for line in recorder.said if says in line} == set(recorder.said) and bool(says) == bool(recorder.said)
    assert bool(recorder.repeats) != bool(says)


@pytest.mark.slow
def test_a_stream_of_the_voice(voice: VallE, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = list(voice.stream(LONG, voice="heart", seed=3))
    sound = torch.cat([torch.from_numpy(piece) for piece in pieces])
    buckets(monkeypatch.setattr, 64, 8)
    recorder = Repeating()
    monkeypatch.setattr(voice.loaded.model, "recorder", recorder)
    again = list(voice.stream(LONG, voice="heart", seed=3))
    assert len(again) == len(pieces) > 2
    assert torch.allclose(torch.cat([torch.from_numpy(piece) for piece in again]), sound, atol=1e-4)
    assert recorder.repeats > 50 and recorder.said == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda logits: logits * float("nan"), "the sampler odd gave NaN or +inf"),
        (lambda logits: torch.full_like(logits, float("-inf")), "the sampler odd left a row without any token"),
        (lambda logits: logits.mul_(2.0), "the sampler odd wrote to the logits it was given"),
    ],
)
def test_a_fault_on_a_device_is_raised_where_the_host_looks_anyway(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[Tensor], Tensor], says: str
) -> None:
    buckets(monkeypatch.setattr, 16, 5, NAME)
    with pretended():
        model, chain = sent(small_model(layers=2)), Chain([Stage("odd", Odd(change))], device=NAME)
        with pytest.raises(PluginError) as caught:
            say(model, chain, 2, count=2, device=NAME)
    assert caught.value.message == says
