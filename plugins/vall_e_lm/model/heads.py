"""Output heads: which one answers a target, and how wide each is."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from .config import LEN_TOKENS, ModelConfig
from .sequence import Target


class Classifiers(nn.Module):
    """Split heads, a linear layer each."""

    def __init__(self, rows: Sequence[int], width: int, *, bias: bool) -> None:
        super().__init__()
        self.proj = nn.ModuleList(nn.Linear(width, n, bias=bias) for n in rows)

    def forward(self, hidden: Tensor, index: int) -> Tensor:  # [..., D] -> [..., V]
        """The scores of one head."""
        out: Tensor = self.proj[index](hidden)
        return out


def head_names(config: ModelConfig) -> list[str]:
    """The split heads in order: `ar`, `nar1`.. (levels), then what the layout adds.

    era: transcription, then length for models that predict it. later: level 0 by demasking, transcription, length for
    models that predict it, raw text from version 6 on.
    """
    names = ["ar", *(f"nar{q}" for q in range(1, config.levels))]
    if config.layout == "later":
        names.append("nar-len")
    if config.stt_head:
        names.append("stt")
    if config.len_mode:
        names.append("len")
    if config.layout == "later" and config.version >= 6 and config.text_tokens:
        names.append("text")
    return names


def head_rows(config: ModelConfig) -> list[int]:
    """Outputs of each split head: A + 1 for AR (the stop), A for the other levels, phonemes, digits, raw text."""
    a = config.audio_tokens
    special = {
        "ar": a if config.era_len else a + 1,
        "stt": config.phoneme_tokens,
        "len": LEN_TOKENS,
        "text": config.text_tokens,
    }
    return [special.get(name, a) for name in head_names(config)]


def head_index(config: ModelConfig, target: Target) -> int | None:
    """The place of the head that answers `target`, or None where the model has none."""
    name = f"nar{target.level}" if target.kind == "nar" else target.kind
    names = head_names(config)
    return names.index(name) if name in names else None


def response_tables(config: ModelConfig) -> list[int]:
    """Rows of the response tables: level 0 with the stop, the others, in the later layout one with the mask token."""
    a, q = config.audio_tokens, config.levels
    if config.era_len:
        return [a] * (q + 1)
    return [a + 1] + [a] * (q - 1) + ([a + 1] if config.layout == "later" else [])
