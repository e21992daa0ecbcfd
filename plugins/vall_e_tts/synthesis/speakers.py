"""Voices that have been used are kept ready: finding the speech in a recording and encoding it takes longer than the
first words of a text."""

from __future__ import annotations

import stat
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vall_e_core import Registry, Voice
from vall_e_voices import VoiceFolder, VoiceReference

from .request import PreparedSpeech, Reference, SpeechRequest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from vall_e_core import CodecModel


MOST_SPEAKERS = 16
"""Each holds up to 30 s of sound: 3 MB."""


def _silent(_line: str) -> None: ...


@dataclass
class KeptReference:
    """A checked reference whose codes are made once; it stands for the reference itself."""

    reference: Reference | VoiceReference
    _codes: tuple[int, Tensor, tuple[str, ...]] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def codes(self, codec: CodecModel, warn: Callable[[str], None]) -> Tensor:
        """Its codes [T, Q], with the warnings of making them."""
        with self._lock:
            if self._codes is None or self._codes[0] != id(codec):
                lines: list[str] = []
                self._codes = (id(codec), self.reference.codes(codec, lines.append), tuple(lines))
            _, codes, warnings = self._codes
        for each in warnings:
            warn(each)
        return codes

    def pitch(self, codec: CodecModel) -> float | None:
        """Its median pitch in Hz."""
        return self.reference.pitch(codec)

    def voiceprint(self, codec: CodecModel) -> NDArray[np.float64] | None:
        """Who speaks in it."""
        return self.reference.voiceprint(codec)

    def record(self) -> dict[str, object]:
        """What the record keeps of it."""
        return self.reference.record()


class Speakers:
    """The voices and reference files of late: one that is replaced is read anew."""

    def __init__(self, registry: Registry, *, most: int = MOST_SPEAKERS) -> None:
        """Keep the last `most`."""
        self._registry, self._most = registry, most
        self.hits = 0
        """How often a voice was ready."""
        self._kept: OrderedDict[tuple[object, ...], PreparedSpeech] = OrderedDict()
        self._lock = threading.Lock()

    def prepare(self, request: SpeechRequest, *, notify: Callable[[str], None] = _silent) -> PreparedSpeech:
        """As `SpeechRequest.prepare`, with the request's voice or reference files from here.

        Raises what `SpeechRequest.prepare` does.
        """
        plain = request.task == "tts" and not request.options.input_prompt_prefix  # which look at the reference
        plain = plain and not (request.voice is not None and request.references)  # which is refused
        known = self._known(request, notify) if plain else None
        if known is None:
            return request.prepare(self._registry, notify=notify)
        made = replace(request, voice=None, references=()).prepare(self._registry, notify=notify)
        warnings = tuple(dict.fromkeys((*known.warnings, *made.warnings)))
        return replace(
            made, request=request, references=known.references, reference_text=known.reference_text,
            reference_phonemes=known.reference_phonemes, warnings=warnings,
        )  # fmt: skip

    def _known(self, request: SpeechRequest, notify: Callable[[str], None]) -> PreparedSpeech | None:
        """A request of the voice that has been prepared, whatever it says; None for a voice without a file."""
        key = self._key(request)
        if key is None:
            return None
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                self.hits += 1
                return found
        made = replace(request, text="Ready.", said=(), lexicon=None).prepare(self._registry, notify=notify)
        kept = replace(made, references=tuple(KeptReference(each) for each in made.references))  # type: ignore[misc]
        with self._lock:
            self._kept[key] = kept
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return kept

    def _key(self, request: SpeechRequest) -> tuple[object, ...] | None:
        """Equal where the voice, what it says and how it is read are equal; None where it isn't one of files."""
        files = self._files(request)
        try:
            found = [(path.absolute(), path.stat()) for path in files]
        except OSError:
            return None
        if not all(stat.S_ISREG(state.st_mode) for _, state in found):  # a pipe says something else each time
            return None
        states = [(str(path), state.st_mtime_ns, state.st_size) for path, state in found]
        how = request.options
        return (
            *states, request.voice, request.reference_text, how.language, how.phonemizer, how.normalizer, how.lexicon,
            how.max_ref_seconds, how.keep_silence,
        ) if states else None  # fmt: skip

    def _files(self, request: SpeechRequest) -> list[Path]:
        if isinstance(request.voice, str):
            own = VoiceFolder().find(request.voice)
            voice = self._registry.get(Voice.kind, request.voice) if own is None else None
            return [own] if own is not None else [voice().audio_path()] if voice and issubclass(voice, Voice) else []
        if request.voice is not None:
            return []
        files = [each for each in request.references if isinstance(each, str | Path)]
        return [Path(each).expanduser() for each in files] if len(files) == len(request.references) else []
