"""Codecs: audio to codes and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ..component import BuildContext, Component

if TYPE_CHECKING:
    from torch import Tensor


class Codec(Component):
    """A neural audio codec."""

    kind = "codec"

    if TYPE_CHECKING:

        def build(self, ctx: BuildContext) -> CodecModel: ...


@runtime_checkable
class CodecModel(Protocol):
    """A built codec. `name` is the component's, `levels` the number of codebooks, `frame_rate` frames per second.

    Optional attributes: `code_books_sha256`, a hash of its codebooks, and `codes_of`, the codec whose codes it uses
    if they aren't its own; both tell whether a saved voice fits. `context_frames` (default 32) is how many frames on
    either side a frame's samples depend on, or for a recurrent codec, how many are enough: streamed speech is
    decoded in windows.
    """

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
