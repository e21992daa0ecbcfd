"""Voices that have been used are kept ready: finding the speech in a recording and encoding it takes longer than the
first words of a text."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vall_e_core import Registry, Voice
from vall_e_voices import VoiceFolder

from ..synthesis.request import SpeechRequest

if TYPE_CHECKING:
    from torch import Tensor

    from vall_e_core import CodecModel

MOST_SPEAKERS = 16
"""Each holds up to 30 s of sound: 3 MB."""


@dataclass
class KeptReference:
    """A checked reference whose codes are made once; it stands for the reference itself."""

    reference: Any
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
        found: float | None = self.reference.pitch(codec)
        return found

    def record(self) -> dict[str, object]:
        """What the record keeps of it."""
        found: dict[str, object] = self.reference.record()
        return found


class Speakers:
    """The voices of late, by their files: one that is replaced is read anew."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.hits = 0
        """How often a voice was ready."""
        self._kept: OrderedDict[tuple[object, ...], Any] = OrderedDict()
        self._lock = threading.Lock()

    def prepare(self, request: SpeechRequest) -> Any:  # noqa: ANN401 - a prepared request of vall_e_tts
        """As `SpeechRequest.prepare`, with the request's voice from here, where it has one by name.

        Raises what `SpeechRequest.prepare` does.
        """
        if not isinstance(request.voice, str) or request.reference_text is not None:
            return request.prepare(self._registry)
        known = self._known(request.voice, request)
        if known is None:
            return request.prepare(self._registry)
        made = replace(request, voice=None).prepare(self._registry)
        return replace(
            made, request=request, references=known.references, reference_text=known.reference_text,
            reference_phonemes=known.reference_phonemes, warnings=(*known.warnings, *made.warnings),
        )  # fmt: skip

    def _known(self, name: str, request: SpeechRequest) -> Any:  # noqa: ANN401 - a prepared request of vall_e_tts
        """A request of the voice that has been prepared, whatever it says; None for a voice without a file."""
        path = self._file(name)
        try:
            status = None if path is None else path.stat()
        except OSError:
            return None
        if status is None:
            return None
        key = (str(path), status.st_mtime_ns, status.st_size, request.options.language)
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                self.hits += 1
                return found
        made = replace(request, text="Ready.").prepare(self._registry)
        kept: Any = replace(made, references=tuple(KeptReference(each) for each in made.references))  # type: ignore[misc]
        with self._lock:
            self._kept[key] = kept
            while len(self._kept) > MOST_SPEAKERS:
                self._kept.popitem(last=False)
        return kept

    def _file(self, name: str) -> Path | None:
        own = VoiceFolder().find(name)
        if own is not None:
            return own
        voice = self._registry.get(Voice.kind, name)
        return voice().audio_path() if issubclass(voice, Voice) else None
