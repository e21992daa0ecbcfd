"""What the objects that `build` returns look like. Plugin authors implement these; nothing here imports torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor


@runtime_checkable
class CodecModel(Protocol):
    """A built codec. `levels` is the number of code books Q, `frame_rate` the frames in a second."""

    name: str
    sample_rate: int
    frame_rate: float
    levels: int
    codebook_size: int

    def encode(self, wave: Tensor) -> Tensor:
        """wave [samples] float32 at `sample_rate` -> codes [T, Q] int64."""
        ...

    def decode(self, codes: Tensor) -> Tensor:
        """codes [T, q] int64, q <= Q -> wave [samples] float32 at `sample_rate`."""
        ...


@runtime_checkable
class PhonemizerModel(Protocol):
    """A built phonemizer."""

    name: str

    def languages(self) -> Sequence[str]:
        """The language codes it knows."""
        ...

    def phonemize(self, texts: Sequence[str], language: str) -> list[str]:
        """One IPA string for each text: stress marked, punctuation kept, no space at the ends.

        Raises InputError for a language it doesn't know or text it can't read.
        """
        ...
