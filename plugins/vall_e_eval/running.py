"""What all evaluations share: options picked apart, the chains, the folder, the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from vall_e_core import BuildContext, CodecModel, Session, __version__
from vall_e_core.sampling.running import ChainRequest
from vall_e_lm import ModelOptions, find_model, plan_chain
from vall_e_tts import VallE
from vall_e_voices import model_codec

from .extras import versions

FORMAT = 1
"""Of the records and the report."""
Chains = Mapping[str, ChainRequest]


def chains_of(session: Session) -> dict[str, ChainRequest]:
    """What the user said about the chain of each stage, checked. Raises UsageError."""
    found = {}
    for stage in session.task.sampler_stages:
        given = {key: value for key, value in session.sampler_flags(stage).items() if session.given(key)}
        found[stage] = ChainRequest(session.chain(stage), given)
        plan_chain(session.registry.samplers(), stage, found[stage])
    return found


def codec_of(session: Session) -> CodecModel:
    """The codec of the model that will speak, without the model. Raises ModelError, UsageError."""
    return model_codec(session.registry, session.task.group(ModelOptions), notify=session.detail)


def load_engine(session: Session) -> VallE:
    """The model and its codec. Raises ModelError."""
    options = session.task.group(ModelOptions)
    find_model(session.registry, options)
    engine = VallE.load(options=options, registry=session.registry, notify=session.detail)
    if options.device == "auto":
        session.notice(f"device: {engine.device.name} ({engine.device.reason})")
    return engine


def model_settings(engine: VallE) -> dict[str, object]:
    """Which model, as it decides a result."""
    loaded = engine.loaded
    return {
        "format": FORMAT, "vall-e": __version__, "model": {"name": engine.place.label, "sha256": loaded.sha256},
        "loras": [str(path) for path in loaded.loras], "codec": engine.codec_spec, "device": engine.device.name,
        "dtype": engine.options.dtype, "overrides": list(engine.options.set),
    }  # fmt: skip


def sampler_settings(engine: VallE, chains: Chains) -> dict[str, object]:
    """The chain of each stage with all its numbers, the checkpoint's advice among them."""
    known = engine.registry.samplers()
    return {
        stage: plan_chain(known, stage, request, engine.loaded.advice).record() for stage, request in chains.items()
    }


def context_of(engine: VallE, sentences: Sequence[str], notify: Callable[[str], None]) -> BuildContext:
    """What the judges of a run are built with."""
    return BuildContext(
        engine.device.name, threads=engine.threads, notify=notify, component=engine.registry.get,
        owner=engine.registry.owner, engine=engine,
        sentences=tuple(sentences),
    )  # fmt: skip


def environment() -> dict[str, object]:
    """What may change the speed, and the versions of everything."""
    import platform

    import torch

    packages = (
        "vall-e", "torch", "numpy", "scipy", "soxr", "pocketsphinx", "pystoi", "pesq", "jiwer", "matplotlib",
        "phonemizer", "espeakng-loader", "encodec", "vocos", "faster-whisper", "ctranslate2", "whisper-normalizer",
        "speechmos", "resemblyzer", "onnxruntime", "librosa",
    )  # fmt: skip
    return {
        "python": platform.python_version(), "machine": platform.machine(), "threads": torch.get_num_threads(),
        "versions": versions(*packages),
    }  # fmt: skip


@contextmanager
def resumable(session: Session, folder: Path | None, done: Callable[[], int], total: int) -> Iterator[None]:
    """Tell what has been kept when the run is stopped with Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        if folder is not None:
            session.notice(f"stopped: {done()} of {total} items are done; run the same command to continue")
        raise
