"""What goes into one forward pass: the target, one utterance's conditioning, its embedded sequence and positions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

NO_BLOCK = 1 << 30
"""The block of padding: behind all others."""
TargetKind = Literal["ar", "nar", "nar-len", "len", "stt"]


@dataclass(frozen=True)
class Target:
    """What a forward pass predicts.

    Level 0 step by step (`ar`), a level from the ones below it (`nar`, level >= 1), level 0 by demasking (`nar-len`),
    the number of frames (`len`), or phonemes (`stt`).
    """

    kind: TargetKind
    level: int = 0

    @property
    def sequential(self) -> bool:
        """Does the model write this target token by token?"""
        return self.kind in ("ar", "len", "stt")


@dataclass
class Inputs:
    """One utterance's conditioning. Ids are 1-D long tensors, codes [T, Q]; `None` drops a segment, empty keeps it."""

    phonemes: Tensor | None = None
    """[P] with bos and eos."""
    language: int | None = None
    prompt: Sequence[Tensor | str] | Tensor | None = None
    """Codes [T, Q], or a list of codes and task tokens (`ns`, `sr`, `tts-c`, ...)."""
    response: Tensor | None = None
    """AR and NAR-len: [T]; NAR level q: [T, >= q]; STT: audio codes [T, Q]; version 7: [T, Q]."""
    tokens: Tensor | None = None
    """STT: phonemes so far, bos first; len: digits so far, 0 first."""
    text: Tensor | None = None
    """Raw-text ids [P] in place of phonemes, for models with such a table."""


@dataclass
class EmbeddedSequence:
    """A sequence ready for the backbone."""

    embeds: Tensor
    """[S, D]."""
    positions: Tensor
    """[S] long."""
    output_rows: slice
    """AR, STT, len: the rows that predict each token given and, last, the next one. NAR: the rows of the response."""
    next_position: int
    """Position of the token that would follow; then one more for each."""
    incremental: bool = True
    """False: appending a token changes positions of earlier rows (task tokens in a prompt), so no KV cache."""
    blocks: Tensor | None = None
    """[S] long, version 7's segmented mask: a row sees the rows of its own and earlier blocks."""


@dataclass
class Segment:
    """A named run of rows; `count` is its length for position ids (task tokens are not counted)."""

    name: str
    embeds: Tensor
    count: int


def join(segments: Sequence[Segment], separator: Tensor) -> Tensor:
    """Segments with the separator between them -> [S, D]; nothing before the first or after the last."""
    pieces: list[Tensor] = []
    for i, segment in enumerate(segments):
        if i:
            pieces.append(separator[None])
        pieces.append(segment.embeds)
    return torch.cat(pieces)


def segment_positions(segments: Sequence[Segment], *, unified: bool, era: bool) -> tuple[list[int], int]:
    """Position ids of the joined segments and the id of a token that would follow.

    Segmented ids restart at 0 in each segment; the separator that ends a segment takes the next id in it. Which
    segments have such an end differs: in the later layout all but the last, in the era layout all but those named resp
    or len, wherever they stand (so transcription gets an end on its text and none on its audio). Ids that are
    missing at the end (task tokens are not counted) are 1.
    """
    rows = sum(len(s.embeds) for s in segments) + len(segments) - 1
    if unified:
        return list(range(rows)), rows
    last = len(segments) - 1
    ends = [s.name not in ("resp", "len") if era else i != last for i, s in enumerate(segments)]
    ids = [i for s, end in zip(segments, ends, strict=True) for i in range(s.count + end)]
    following = segments[-1].count + (era and not ends[0] and ends[-1])
    return (ids + [1] * rows)[:rows], following


def pad(sequences: Iterable[EmbeddedSequence], bucket: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """Right-pad sequences into a batch -> embeds [N, T, D], positions [N, T], lengths [N]; T is a multiple of
    `bucket`."""
    items = list(sequences)
    embeds = pad_sequence([s.embeds for s in items], batch_first=True)
    positions = pad_sequence([s.positions for s in items], batch_first=True, padding_value=1)
    lengths = torch.tensor([len(s.embeds) for s in items], device=embeds.device)
    more = -embeds.shape[1] % bucket
    if more:
        embeds, positions = F.pad(embeds, (0, 0, 0, more)), F.pad(positions, (0, more), value=1)
    return embeds, positions, lengths


def pad_blocks(sequences: Sequence[EmbeddedSequence], bucket: int = 1) -> Tensor | None:
    """The blocks of a batch -> [N, T] (padding sees and is seen by no valid row), T as `pad` has it, or None where no
    sequence has any."""
    blocks = [s.blocks for s in sequences if s.blocks is not None]
    if not blocks:
        return None
    padded = pad_sequence(blocks, batch_first=True, padding_value=NO_BLOCK)
    return F.pad(padded, (0, -padded.shape[1] % bucket), value=NO_BLOCK)
