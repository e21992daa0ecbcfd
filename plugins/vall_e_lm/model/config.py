"""What a model is made of and the rules under which it was trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Sums = bool | Literal["prom", "resp"]

TASK_IDS: dict[str, int] = {
    "tts": 0,
    "tts-c": 1,
    "ns": 2,
    "sr": 3,
    "tse": 4,
    "soe": 5,
    "mask": 6,
    "eoe": 7,
    "stt": 8,
    "nse": 6,
    "cse": 6,
    "len": 0,
    "phn": 0,
    "un-phn": 0,
}
"""Rows of the task table; some names share one, as in published models."""

LEN_TOKENS = 11
"""Digits 0 to 9 and a stop."""
LEN_STOP = 10
PHONEME_BOS = 1
PHONEME_EOS = 2


@dataclass(frozen=True)
class ModelConfig:
    """Sizes and switches of a model, versions 5, 6 and 7.

    The five switches that a checkpoint of upstream's does not name (`layout`, `sum_mode`, `stt_mode`, `lang_mode`,
    `noncausal_masks`) are fields like any other; checkpoint reading derives them or takes them from `experimental`.
    `whole_prompt` is our extension: no checkpoint of upstream's has it.
    """

    version: int = 5
    width: int = 1024
    heads: int = 16
    layers: int = 12
    levels: int = 8
    """Codebook levels Q."""
    audio_tokens: int = 1024
    """Codes per level A."""
    phoneme_tokens: int = 256
    text_tokens: int = 0
    """Rows of the raw-text table; 0: the model has none."""
    langs: int = 4
    tasks: int = 9
    tones: int = 1
    capabilities: frozenset[str] = frozenset({"ar", "nar"})
    name: str = "ar+nar"

    layout: Literal["era", "later"] = "era"
    """Response tables and heads: `era` has Q tables, `later` one more for level 0 by demasking."""
    sum_mode: Literal["exclusive", "inclusive"] = "inclusive"
    """Which input levels an embedding sum takes for target q >= 2: 0..q-2 or 0..q-1."""
    sums: Sums = True
    """Sum the embeddings of the input levels, or take the newest level alone; `prom`/`resp`: that side alone sums."""
    whole_prompt: bool = False
    """Every target sees the sum of all the prompt's levels, as in the paper (arXiv 2301.02111); not upstream's way."""
    stt_mode: Literal["cumulative", "plain"] = "plain"
    """How the audio is embedded for transcription."""
    noncausal_masks: bool = False
    """Levels by NAR see the whole sequence (True) or what is before them (False)."""
    lang_mode: bool = True
    """Is there a language segment?"""

    unified_position_ids: bool = True
    """Positions run through the sequence (True) or restart in each segment."""
    split_classifiers: bool = True
    """A head for each level and task, or one for all."""
    classifiers_bias: bool = True
    causal_size: int = 1
    layerskip: bool = False
    """Trained for early exit."""
    nar_levels: int | None = None
    """Levels that NAR inference may use, where the checkpoint limits them (`rvq_level_range`)."""
    stt_head: bool = True
    """Split heads, `era`: is there one for transcription?"""
    final_norm: bool = True

    # version 7
    monolithic_audio_encoder: bool = False
    audio_encoder_norm: bool = True
    audio_encoder_ffn: bool = True
    audio_encoder_level_weights: bool = True
    audio_encoder_expansion: int = 2
    audio_decoder_expansion: int = 2
    per_level_normalization: bool = True
    segmented_attention: bool = False
    len_use_logits: bool = False

    @property
    def head_width(self) -> int:
        """Width of one attention head."""
        return self.width // self.heads

    @property
    def len_mode(self) -> bool:
        """Is length prediction among the capabilities?"""
        return "len" in self.capabilities

    @property
    def era_len(self) -> bool:
        """An `era` model with length prediction: an abandoned layout whose response tables are all shifted by one."""
        return self.layout == "era" and self.len_mode

    @property
    def sums_prompt(self) -> bool:
        """Are prompt levels summed?"""
        return self.sums is True or self.sums == "prom"

    @property
    def sums_response(self) -> bool:
        """Are response levels summed?"""
        return self.sums is True or self.sums == "resp"

    def input_levels(self, level: int, *, sums: bool) -> list[int]:
        """The input levels whose embeddings make the input of target `level` >= 1.

        Target 1 always reads level 0; from 2 on the sum covers the levels below, without the newest under `exclusive`.
        """
        if level == 1 or not sums:
            return [level - 1]
        return list(range(level if self.sum_mode == "inclusive" else level - 1))

    def prompt_levels(self, level: int) -> list[int]:
        """The prompt's levels whose embeddings make its rows for target `level`."""
        if self.whole_prompt:
            return list(range(self.levels))
        return self.input_levels(max(level, 1), sums=self.sums_prompt)

    def to_upstream(self) -> dict[str, Any]:
        """The `config` object of a checkpoint: upstream's keys, with the five switches kept in `experimental`."""
        experimental: dict[str, Any] = {
            "split_classifiers": self.split_classifiers,
            "audio_embedding_sums": self.sums,
            "unified_position_ids": self.unified_position_ids,
            "classifiers_bias": self.classifiers_bias,
            "causal_size": self.causal_size,
            "layerskip": self.layerskip,
            "rvq_level_range": [] if self.nar_levels is None else [0, self.nar_levels],
            "layout": self.layout,
            "sum_mode": self.sum_mode,
            "stt_mode": self.stt_mode,
            "noncausal_masks": self.noncausal_masks,
            "lang_mode": self.lang_mode,
        } | ({"whole_prompt": True} if self.whole_prompt else {})
        if self.version >= 7:
            experimental |= {
                "monolithic_audio_encoder": self.monolithic_audio_encoder,
                "use_audio_encoder_norm": self.audio_encoder_norm,
                "use_audio_encoder_ffn": self.audio_encoder_ffn,
                "use_audio_encoder_level_weights": self.audio_encoder_level_weights,
                "audio_encoder_ffn_expansion_size": self.audio_encoder_expansion,
                "audio_decoder_ffn_expansion_size": self.audio_decoder_expansion,
                "per_level_normalization": self.per_level_normalization,
                "use_segmented_attention_mask": self.segmented_attention,
                "len_use_logits": self.len_use_logits,
            }
        return {
            "name": self.name,
            "version": self.version,
            "size": {
                "dim": self.width,
                "heads": self.heads,
                "layers": self.layers,
                "ffn": 4,
                "audio_tokens": self.audio_tokens,
                "text_tokens": self.text_tokens if self.layout == "later" else self.phoneme_tokens,
                "phoneme_tokens": self.phoneme_tokens,
                "resp_levels": self.levels,
            },
            "resp_levels": self.levels,
            "tasks": self.tasks,
            "langs": self.langs,
            "tones": self.tones,
            "experts": 1,
            "arch_type": "llama",
            "training": False,
            "capabilities": sorted(self.capabilities),
            "experimental": experimental,
        }

    def summary(self) -> Mapping[str, object]:
        """The few facts that tell one model from another, for `models info` and records."""
        return {
            "version": self.version,
            "width": self.width,
            "heads": self.heads,
            "layers": self.layers,
            "levels": self.levels,
            "audio_tokens": self.audio_tokens,
            "capabilities": sorted(self.capabilities),
            "layout": self.layout,
            "sum_mode": self.sum_mode,
            "stt_mode": self.stt_mode,
            "noncausal_masks": self.noncausal_masks,
            "lang_mode": self.lang_mode,
        }
