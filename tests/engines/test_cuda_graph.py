"""The engine `cuda-graph`: how it is chosen, and, where there is a GPU, that its graphs do what eager does there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from vall_e_core import BuildContext, ModelError, Registry, UsageError
from vall_e_core.cli import main
from vall_e_cuda_graph import CudaGraph
from vall_e_cuda_graph import graphs as cuda
from vall_e_cuda_graph.recorder import GraphEngine, GraphRecorder
from vall_e_lm import ArPass, Guidance, Model, ModelOptions, choose_engine, generate_ar
from vall_e_lm.decode.executors import StepExecutor

from .conftest import small_model
from .pretended import pretended
from .test_recorded import NEVER, OFTEN, assert_same, chain_of, say, utterances

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")


@pytest.fixture
def registry() -> Registry:
    return Registry.load(third_party=False)


# how it is chosen


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_it_is_taken_by_name_alone(registry: Registry, dtype: str) -> None:
    """Nobody has measured it, so `auto` leaves it alone."""
    named = choose_engine(registry, ModelOptions(engine="cuda-graph", dtype=dtype), "cuda:1")
    assert isinstance(named, CudaGraph)
    assert choose_engine(registry, ModelOptions(dtype=dtype), "cuda:1") is None


def test_it_is_for_a_gpu_and_for_weights_as_they_are(registry: Registry) -> None:
    for options, device, says in (({}, "cpu", "runs on cuda, not cpu"), ({"quantize": "int8"}, "cuda", "not int8")):
        with pytest.raises(UsageError, match=says):
            choose_engine(registry, ModelOptions(engine="cuda-graph", **options), device)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="needs a GPU"):
        CudaGraph().build(BuildContext("cpu"))


def test_the_command_line_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "out.wav")
    assert main(["tts", "Hello.", "--voice", "heart", "--engine", "cuda-graph", "--device", "cpu", "-o", out]) == 2
    assert "cuda-graph runs on cuda, not cpu" in capsys.readouterr().err


@pytest.mark.slow
def test_it_gives_a_model_its_recorder_and_leaves_its_layers() -> None:
    with pretended() as graphs:
        model = small_model()
        before = model.model
        recorder = GraphRecorder(graphs, print)
        GraphEngine(recorder).adopt(model, None)
        assert model.recorder is recorder
        assert model.model.layers is before.layers and model.model.norm is before.norm


# what is said to torch's CUDA part


class Said:
    """Stands in for what `torch.cuda` gives, and notes what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.streams = 0

    def stream(self, device: object = None) -> Stream:
        self.streams += 1
        return Stream(self, "own" if self.streams == 1 else "now")

    @contextmanager
    def on(self, stream: Stream) -> Iterator[None]:
        self.lines.append(f"on {stream.name}")
        yield
        self.lines.append("back")

    def graph(self) -> Graph:
        return Graph(self.lines)


class Stream:
    def __init__(self, said: Said, name: str) -> None:
        self.said, self.name = said, name

    def wait_stream(self, other: Stream) -> None:
        self.said.lines.append(f"{self.name} waits for {other.name}")


class Graph:
    def __init__(self, lines: list[str]) -> None:
        self.lines = lines

    def capture_begin(self, *, pool: object, capture_error_mode: str) -> None:
        self.lines.append(f"begin in {pool}, {capture_error_mode}")

    def capture_end(self) -> None:
        self.lines.append("end")

    def replay(self) -> None:
        self.lines.append("replay")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Said:
    made = Said()
    for name, stand_in in (
        ("Stream", made.stream), ("current_stream", made.stream), ("stream", made.on), ("CUDAGraph", made.graph),
        ("synchronize", lambda device: made.lines.append("synchronize")), ("current_device", lambda: 3),
        ("graph_pool_handle", lambda: "pool"),
    ):  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, stand_in)
    return made


def test_steps_are_tried_and_captured_on_one_stream_of_their_own(said: Said) -> None:
    device = cuda.Cuda(torch.device("cuda"))
    assert device.device == torch.device("cuda:3"), "the one that is current now, whatever becomes current"
    device.run(lambda: said.lines.append("work"))
    assert said.lines == ["own waits for now", "on own", "work", "back", "now waits for own"]
    said.lines.clear()
    repeat = device.capture(lambda: said.lines.append("work"), device.pool())
    assert said.lines == ["synchronize", "on own", "begin in pool, thread_local", "work", "end", "back"]
    said.lines.clear()
    repeat()
    assert said.lines == ["replay"], "in its turn on the stream that is current"


def test_a_capture_ends_even_where_it_fails(said: Said) -> None:
    device = cuda.Cuda(torch.device("cuda:1"))

    def fails() -> None:
        raise RuntimeError("not while capturing")

    with pytest.raises(RuntimeError, match="not while capturing"):
        device.capture(fails, device.pool())
    assert said.lines[-1] == "end"


# on a GPU; none of what follows has run yet


Adopt = Callable[[Model], list[str]]


@pytest.fixture
def adopt() -> Adopt:
    """`adopt(model)`: its steps are captured from now on; what the user hears of it."""

    def make(model: Model) -> list[str]:
        heard: list[str] = []
        CudaGraph().build(BuildContext("cuda", notify=heard.append)).adopt(model, None)
        return heard

    return make


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Counts repetitions; torch raises where one waits."""
    counts = [0]
    capture = cuda.Cuda.capture

    def noted(self: cuda.Cuda, work: Callable[[], None], pool: Any) -> Callable[[], None]:
        repeat = capture(self, work, pool)

        def quiet() -> None:
            counts[0] += 1
            mode = torch.cuda.get_sync_debug_mode()
            torch.cuda.set_sync_debug_mode("error")
            try:
                repeat()
            finally:
                torch.cuda.set_sync_debug_mode(mode)

        return quiet

    monkeypatch.setattr(cuda.Cuda, "capture", noted)
    yield counts


@needs_cuda
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    ("specs", "how"),
    [
        ((OFTEN, "dry", "repetition-penalty", "top-k:12", "top-p:0.9"), {}), (("mirostat:3",), {}),
        ((OFTEN, "ras:4"), {}), ((OFTEN, "beam:2"), {}), (("cfg:2", OFTEN), {}),
        ((OFTEN, "min-p"), {"guidance": Guidance(2.0, 0.7)}), ((OFTEN, "dry"), {"refine_on_stop": True}),
    ],
)  # fmt: skip
def test_a_graph_is_eager_on_a_gpu(
    adopt: Adopt, watched: list[int], dtype: torch.dtype, specs: tuple[str, ...], how: dict[str, Any]
) -> None:
    """Rows end, join and are dropped; one, three and all at the same time."""
    model, chain = small_model(layers=2).to("cuda", dtype), chain_of(*specs, device="cuda")
    batches = (1, 3, None)
    expected = [say(model, chain, batch, device="cuda", **how) for batch in batches]
    heard = adopt(model)
    for batch, each in zip(batches, expected, strict=True):
        assert_same(say(model, chain, batch, device="cuda", **how), each)
    assert heard == [] and watched[0] > 0


@needs_cuda
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_across_the_cache_s_buckets(adopt: Adopt, watched: list[int], dtype: torch.dtype) -> None:
    model, chain = small_model(layers=2).to("cuda", dtype), chain_of(NEVER, "dry", "top-k:12", device="cuda")
    mine = utterances("cuda")[:4]
    expected = generate_ar(model, mine, ArPass(chain, seed=5), max_steps=[300, 40, 280, 150])
    heard = adopt(model)
    assert_same(generate_ar(model, mine, ArPass(chain, seed=5), max_steps=[300, 40, 280, 150]), expected)
    assert heard == [] and watched[0] > 280


@needs_cuda
def test_a_batch_s_memory_is_free_again(adopt: Adopt) -> None:
    model, chain = small_model(layers=2).to("cuda"), chain_of(NEVER, device="cuda")
    adopt(model)
    used = []
    for _ in range(4):
        say(model, chain, None, device="cuda")
        torch.cuda.synchronize()
        used.append(torch.cuda.memory_allocated())
    assert used[-1] <= used[1]


@needs_cuda
def test_ordinary_steps_on_a_gpu_wait_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eager's, too: only the look every so many steps does."""
    def quietly(work: Callable[..., None]) -> Callable[..., None]:
        def quiet(*given: Any) -> None:
            torch.cuda.set_sync_debug_mode("error" if warm else "default")
            try:
                work(*given)
            finally:
                torch.cuda.set_sync_debug_mode("default")

        return quiet

    warm = False
    model = small_model(layers=2).to("cuda")
    chain = chain_of("dry", "repetition-penalty", "top-k:12", "top-p:0.9", "min-p", device="cuda")
    expected = say(model, chain, 3, device="cuda")
    warm = True
    monkeypatch.setattr(StepExecutor, "choose", quietly(StepExecutor.choose))
    monkeypatch.setattr(StepExecutor, "go_on", quietly(StepExecutor.go_on))
    assert_same(say(model, chain, 3, device="cuda"), expected)
