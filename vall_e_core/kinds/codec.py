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
    """A built codec. `name` is the component's, `levels` the number of code books Q, `frame_rate` frames a second.

    It may have `code_books_sha256`, a hash of its code books, and `codes_of`, the name of the codec whose codes it
    takes and gives if that isn't its own: a saved voice is refused where they tell that its codes mean something else.
    Sound that is played while it is made is decoded window by window, with `context_frames` more on either side: as
    many as a frame's samples depend on, or (a recurrent codec) as many as are enough. 32 where it doesn't say.
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
