"""Speech to phonemes, for audio of any length: windows cut where it is quiet, transcribed in batches, in order."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import torch
from torch import Tensor

from vall_e_audio import Window, open_detector, read_voiced
from vall_e_core import BuildContext, ModelError
from vall_e_core.sampling.running import ChainRequest
from vall_e_files import FORMAT, versions
from vall_e_lm import (
    Deadline,
    Target,
    advised_seconds,
    early_exit,
    finite_states,
    foreseen,
    in_batches,
    language_id,
    plan_chain,
)
from vall_e_lm import describe as describe_layer_skip
from vall_e_lm import transcribe as decode_phonemes
from vall_e_trace import TraceRecorder

from .options import HearingOptions
from .results import Heard, Transcription
from .segments import segments
from .speller import find_speller, spelled
from .traces import heard_log

if TYPE_CHECKING:
    from vall_e_audio import AudioClip
    from vall_e_lm import Progress, Runtime
    from vall_e_trace import TraceLog

#: The longest window where neither the user nor the checkpoint says anything.
USUAL_WINDOW_SECONDS = 10.0
#: Phonemes in a second of the fastest speech; what bounds a window that never stops.
FORESEEN = 0.9
"""Where at least this share of the phonemes wanted is what the model would write, it hears them: good takes have 0.94
and more, takes that lack a quarter 0.84 and less."""
PHONEMES_PER_SECOND = 30.0
_WINDOWS_AT_ONCE = 32


def require_stt(engine: Runtime) -> None:
    """Raises ModelError if the model can't transcribe."""
    if not engine.loaded.model.supports(Target("stt")):
        found = ", ".join(sorted(engine.loaded.config.capabilities)) or "none"
        raise ModelError("the model can't transcribe (it has no STT head)", cause=f"its capabilities: {found}")
    if engine.loaded.tokenizer is None:
        raise ModelError("the model carries no phoneme table", try_="--tokenizer FILE")


def transcribe(
    engine: Runtime,
    audio: Path | bytes | BinaryIO | AudioClip,
    how: HearingOptions,
    chain: ChainRequest | None = None,
    progress: Progress | None = None,
    trace: bool = False,
) -> Transcription:
    """Transcribe `audio`. Silence gives an empty transcription with `no_speech`.

    A trace keeps some numbers of every step, so its memory grows with the audio.

    Raises InputError for audio that can't be read, ModelError for a model that can't transcribe, TimeLimitError where
    `how` limits the time and it is over.
    """
    with engine.ready():
        return _transcribed(engine, audio, how, chain, progress, trace)


def _transcribed(
    engine: Runtime,
    audio: Path | bytes | BinaryIO | AudioClip,
    how: HearingOptions,
    chain: ChainRequest | None,
    progress: Progress | None,
    trace: bool,
) -> Transcription:
    began = time.perf_counter()
    require_stt(engine)
    speller = find_speller(engine.registry, how.spell, how.language)
    deadline = Deadline(how.timeout, "the transcription")
    run = _Run(engine, how, chain, progress if how.timeout is None else deadline.watch(progress), trace)
    heard: list[Heard] = []
    pending: list[Window] = []
    detector = open_detector(how.vad, engine.codec.sample_rate, run.warnings.append)
    source = read_voiced(audio, engine.codec.sample_rate, run.window, detector=detector)
    for window in source:
        deadline.check(f"it has got to {window.start:.0f} s of the recording")
        pending.append(window)
        if len(pending) >= max(_WINDOWS_AT_ONCE, how.batch_size):
            heard += run.listen(pending, len(heard))
            pending = []
    heard += run.listen(pending, len(heard))
    phonemes = " ".join(each.phonemes for each in heard if each.phonemes)
    text: str | None = None
    if speller is not None:
        texts = spelled(engine.registry, speller, [each.phonemes for each in heard], how.language)
        heard = [replace(each, text=each_text) for each, each_text in zip(heard, texts, strict=True)]
        text = " ".join(each_text for each_text in texts if each_text)
    record = run.record(heard, source.seconds, phonemes, time.perf_counter() - began)
    if speller is not None:
        record |= {"text": text, "speller": {"name": speller.name, **speller.to_mapping()}}
    record["vad"] = "off" if detector is None else detector.name
    record["warnings"] = [*run.warnings, *source.warnings]
    return Transcription(
        phonemes, source.seconds, heard, not phonemes, record, record["warnings"], run.log(record), text
    )  # fmt: skip


def hear_codes(
    engine: Runtime, codes: Sequence[Tensor], wanted: Sequence[Sequence[int]], language: str, batch_size: int
) -> list[str | None]:
    """The phonemes that the model hears in codes [T, Q] of its own making.

    `wanted` are the ids that each should say, with begin and end. None: it hears these, or the codes are longer than a
    window. One pass tells that of most; only the others are transcribed.
    """
    require_stt(engine)
    run = _Run(engine, HearingOptions(language=language), None, None, trace=False)
    rate, tokenizer = engine.codec.frame_rate, engine.loaded.tokenizer
    found: list[str | None] = [None] * len(codes)
    if tokenizer is None:
        return found
    short = [place for place, each in enumerate(codes) if 0 < len(each) <= run.window * rate]

    def doubtful(some: Sequence[int]) -> list[bool]:
        ids = [torch.tensor(list(wanted[i])) for i in some]
        same = foreseen(run.model, [codes[i] for i in some], [run.language] * len(some), ids)
        sounds = [torch.tensor([any(map(str.isalpha, tokenizer.decode([n]))) for n in wanted[i][1:]]) for i in some]
        return [bool(each.cpu()[of].float().mean() < FORESEEN) for each, of in zip(same, sounds, strict=True)]

    def listened(some: Sequence[int]) -> list[str]:
        results = decode_phonemes(
            run.model, [codes[i] for i in some], [run.language] * len(some), run.chain,
            max_steps=[math.ceil(len(codes[i]) / rate * PHONEMES_PER_SECOND) + 8 for i in some], seed=run.seed,
        )  # fmt: skip
        return [run._text(each.tokens) for each in results]

    with torch.inference_mode(), finite_states(run.model, "STT"):
        doubts = in_batches(short, batch_size, doubtful)
        rest = [place for place, doubt in zip(short, doubts, strict=True) if doubt]
        for place, said in zip(rest, in_batches(rest, batch_size, listened), strict=True):
            found[place] = said
    return found


class _Run:
    """What the windows of one recording share."""

    def __init__(
        self, engine: Runtime, how: HearingOptions, chain: ChainRequest | None, progress: Progress | None, trace: bool
    ) -> None:
        self.engine, self.how, self.progress = engine, how, progress
        self.model, self.codec = engine.loaded.model, engine.codec
        usual = advised_seconds(engine.loaded.advice, "stt-window-seconds", USUAL_WINDOW_SECONDS)
        self.window = usual if how.window is None else how.window
        self.plan = plan_chain(engine.registry.samplers(), "stt", chain, engine.loaded.advice)
        self.early_exit = early_exit(self.model, how)
        self.seed = 0 if how.seed is None else how.seed
        self.warnings: list[str] = list(self.plan.warnings)
        config = engine.loaded.config
        not_learnt = engine.not_learnt(how.language)
        if not_learnt is not None:
            self.warnings.append(f"{not_learnt}: its transcription of {how.language} will hardly be right")
        row, known = language_id(how.language, config.langs)
        self.language = row if config.lang_mode else None
        if config.lang_mode and not known:
            self.warnings.append(f"the model wasn't trained on the language {how.language}; it gets English instead")
        ctx = BuildContext(
            engine.device.name, engine.options.dtype, threads=engine.threads, vocab_size=config.phoneme_tokens,
            stop_token=self.model.stop_token(Target("stt")), frame_rate=self.codec.frame_rate, stage="stt",
            notify=engine.notify, component=engine.registry.get, owner=engine.registry.owner,
        )  # fmt: skip
        self.recorder = TraceRecorder(self.plan.chooser) if trace else None
        self.chain = self.plan.build(ctx).watched(self.recorder)
        self.limits: dict[int, int] = {}
        """The most phonemes of each window, by its number."""

    def listen(self, windows: Sequence[Window], first: int) -> list[Heard]:
        """Transcribe some windows; `first` is the number of those before them."""
        if not windows:
            return []
        levels = self.engine.loaded.config.levels
        self.limits |= {first + i: self._limit(each) for i, each in enumerate(windows)}
        with torch.inference_mode(), finite_states(self.model, "STT"):
            codes: list[Tensor] = [self.codec.encode(each.wave)[:, :levels] for each in windows]

            def work(some: Sequence[int]) -> list[Heard]:
                results = decode_phonemes(
                    self.model, [codes[i] for i in some], [self.language] * len(some), self.chain,
                    max_steps=[self.limits[first + i] for i in some], seed=self.seed,
                    ids=[first + i for i in some], early_exit=self.early_exit, progress=self.progress,
                )  # fmt: skip
                return [
                    Heard(
                        windows[i].start, windows[i].seconds, self._text(each.tokens), each.stop_reason,
                        each.log_probability,
                    )
                    for i, each in zip(some, results, strict=True)
                ]  # fmt: skip

            found = in_batches(range(len(windows)), self.how.batch_size, work)
        for i, each in enumerate(found):
            if each.stop_reason == "length":
                self.warnings.append(f"window {first + i + 1} didn't stop by itself and was ended")
        return found

    def log(self, record: Mapping[str, Any]) -> TraceLog | None:
        """The trace, if one was asked for."""
        return None if self.recorder is None else heard_log(self.recorder, self.plan, self.limits, record)

    def _limit(self, window: Window) -> int:
        if self.how.max_steps is not None:
            return self.how.max_steps
        return math.ceil(window.seconds * PHONEMES_PER_SECOND) + 8

    def _text(self, tokens: Tensor) -> str:
        tokenizer = self.engine.loaded.tokenizer
        return "" if tokenizer is None else tidy(tokenizer.decode(tokens.tolist()))

    def record(self, heard: Sequence[Heard], seconds: float, phonemes: str, spent: float) -> dict[str, Any]:
        """What is known about the transcription."""
        engine, loaded = self.engine, self.engine.loaded
        return {
            "format": FORMAT, "task": "stt", "phonemes": phonemes, "no_speech": not phonemes,
            "duration": round(seconds, 6), "language": self.how.language, "language_id": self.language,
            "seed": self.seed, "window": self.window,
            "windows": [
                {
                    "start": round(each.start, 6), "duration": round(each.seconds, 6), "phonemes": each.phonemes,
                    "stop_reason": each.stop_reason, "log_probability": each.log_probability,
                    **({} if each.text is None else {"text": each.text}),
                }
                for each in heard
            ],
            "segments": segments(heard, seconds),
            "early_exit": describe_layer_skip(self.early_exit), "samplers": {"stt": self.plan.record()},
            "model": {"name": engine.place.label, "path": str(loaded.path), "sha256": loaded.sha256},
            "codec": {"name": self.codec.name, "spec": engine.codec_spec},
            "device": engine.device.name, "dtype": engine.options.dtype,
            "engine": engine.engine, "quantize": engine.options.quantize, "versions": versions(),
            "timings": {"load": round(engine.load_seconds, 4), "total": round(spent, 4)},
            "rtf": round(spent / seconds, 4) if seconds > 0 else None,
        }  # fmt: skip


def tidy(phonemes: str) -> str:
    """One space between words, none at the ends."""
    return " ".join(phonemes.split())
