"""What is to be said, in whose voice, and every check that needs no model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vall_e_audio import (
    MINIMUM_SECONDS,
    AudioClip,
    Readable,
    Recording,
    Spoken,
    is_recording,
    read_again,
    read_reference,
    readable,
    sha256_of,
)
from vall_e_core import BuildContext, InputError, UsageError, Voice
from vall_e_lm import find_phonemizer, find_scorers
from vall_e_text import (
    IPA,
    FrontEnd,
    Lexicon,
    Piece,
    Reading,
    Words,
    read,
    read_lexicon,
    require_speech,
    settle_markup,
    shown,
)
from vall_e_voices import SavedVoice, VoiceReference, find_voice

from ..options import SpeechOptions
from ..speech_task import SpeechTask, speech_task
from .limits import parse_bound
from .parts import Said
from .wording import settle_front, spoken_pieces

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from vall_e_core import CodecModel, PhonemizerModel, Registry


def _silent(line: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Reference:
    """A checked reference recording. `path` and `sha256` are None for what was handed in from memory."""

    spoken: Spoken
    recording: Readable
    sha256: str | None = None
    voice: str | None = None
    max_seconds: float = 30.0

    @property
    def clip(self) -> AudioClip:
        """As it was read."""
        return self.spoken.clip

    @property
    def path(self) -> Path | None:
        """Of its file."""
        return self.recording if isinstance(self.recording, Path) else None

    def wave(self, sample_rate: int) -> Tensor:
        """The samples [n] at the codec's rate, as a float32 tensor."""
        if self.clip.sample_rate == sample_rate:
            return self.clip.tensor()
        return read_again(self.recording, sample_rate, self.max_seconds, self.spoken.skipped).tensor()

    def codes(self, codec: CodecModel, warn: Callable[[str], None]) -> Tensor:
        """Its codes [T, Q], where it was to be trimmed without the silence at its ends."""
        wave = self.wave(codec.sample_rate)
        start, stop = self.spoken.span(codec.sample_rate, len(wave))
        if not MINIMUM_SECONDS * codec.sample_rate <= stop - start < len(wave) - codec.sample_rate // 100:
            return codec.encode(wave)
        seconds = (len(wave) - (stop - start)) / codec.sample_rate
        warn(f"{self.clip.source}: {seconds:.1f} s of silence at its ends left out")
        return codec.encode(wave[start:stop])

    def pitch(self, codec: CodecModel) -> float | None:
        """Its median pitch in Hz; None where hardly anything in it has one."""
        from vall_e_audio import median_pitch

        return median_pitch(self.wave(codec.sample_rate).numpy(), codec.sample_rate)

    def voiceprint(self, codec: CodecModel) -> NDArray[np.float64] | None:
        """Who speaks in it; None where there is hardly any sound."""
        from vall_e_audio import voiceprint

        return voiceprint(self.wave(codec.sample_rate).numpy(), codec.sample_rate)

    def record(self) -> dict[str, object]:
        """What the record keeps of it."""
        return {
            "path": None if self.path is None else str(self.path.absolute()), "sha256": self.sha256,
            "voice": self.voice, "seconds": round(self.clip.seconds, 6), "sample_rate": self.clip.original_rate,
            "channels": self.clip.original_channels,
        }  # fmt: skip


@dataclass(frozen=True)
class SpeechRequest:
    """One synthesis. `references` are recordings; `voice`, or its name (saved or packaged), stands for them."""

    text: str
    references: Sequence[Recording] = ()
    voice: str | SavedVoice | None = None
    reference_text: str | None = None
    task: str = "tts"
    options: SpeechOptions = field(default_factory=SpeechOptions)
    name: str = ""
    """The file that the text comes from; what it is called may say what it is written in."""
    said: Sequence[Said] = ()
    """What is said for the text where that is known already, as in a run that is repeated."""
    lexicon: Lexicon | None = None
    """How single words are said, instead of the file that the options name."""

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise TypeError(f"the text has to be a str, not {type(self.text).__name__}")
        if is_recording(self.references):
            raise TypeError("references have to be a list: ['reference.wav']")

    def prepare(self, registry: Registry, *, notify: Callable[[str], None] = _silent) -> PreparedSpeech:
        """Check everything that needs no model: references, text, lengths, language, phonemizer.

        Raises InputError for audio or text that can't be used, UsageError for invalid or contradictory settings,
        ModelError for a phonemizer that doesn't work here.
        """
        task, options = speech_task(registry, self.task), self.options
        parse_bound(options.max_ar_steps)
        warnings: list[str] = []
        references, transcript, heard = self._references(registry, task, warnings.append)
        if not task.imitates and not references:
            raise UsageError(f"the task {self.task} needs a recording to work on", try_="--ref FILE")
        if options.input_prompt_prefix and not references:
            raise UsageError("--input-prompt-prefix needs a reference", try_="--ref FILE --ref-text TEXT")
        if options.input_prompt_prefix and not (transcript or "").strip():
            raise UsageError(
                "--input-prompt-prefix needs the words of the reference", cause="they are put before the text",
                try_="--ref-text TEXT",
            )  # fmt: skip
        if options.voice_fallback is not None:
            find_voice(registry, options.voice_fallback)
        reading = self._read_text()
        find_scorers(registry, options.scorer)
        component = find_phonemizer(registry, options.phonemizer)
        ctx = BuildContext(notify=notify, component=registry.get, owner=registry.owner)
        front = settle_front(registry, component, ctx, options, reading.pieces, warnings.append)
        pieces = () if self.said else spoken_pieces(front, reading.pieces, component.reads, warnings)
        spoken = heard if not transcript else self._spoken(front, transcript, component.reads)
        return PreparedSpeech(
            self, task, references, transcript, spoken, reading, pieces, front, tuple(warnings), tuple(self.said)
        )

    def _spoken(self, front: FrontEnd, transcript: str, reads: str) -> str:
        """The phonemes of what the reference says."""
        try:
            return front.phonemes_of(transcript)
        except InputError as error:
            if reads != "phonemes":
                raise
            where = "--ref-text" if self.reference_text is not None else "the voice's transcript"
            raise InputError(
                f"{where} isn't IPA, which the phonemizer takes: {transcript[:60]!r}", cause=error.message,
                try_="--ref-text with the reference's IPA, or --phonemizer espeak",
            ) from error  # fmt: skip

    def _read_text(self) -> Reading:
        """The text as pieces. Raises InputError where it can't be read, or there is nothing in it.

        Whether something can be said is known when normalizers have seen it: some have words for a smiley.
        """
        options = self.options
        lexicon = self.lexicon
        if lexicon is None and options.lexicon is not None:
            lexicon = read_lexicon(options.lexicon)
        if self.said:
            return Reading(self.text, (), 0, settle_markup(self.text, options.markup, self.name))
        found = read(self.text, markup=options.markup, language=options.language, lexicon=lexicon, name=self.name)
        if not any(shown(each).strip() for each in found.pieces if isinstance(each, Words | IPA)):
            require_speech(found.pieces)
        return found

    def _references(
        self, registry: Registry, task: SpeechTask, notify: Callable[[str], None]
    ) -> tuple[tuple[Reference | VoiceReference, ...], str | None, str | None]:
        """The references, checked, and what they say where it is known: as text, and as phonemes without a text."""
        trim = task.imitates and not self.options.keep_silence
        if self.voice is not None:
            if self.references:
                raise UsageError("a voice and references are both given", try_="leave out one")
            voice = find_voice(registry, self.voice) if isinstance(self.voice, str) else self.voice
            if not isinstance(voice, SavedVoice | Voice):
                raise TypeError(f"a voice can't be a {type(voice).__name__}: give its name, or a SavedVoice")
            said = voice.transcript or None if self.reference_text is None else self.reference_text
            if isinstance(voice, SavedVoice):
                return (VoiceReference.of(voice, self.options.max_ref_seconds),), said, voice.phonemes
            return (self._read(voice.audio_path().expanduser(), trim, notify, voice.name),), said, None
        found = [self._read(readable(each), trim, notify) for each in self.references]
        return tuple(found), self.reference_text or None, None

    def _read(
        self, recording: Readable, trim: bool, notify: Callable[[str], None], voice: str | None = None
    ) -> Reference:
        most = self.options.max_ref_seconds
        known = voice is not None  # whoever packaged it has listened to it
        spoken = read_reference(recording, max_seconds=most, trim=trim, known=known, notify=notify)
        return Reference(spoken, recording, sha256_of(recording), voice, most)


@dataclass(frozen=True)
class PreparedSpeech:
    """A request whose checks are done."""

    request: SpeechRequest
    task: SpeechTask
    references: tuple[Reference | VoiceReference, ...]
    reference_text: str | None
    reference_phonemes: str | None
    reading: Reading
    pieces: tuple[Piece, ...]
    """Of the text, as they are read aloud; none where what is said was known already."""
    front: FrontEnd
    warnings: tuple[str, ...] = ()
    said: tuple[Said, ...] = ()

    @property
    def phonemizer(self) -> PhonemizerModel:
        """What turns words into phonemes."""
        return self.front.phonemizer

    @property
    def language(self) -> str:
        """The text's language, `auto` settled."""
        return self.front.language

    def with_options(self, options: SpeechOptions) -> PreparedSpeech:
        """With options that leave what was checked as it is (a seed, a length)."""
        return replace(self, request=replace(self.request, options=options))
