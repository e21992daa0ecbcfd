"""The language model of version 7: all codebook levels at once, in and out."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vall_e_core import InputError, ModelError

from .base import BaseModel, initialise
from .config import TASK_IDS, ModelConfig
from .embedding import look_up
from .sequence import EmbeddedSequence, Inputs, Segment, Target, join, segment_positions
from .table import Table

LEN_DIGITS = 5


class AudioEncoder(nn.Module):
    """Codes of all levels -> one row per frame."""

    def __init__(self, config: ModelConfig, rows: int, roles: int) -> None:
        super().__init__()
        d, q = config.width, config.levels
        self.embs = nn.ModuleList(Table(rows, d) for _ in range(q))
        self.pos_embedding = nn.Parameter(torch.empty(roles, q, d))
        self.norm: nn.Module = nn.LayerNorm(d) if config.audio_encoder_norm else nn.Identity()
        self.proj: nn.Module | None = None
        if config.audio_encoder_ffn:
            hidden = config.audio_encoder_expansion * d
            self.proj = nn.Sequential(nn.Linear(d, hidden), nn.GELU(), nn.Linear(hidden, d))
        self.level_weights = nn.Parameter(torch.empty(q)) if config.audio_encoder_level_weights else None

    def forward(self, codes: Tensor, role: int) -> Tensor:  # [T, Q] -> [T, D]
        """Embed each level, mark it, mix within the level, add the levels up (weighted)."""
        if codes.dim() != 2 or codes.shape[1] != len(self.embs):
            raise InputError(f"this model reads codes of {len(self.embs)} levels at once, got {list(codes.shape)}")
        levels = [look_up(table, codes[:, i], f"audio codes (level {i})") for i, table in enumerate(self.embs)]
        x = torch.stack(levels, dim=1) + self.pos_embedding[role]  # [T, Q, D]
        x = self.norm(x)
        if self.proj is not None:
            x = x + self.proj(x)
        if self.level_weights is not None:
            x = x * F.softmax(self.level_weights, dim=0)[:, None]
        out: Tensor = x.sum(1)
        return out


class AudioDecoder(nn.Module):
    """Hidden rows -> scores of every level, a small network each."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        d, hidden = config.width, config.audio_decoder_expansion * config.width

        def head() -> nn.Sequential:
            norm = nn.LayerNorm(d) if config.per_level_normalization else nn.Identity()
            last = nn.Linear(d, config.audio_tokens + 1)
            return nn.Sequential(norm, nn.Linear(d, hidden), nn.GELU(), nn.Linear(hidden, d), last)

        self.head = nn.ModuleList(head() for _ in range(config.levels))

    def forward(self, hidden: Tensor) -> Tensor:  # [..., D] -> [Q, ..., A + 1]
        """All levels."""
        return torch.stack([head(hidden) for head in self.head])


class Decoder(nn.Module):
    """One linear head."""

    def __init__(self, width: int, rows: int) -> None:
        super().__init__()
        self.head = nn.Linear(width, rows)

    def forward(self, hidden: Tensor) -> Tensor:  # [..., D] -> [..., V]
        """Scores."""
        out: Tensor = self.head(hidden)
        return out


class Model7(BaseModel):
    """Version 7: `phonemes | lang | prompt | response`, with no level segment. Targets: `ar`, `nar-len`, `len`.

    Responses are [T, Q]; the stop is A, the mask A + 1. `logits` of `ar` and `nar-len` are [Q, ..., A + 1].
    """

    def __init__(self, config: ModelConfig, *, seed: int | None = 0) -> None:
        super().__init__(config)
        d, a = config.width, config.audio_tokens
        with torch.device("meta"):
            self.phn_emb = Table(config.phoneme_tokens, d)
            self.text_emb = Table(config.text_tokens, d) if config.text_tokens else None
            self.langs_emb = Table(config.langs, d)
            self.tasks_emb = Table(config.tasks, d)
            self.tones_emb = Table(config.tones, d)
            self.sep = nn.Parameter(torch.empty(d))
            self.len_emb = nn.Parameter(torch.empty(d))
            self.audio_emb = self.proms_emb = self.resps_emb = None
            if config.monolithic_audio_encoder:
                self.audio_emb = AudioEncoder(config, a + 2, 2)
            else:
                self.proms_emb, self.resps_emb = AudioEncoder(config, a, 1), AudioEncoder(config, a + 2, 1)
            self._build_backbone()
            self.audio_decoder = AudioDecoder(config)
            self.len_decoder = Decoder(d, LEN_DIGITS * 10 if config.len_use_logits else 1)
            self.phn_decoder = Decoder(d, config.phoneme_tokens)
            self.text_decoder = Decoder(d, config.text_tokens) if config.text_tokens else None
        if seed is not None:
            self.to_empty(device="cpu")
            initialise(self, config, seed)

    def supports(self, target: Target) -> bool:
        """Audio by steps or by demasking; the length where it is predicted by digits."""
        if target.kind == "len":
            return self.config.len_use_logits
        return target.kind in ("ar", "nar-len")

    def causal(self, target: Target) -> bool:
        """Only audio by steps needs it; models trained without bidirectional masks are causal throughout."""
        return target.kind == "ar" or not self.config.noncausal_masks

    def stop_token(self, target: Target) -> int | None:
        """A, in every level, ends `ar`."""
        return self.config.audio_tokens if target.kind == "ar" else None

    @property
    def mask_token(self) -> int:
        """The id of a masked place: A + 1."""
        return self.config.audio_tokens + 1

    def embed(self, inputs: Inputs, target: Target) -> EmbeddedSequence:
        """One utterance's sequence; for `len` a single vector stands where the response would begin."""
        self.require(target)
        device = self.sep.device
        segments: list[Segment] = []

        def add(name: str, rows: Tensor, count: int | None = None) -> None:
            segments.append(Segment(name, rows, len(rows) if count is None else count))

        if inputs.text is not None:
            if self.text_emb is None:
                raise ModelError("this model has no table for raw text")
            add("text", look_up(self.text_emb, inputs.text, "raw text"))
        elif inputs.phonemes is not None:
            add("text", look_up(self.phn_emb, inputs.phonemes, "phonemes"))
        if self.config.lang_mode and inputs.language is not None:
            language = min(max(inputs.language, 0), self.config.langs - 1)
            add("lang", look_up(self.langs_emb, torch.tensor([language], device=device), "languages"))
        plain = True
        if inputs.prompt is not None:
            rows, frames = self._prompt(inputs)
            add("prom", rows, frames)
            plain = frames == len(rows)
        given = 0
        if target.kind == "len":
            add("len", self.len_emb[None])
            given = 1
        elif inputs.response is not None:
            add("resp", self._encode(inputs.response, response=True))
            given = len(inputs.response)
        unified = self.config.unified_position_ids
        ids, following = segment_positions(segments, unified=unified, era=False)
        embeds = join(segments, self.sep)
        first = len(embeds) - given - (1 if target.kind == "ar" else 0)
        blocks = None
        if self.config.segmented_attention and not self.causal(target):
            kinds = {"text": 0, "lang": 0, "prom": 1}
            runs = [(kinds.get(s.name, 2), len(s.embeds) + (s is not segments[-1])) for s in segments]
            blocks = torch.tensor([k for k, n in runs for _ in range(n)], device=device)
        return EmbeddedSequence(
            embeds, torch.tensor(ids, device=device), slice(first, len(embeds)), following, unified or plain, blocks
        )

    def embed_token(self, tokens: Tensor, target: Target) -> Tensor:  # [N, Q] -> [N, D]
        """The row that one more frame (all levels) adds."""
        return self._encode(tokens, response=True)

    def logits(self, hidden: Tensor, target: Target, *, raw: bool = False) -> Tensor:
        """Audio: [..., D] -> [Q, ..., A + 1]; `len`: [..., D] -> [..., 5, 10]; float32."""
        self.require(target)
        if target.kind == "len":
            scores: Tensor = self.len_decoder(hidden)
            return scores.float().view(*scores.shape[:-1], LEN_DIGITS, 10)
        out: Tensor = self.audio_decoder(hidden)
        return out.float()

    def read_length(self, hidden: Tensor) -> Tensor:  # [..., D] -> [...] long
        """The number of frames that the row of the `len` vector means: five digits, the most likely of each."""
        digits = self.logits(hidden, Target("len")).argmax(-1)
        powers = 10 ** torch.arange(LEN_DIGITS - 1, -1, -1, device=digits.device)
        frames: Tensor = (digits * powers).sum(-1)
        return frames

    def _encode(self, codes: Tensor, *, response: bool) -> Tensor:  # [T, Q] -> [T, D]
        encoder = self.audio_emb or (self.resps_emb if response else self.proms_emb)
        if encoder is None:
            raise ModelError("this model has no audio encoder")
        role = 1 if response and self.config.monolithic_audio_encoder else 0
        out: Tensor = encoder(codes, role)
        return out

    def _prompt(self, inputs: Inputs) -> tuple[Tensor, int]:
        prompt = inputs.prompt if inputs.prompt is not None else []
        pieces = [prompt] if isinstance(prompt, Tensor) else list(prompt)
        rows, frames = [self.tasks_emb.weight[:0]], 0
        for piece in pieces:
            if isinstance(piece, str):
                if piece not in TASK_IDS:
                    raise InputError(f"unknown task token {piece!r} in a prompt")
                token = torch.tensor([TASK_IDS[piece]], device=self.sep.device)
                rows.append(look_up(self.tasks_emb, token, f"task token {piece!r}"))
            else:
                rows.append(self._encode(piece, response=False))
                frames += len(piece)
        return torch.cat(rows), frames
