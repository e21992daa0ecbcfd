"""Embedding tables and how codes of several levels become rows of a sequence."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vall_e_core import InputError

from .config import TASK_IDS, ModelConfig
from .table import Table


class AudioTables(nn.Module):
    """One embedding table per level (and, for responses of the later layout, one more for demasking)."""

    def __init__(self, rows: Sequence[int], width: int) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(Table(n, width) for n in rows)

    def at(self, table: int, codes: Tensor) -> Tensor:  # [T] -> [T, D]
        """Look codes up in one table."""
        return look_up(self.embeddings[table], codes, f"audio codes (table {table})")

    def summed(self, levels: Sequence[int], codes: Tensor, *, offset: int) -> Tensor:  # [T, Q] -> [T, D]
        """Sum over `levels` of table `level + offset` at that level's codes."""
        total = self.at(levels[0] + offset, codes[:, levels[0]])
        for level in levels[1:]:
            total = total + self.at(level + offset, codes[:, level])
        return total


def look_up(table: nn.Module, ids: Tensor, what: str) -> Tensor:  # [L] -> [L, D]
    """Embed ids; one outside of the table is an InputError that names it, where the ids come from the host."""
    ids = ids.long()
    if not isinstance(table, nn.Embedding):
        raise TypeError(f"{what}: not an embedding table")
    if ids.device.type == "cpu" and ids.numel():
        low, high = int(ids.min()), int(ids.max())
        if low < 0 or high >= table.num_embeddings:
            bad = low if low < 0 else high
            raise InputError(f"{what}: id {bad} is not one of this model's {table.num_embeddings}")
    out: Tensor = table(ids.to(table.weight.device))
    return out


def prompt_rows(
    config: ModelConfig,
    tables: AudioTables,
    tasks: nn.Embedding,
    prompt: Sequence[Tensor | str] | Tensor,
    level: int,
) -> tuple[Tensor, int]:
    """Embed a prompt for target `level` -> rows [T, D] and the number of code frames among them.

    Levels 0 and 1 read code level 0; from 2 on the sum of `config.input_levels`, or the newest level alone; all levels
    of a `whole_prompt`. A string is one row of the task table.
    """
    pieces = [prompt] if isinstance(prompt, Tensor) else list(prompt)
    rows: list[Tensor] = [tasks.weight[:0]]
    frames = 0
    for piece in pieces:
        if isinstance(piece, str):
            if piece not in TASK_IDS:
                raise InputError(f"unknown task token {piece!r} in a prompt", try_=f"one of {', '.join(TASK_IDS)}")
            token = torch.tensor([TASK_IDS[piece]], device=tasks.weight.device)
            rows.append(look_up(tasks, token, f"task token {piece!r}"))
            continue
        codes = piece if piece.dim() == 2 else piece[:, None]
        levels = config.prompt_levels(level)
        if codes.shape[1] <= levels[-1]:
            raise InputError(f"a prompt for level {level} needs {levels[-1] + 1} code levels, it has {codes.shape[1]}")
        rows.append(tables.summed(levels, codes, offset=0))
        frames += len(codes)
    return torch.cat(rows), frames


def response_rows(config: ModelConfig, tables: AudioTables, response: Tensor, level: int) -> Tensor:  # [T, D]
    """Embed a response for target `level`: itself by table 0 (shifted era layout: 1), input level l by table l + 1."""
    if level == 0:
        return tables.at(1 if config.era_len else 0, response if response.dim() == 1 else response[:, 0])
    codes = response if response.dim() == 2 else response[:, None]
    levels = config.input_levels(level, sums=config.sums_response)
    if codes.shape[1] <= levels[-1]:
        raise InputError(f"level {level} needs {levels[-1] + 1} code levels, there are {codes.shape[1]}")
    return tables.summed(levels, codes, offset=1)


def transcription_rows(config: ModelConfig, tables: AudioTables, codes: Tensor) -> Tensor:  # [T, Q] -> [T, D]
    """Embed audio to transcribe, levels 0..Q-2.

    plain: E0(c0) + sum over l=1..Q-2 of E_{l+1}(c_l). cumulative: E0(c0) + sum over k=0..Q-3 of (Q-2-k) E_{k+1}(c_k),
    the sum of the running sums that the era code makes.
    """
    q = config.levels
    if codes.dim() != 2 or codes.shape[1] < q - 1:
        raise InputError(f"transcription needs codes of {q - 1} levels, got shape {list(codes.shape)}")
    total = tables.at(0, codes[:, 0])
    if config.stt_mode == "plain":
        for level in range(1, q - 1):
            total = total + tables.at(level + 1, codes[:, level])
        return total
    for k in range(q - 2):
        total = total + (q - 2 - k) * tables.at(k + 1, codes[:, k])
    return total
