"""`VallE`: a model, its codec and a phonemizer, loaded once and used any number of times."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from vall_e_core.component import BuildContext
from vall_e_lm import (
    EAGER,
    ChainRequest,
    Device,
    ModelOptions,
    ModelPlace,
    adopt_engine,
    build_codec,
    check_codec,
    check_threads,
    choose_device,
    choose_engine,
    find_model,
    learnt_languages,
    parse_overrides,
    require_own_process,
    set_library_defaults,
    suitable_threads,
    torch_state,
)
from vall_e_text import language_base

from .hearing_options import HearingOptions
from .request import PreparedSpeech, SpeechRequest
from .speech_options import SpeechOptions

if TYPE_CHECKING:
    from torch import Tensor

    from vall_e_audio import AudioClip, Recording
    from vall_e_core.kinds import Sampler
    from vall_e_core.protocols import CodecModel
    from vall_e_core.registry import Registry
    from vall_e_core.voices import SavedVoice
    from vall_e_lm import Loaded, Options, Progress

    from .results import Speech, Transcription
    from .run import Run
    from .stream import SpeechStream


def _silent(line: str) -> None:
    """Nobody listens."""


class VallE:
    """Speech from text and phonemes from speech, with everything loaded.

        engine = VallE.load()
        speech = engine.synthesize("Hello there.", ["reference.wav"], seed=1)
        speech.save("out.wav")

    Nothing here is global: several engines can live side by side, and calls of one engine don't depend on each other.
    """

    def __init__(
        self,
        registry: Registry,
        loaded: Loaded,
        codec: CodecModel,
        device: Device,
        *,
        options: ModelOptions,
        place: ModelPlace,
        codec_spec: str,
        threads: int | None = None,
        load_seconds: float = 0.0,
        notify: Callable[[str], None] = _silent,
        engine: str = EAGER,
        languages: Iterable[str] = (),
    ) -> None:
        self.registry = registry
        self.loaded = loaded
        self.codec = codec
        self.device = device
        self.options = options
        self.place = place
        self.codec_spec = codec_spec
        self.threads = threads
        self.load_seconds = load_seconds
        self.notify = notify
        self.languages = frozenset(languages)
        """The language codes that the model learnt; empty where that isn't known."""
        self._process = os.getpid()
        self.engine = engine
        """The name of what runs the model's layers."""

    @classmethod
    def load(
        cls,
        model: str | Path | None = None,
        *,
        options: ModelOptions | None = None,
        registry: Registry | None = None,
        notify: Callable[[str], None] = _silent,
        **settings: Any,  # noqa: ANN401 - ModelOptions' own fields
    ) -> VallE:
        """Read a model and build its codec.

        Args:
            model: a checkpoint, or a known model's name; the embedded voice if None.
            options: everything about the model; `settings` are fields of it (`device="cuda"`, `codec="encodec"`, ...).
            registry: the plugins to use, instead of those installed.
            notify: takes one-line notices.

        Raises ModelError (a file that is missing or isn't a model), DeviceError, UsageError.
        """
        given = ModelOptions() if options is None else options
        if model is not None:
            settings["model"] = str(model)
        from vall_e_lm import with_fields

        chosen = with_fields(given, settings, "load")
        plugins = _installed() if registry is None else registry
        place = find_model(plugins, chosen)
        set_library_defaults()
        with torch_state(chosen.threads):
            return cls._load(plugins, chosen, place, notify)

    @classmethod
    def _load(
        cls, plugins: Registry, chosen: ModelOptions, place: ModelPlace, notify: Callable[[str], None]
    ) -> VallE:
        import torch

        from vall_e_lm import load_model

        began = time.perf_counter()
        device = choose_device(chosen.device)
        engine = choose_engine(plugins, chosen, device.name)
        check_threads(chosen.threads, notify)
        loaded = load_model(
            place.path, yaml=place.yaml, lora=chosen.lora, overrides=parse_overrides(chosen.set),
            allow_pickle=chosen.allow_pickle, tokenizer=chosen.tokenizer, device=device.name, dtype=chosen.dtype,
        )  # fmt: skip
        threads = chosen.threads or suitable_threads(loaded.config.width, device.name) or torch.get_num_threads()
        spec = loaded.codec if chosen.codec is None else chosen.codec
        context = BuildContext(
            device.name, chosen.dtype, threads=threads, notify=notify, quantize=chosen.quantize, component=plugins.get
        )
        codec = build_codec(plugins, spec, context, named=chosen.codec is not None, loaded=loaded)
        check_codec(codec, loaded)
        running = adopt_engine(engine, loaded, context, chosen)
        return cls(
            plugins, loaded, codec, device, options=chosen, place=place, codec_spec=spec, threads=threads,
            load_seconds=time.perf_counter() - began, notify=notify, engine=running,
            languages=learnt_languages(plugins, loaded, place),
        )  # fmt: skip

    def synthesize(
        self,
        text: str,
        references: Recording | Sequence[Recording] = (),
        *,
        voice: str | SavedVoice | None = None,
        sample_rate: int | None = None,
        reference_text: str | None = None,
        task: str = "tts",
        options: SpeechOptions | None = None,
        ar: Sequence[Sampler | str] | None = None,
        nar: Sequence[Sampler | str] | None = None,
        progress: Progress | bool | None = None,
        trace: bool = False,
        **settings: Any,  # noqa: ANN401 - SpeechOptions' own fields
    ) -> Speech:
        """Speak `text` in the voice of the reference or references (or of a `voice`, or its name, saved or packaged).

        Args:
            references: a recording, or several of one speaker. A recording is a path, the bytes of a file, an open
                binary file, an array or a tensor of samples, or a pair (samples, rate).
            sample_rate: of references that are arrays or tensors, in Hz.
            reference_text: what the reference says; the voice's own if it is known.
            options: how to speak; `settings` are fields of it (`seed=1`, `language="de"`, `max_ar_steps="5s"`, ...),
                and the flags of samplers (`top_p=0.9`, `sampler=["min-p:0.05"]`, `nar_temp=0.2`).
            ar, nar: the sampling chain of level 0 and of the further levels, as components or specs (`"top-p:0.9"`);
                the same as `sampler` and `nar_sampler`.
            progress: called between steps with (stage, steps done, steps at most); what it raises ends the run. True: a
                line that counts them on stderr, in a notebook too.
            trace: note what the chains do at every step, in `Speech.trace`.

        Raises InputError for text or audio that can't be used, UsageError for settings that can't be meant.
        """
        from vall_e_audio import recordings
        from vall_e_lm import shown

        chosen, chains = self._settle(options or SpeechOptions(), settings, "synthesize", ar=ar, nar=nar)
        request = SpeechRequest(text, recordings(references, sample_rate), voice, reference_text, task, chosen)
        with shown(progress, "speaking") as watch:
            return self.speak(request, chains, progress=watch, trace=trace)

    def speak(
        self,
        request: SpeechRequest | PreparedSpeech,
        chains: Mapping[str, ChainRequest] | None = None,
        *,
        progress: Progress | None = None,
        trace: bool = False,
        level0: Tensor | None = None,
        early: bool = False,
    ) -> Speech:
        """As `synthesize`, from a request; one that has been prepared already isn't prepared again.

        `early`: made in pieces as `stream` makes it, and put together. `level0` [T] are codes of level 0 that are known
        already: then only the further levels are made.
        """
        from .speech import whole_speech
        from .stream import SpeechStream

        with self.ready():
            run = self._run(request, chains, progress, trace)
            return whole_speech(SpeechStream(run, early=early, given=level0, keep_parts=True))

    def stream(
        self,
        text: str,
        references: Recording | Sequence[Recording] = (),
        *,
        early: bool = True,
        voice: str | SavedVoice | None = None,
        sample_rate: int | None = None,
        reference_text: str | None = None,
        options: SpeechOptions | None = None,
        ar: Sequence[Sampler | str] | None = None,
        nar: Sequence[Sampler | str] | None = None,
        progress: Progress | None = None,
        **settings: Any,  # noqa: ANN401 - SpeechOptions' own fields
    ) -> SpeechStream:
        """As `synthesize`, but an iterator of waves [samples] that are handed out while the rest is made.

        Args:
            early: hand out pieces of a part before it is whole, where the way of speaking allows it. What has been
                heard can't be made again, so that a part that goes wrong isn't; and what follows a piece is not known
                when its further levels are made, so that they differ a little from those of `synthesize`. False: whole
                parts, the same as those of `synthesize`.
        """
        from vall_e_audio import recordings

        chosen, chains = self._settle(options or SpeechOptions(), settings, "stream", ar=ar, nar=nar)
        request = SpeechRequest(text, recordings(references, sample_rate), voice, reference_text, "tts", chosen)
        return self.speak_stream(request, chains, progress=progress, early=early)

    def speak_stream(
        self,
        request: SpeechRequest | PreparedSpeech,
        chains: Mapping[str, ChainRequest] | None = None,
        *,
        progress: Progress | None = None,
        trace: bool = False,
        early: bool = False,
        arguments: Mapping[str, object] | None = None,
    ) -> SpeechStream:
        """As `stream`, from a request; `arguments` go into the record."""
        from .stream import SpeechStream

        with self.ready():
            return SpeechStream(self._run(request, chains, progress, trace), early=early, arguments=arguments)

    def make_voice(
        self,
        recording: Recording,
        *,
        transcribe: bool = False,
        **settings: Any,  # noqa: ANN401 - the keywords of synthesis.voice.make_voice
    ) -> SavedVoice:
        """A recording as a voice: `engine.make_voice("ref.wav", text="…").save("alice")`, then `voice="alice"`.

        Args:
            transcribe: note the phonemes heard in it, where there is no text.
            settings: `sample_rate` (of an array), `text`, `language`, `note`, `max_seconds`, `trim`, `keep_audio` (see
                `synthesis.voice`).

        Raises InputError for a recording that can't be used, ModelError for a model that can't transcribe.
        """
        from .voice import make_voice

        if transcribe:
            self.require_stt()
            language = settings.get("language", "en")
            settings["phonemes"] = lambda clip: self.transcribe(clip, language=language).phonemes
        with self.ready():
            return make_voice(self.codec, recording, notify=self.notify, **settings)

    def transcribe(
        self,
        audio: Recording,
        *,
        sample_rate: int | None = None,
        options: HearingOptions | None = None,
        stt: Sequence[Sampler | str] | None = None,
        progress: Progress | bool | None = None,
        trace: bool = False,
        **settings: Any,  # noqa: ANN401 - HearingOptions' own fields
    ) -> Transcription:
        """The phonemes heard in `audio`, however long it is.

        Args:
            audio: a path, the bytes of a file, an open binary file, an array or a tensor of samples, a pair
                (samples, rate), or a clip.
            sample_rate: of an array or a tensor, in Hz.
            options: how to listen; `settings` are fields of it (`language="de"`, `window=6`, ...), and the flags of
                samplers (`beam_width=4`).
            stt: the sampling chain; the likeliest phoneme each time if None.
            trace: note what the chain does at every step, in `Transcription.trace`.

        Raises InputError for audio that can't be read, ModelError for a model that can't transcribe.
        """
        from vall_e_audio import readable
        from vall_e_lm import shown

        how, chains = self._settle(options or HearingOptions(), settings, "transcribe", stt=stt)
        with shown(progress, "transcribing") as watch:
            return self.hear(readable(audio, sample_rate), how, chains.get("stt"), progress=watch, trace=trace)

    def hear(
        self,
        audio: Path | bytes | BinaryIO | AudioClip,
        how: HearingOptions,
        chain: ChainRequest | None = None,
        *,
        progress: Progress | None = None,
        trace: bool = False,
    ) -> Transcription:
        """As `transcribe`, from options and a chain as the command line has them."""
        from .transcribing import transcribe

        with self.ready():
            return transcribe(self, audio, how, chain, progress, trace)

    def not_learnt(self, language: str) -> str | None:
        """A clause that says so where the model is known not to have learnt a language; else None."""
        if not self.languages or language_base(language) in map(language_base, self.languages):
            return None
        return f"the model learnt {', '.join(sorted(self.languages))} only"

    def default_scorers(self) -> list[str]:
        """The scorers that judge candidates where none is named: all that suit the model, by name."""
        from .candidates import judges

        return [each.scorer.name for each in judges(self, (), 2)]

    def _run(
        self,
        request: SpeechRequest | PreparedSpeech,
        chains: Mapping[str, ChainRequest] | None,
        progress: Progress | None,
        trace: bool,
    ) -> Run:
        from .run import Run
        from .traces import Traces

        prepared = request
        if isinstance(prepared, SpeechRequest):
            prepared = prepared.prepare(self.registry, notify=self.notify)
        return Run(self, prepared, {} if chains is None else chains, progress, Traces() if trace else None)

    def require_stt(self) -> None:
        """That the model can transcribe. Raises ModelError."""
        from .transcribing import require_stt

        require_stt(self)

    def ready(self) -> AbstractContextManager[None]:
        """For the time of a call: this is the process that loaded, and torch is as the model needs it."""
        require_own_process(self._process, self.device.name)
        return torch_state(self.threads)

    def _settle(
        self, options: Options, settings: Mapping[str, object], call: str, **chains: Sequence[Sampler | str] | None
    ) -> tuple[Options, dict[str, ChainRequest]]:
        from vall_e_lm import settle

        return settle(options, settings, call, self.registry, chains)


def _installed() -> Registry:
    from vall_e_core.registry import Registry

    return Registry.load()
