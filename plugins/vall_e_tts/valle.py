"""`VallE`: a model, its codec and a phonemizer, loaded once and used any number of times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from vall_e_core.sampling.running import ChainRequest
from vall_e_lm import (
    Runtime,
)
from vall_e_stt import HearingOptions

from .options import SpeechOptions
from .synthesis.request import PreparedSpeech, SpeechRequest

if TYPE_CHECKING:
    from torch import Tensor

    from vall_e_audio import AudioClip, Recording
    from vall_e_core import Sampler
    from vall_e_lm import Options, Progress
    from vall_e_stt import Transcription
    from vall_e_voices import SavedVoice

    from .synthesis.results import Speech
    from .synthesis.scheduler import Scheduler
    from .synthesis.speakers import Speakers
    from .synthesis.stream import SpeechStream


class VallE(Runtime):
    """Speech from text and phonemes from speech, with everything loaded.

        engine = VallE.load()
        speech = engine.synthesize("Hello there.", ["reference.wav"], seed=1)
        speech.save("out.wav")

    Nothing here is global: several engines can live side by side, and calls of one engine don't depend on each other.
    """

    @cached_property
    def speakers(self) -> Speakers:
        """Voices and reference files of late, kept ready for the next text."""
        from .synthesis.speakers import Speakers

        return Speakers(self.registry)

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

        Raises InputError for text or audio that can't be used, UsageError for invalid or contradictory settings.
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
        with self.ready():
            stream = self.scheduler().begin(
                request, chains, progress=progress, trace=trace, given=level0, early=early, keep_parts=True,
                patient=True,
            )  # fmt: skip
            return stream.whole()

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
        patient: bool = False,
        arguments: Mapping[str, object] | None = None,
    ) -> SpeechStream:
        """As `stream`, from a request.

        Args:
            patient: nobody listens before all of it is there, so that work is better gathered than done soon.
            arguments: they go into the record.
        """
        with self.ready():
            return self.scheduler().begin(
                request, chains, progress=progress, trace=trace, early=early, patient=patient, arguments=arguments
            )

    def scheduler(self, *, rows: int | None = None, alike: bool = False) -> Scheduler:
        """What makes the speech of many requests side by side: for servers, which drive it themselves.

        Args:
            rows: sentences that are written at the same time, at most; None: as many as the first request asks for.
            alike: a request gives bit-identical speech, whatever else is made at the same time.
        """
        from .synthesis.scheduler import Scheduler

        return Scheduler(self, rows=rows, alike=alike)

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
        from vall_e_voices import make_voice

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
        from vall_e_stt import transcribe

        return transcribe(self, audio, how, chain, progress, trace)

    def default_scorers(self) -> list[str]:
        """The scorers that judge candidates where none is named: all that suit the model, by name."""
        from .synthesis.candidates import judges

        return [each.scorer.name for each in judges(self, (), 2)]

    def require_stt(self) -> None:
        """That the model can transcribe. Raises ModelError."""
        from vall_e_stt import require_stt

        require_stt(self)

    def _settle(
        self, options: Options, settings: Mapping[str, object], call: str, **chains: Sequence[Sampler | str] | None
    ) -> tuple[Options, dict[str, ChainRequest]]:
        from vall_e_lm import settle_keywords

        with self.registry.blaming():
            return settle_keywords(options, settings, call, self.registry, chains)
