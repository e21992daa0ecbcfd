"""The language model of versions 5 and 6: embedding, backbone, heads. Parameter names are upstream's."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vall_e_core import InputError, ModelError

from .base import BaseModel, initialise
from .config import LEN_STOP, LEN_TOKENS, PHONEME_EOS, ModelConfig
from .embedding import AudioTables, look_up, prompt_rows, response_rows, transcription_rows
from .heads import Classifiers, head_index, head_rows, response_tables
from .sequence import EmbeddedSequence, Inputs, Segment, Target, join, segment_positions
from .table import Table


class Model(BaseModel):
    """AR + NAR (+ demasking, length, transcription) over one backbone.

    `seed=None` leaves the parameters on the meta device, to be filled by `load_state_dict(..., assign=True)`.
    """

    def __init__(self, config: ModelConfig, *, seed: int | None = 0) -> None:
        super().__init__(config)
        d = config.width
        with torch.device("meta"):
            self.text_emb = Table(config.phoneme_tokens, d)
            self.raw_text_emb = Table(config.text_tokens, d) if config.text_tokens else None
            self.langs_emb = Table(config.langs, d)
            self.tasks_emb = Table(config.tasks, d)
            self.tones_emb = Table(config.tones, d)
            self.rvq_l_emb = Table(config.levels + config.era_len, d)
            self.len_emb = Table(LEN_TOKENS, d) if config.len_mode or config.layout == "later" else None
            self.sep = nn.Parameter(torch.empty(d))
            self.dropout_token = nn.Parameter(torch.empty(d))
            self.proms_emb = AudioTables([config.audio_tokens] * config.levels, d)
            self.resps_emb = AudioTables(response_tables(config), d)
            self._build_backbone()
            self.classifiers: Classifiers | None = None
            self.classifier: nn.Linear | None = None
            if config.split_classifiers:
                self.classifiers = Classifiers(head_rows(config), d, bias=config.classifiers_bias)
            else:
                self.classifier = nn.Linear(d, config.audio_tokens + 1, bias=config.classifiers_bias)
        if seed is not None:
            self.to_empty(device="cpu")
            initialise(self, config, seed)

    # what the model can do

    def supports(self, target: Target) -> bool:
        """Has the model a head (and tables) for `target`?"""
        kind, level = target.kind, target.level
        if kind == "nar" and not 1 <= level < self.config.levels:
            return False
        if kind in ("nar-len", "len") and (self.config.layout == "era" or not self.config.split_classifiers):
            return False
        if not self.config.split_classifiers:
            return kind != "stt" or self.config.audio_tokens + 1 >= self.config.phoneme_tokens
        return head_index(self.config, target) is not None

    def causal(self, target: Target) -> bool:
        """Does a row see only what is before it? Always for sequential targets; else unless trained bidirectionally."""
        return target.sequential or not self.config.noncausal_masks

    def stop_token(self, target: Target) -> int | None:
        """The id that ends a sequential target; None where there is none."""
        if target.kind == "ar":
            return None if self.config.era_len else self.config.audio_tokens
        return {"stt": PHONEME_EOS, "len": LEN_STOP}.get(target.kind)

    @property
    def mask_token(self) -> int:
        """The id of a masked place in a response that is demasked."""
        return self.config.audio_tokens

    # embedding

    def embed(self, inputs: Inputs, target: Target) -> EmbeddedSequence:
        """One utterance's sequence: segments joined by `sep`; an absent input drops its segment, an empty one stays.

        `phonemes | lang | level | prompt | response`; for length the digits stand last, for transcription it is
        `audio | lang | level | phonemes`.
        """
        self.require(target)
        level = target.level if target.kind == "nar" else 0
        segments: list[Segment] = []

        def add(name: str, rows: Tensor, count: int | None = None) -> None:
            segments.append(Segment(name, rows, len(rows) if count is None else count))

        device = self.sep.device
        if target.kind == "stt":
            if inputs.response is None:
                raise InputError("transcription needs audio codes")
            add("resp", transcription_rows(self.config, self.resps_emb, inputs.response))
        else:
            self._add_text(segments, inputs)
        if self.config.lang_mode and inputs.language is not None:
            language = min(max(inputs.language, 0), self.config.langs - 1)
            add("lang", look_up(self.langs_emb, torch.tensor([language], device=device), "languages"))
        add("level", look_up(self.rvq_l_emb, torch.tensor([level], device=device), "levels"))
        plain = True
        if inputs.prompt is not None and target.kind != "stt":
            rows, frames = prompt_rows(self.config, self.proms_emb, self.tasks_emb, inputs.prompt, level)
            add("prom", rows, frames)
            plain = frames == len(rows)
        given = self._given(inputs, target)
        if given is not None:
            name = {"stt": "text", "len": "len"}.get(target.kind, "resp")
            add(name, given)
        unified = self.config.unified_position_ids
        ids, following = segment_positions(segments, unified=unified, era=self.config.layout == "era")
        embeds = join(segments, self.sep)
        count = 0 if given is None else len(given)
        first = len(embeds) - count - (1 if target.sequential else 0)
        return EmbeddedSequence(
            embeds,
            torch.tensor(ids, device=device),
            slice(first, len(embeds)),
            following,
            incremental=unified or plain,
        )

    def embed_token(self, tokens: Tensor, target: Target) -> Tensor:  # [N] -> [N, D]
        """The row that one more token of a sequential target adds."""
        if target.kind == "stt":
            return look_up(self.text_emb, tokens, "phonemes")
        if target.kind == "len":
            return look_up(self._need(self.len_emb, "length tokens"), tokens, "length tokens")
        return response_rows(self.config, self.resps_emb, tokens, 0)

    def logits(self, hidden: Tensor, target: Target, *, raw: bool = False) -> Tensor:  # [..., D] -> [..., V] float32
        """The target's scores. `raw=False` drops what the target can't mean: a single head for all has a stop that NAR
        levels don't have, and more outputs than there are phonemes."""
        self.require(target)
        if self.classifier is not None:
            out: Tensor = self.classifier(hidden)
            if not raw and target.kind == "nar":
                out = out[..., : self.config.audio_tokens]
            if not raw and target.kind == "stt":
                out = out[..., : self.config.phoneme_tokens]
            return out.float()
        index = head_index(self.config, target)
        if index is None or self.classifiers is None:
            raise ModelError(f"this model has no head for {target.kind}")
        scores: Tensor = self.classifiers(hidden, index)
        return scores.float()

    def exit_logits(self, states: Tensor, target: Target) -> Tensor:  # [..., D] -> [..., V]
        """What early exit measures, as upstream does: the split head's scores; for one head, the raw states."""
        return states if self.classifier is not None else self.logits(states, target)

    def _add_text(self, segments: list[Segment], inputs: Inputs) -> None:
        if inputs.text is not None:
            rows = look_up(self._need(self.raw_text_emb, "raw text"), inputs.text, "raw text")
            segments.append(Segment("text", rows, len(rows)))
        elif inputs.phonemes is not None:
            rows = look_up(self.text_emb, inputs.phonemes, "phonemes")
            segments.append(Segment("text", rows, len(rows)))

    def _given(self, inputs: Inputs, target: Target) -> Tensor | None:
        """The rows of the last segment, or None where the caller gave none."""
        if target.kind in ("stt", "len"):
            return None if inputs.tokens is None else self.embed_token(inputs.tokens, target)
        if inputs.response is None:
            return None
        if target.kind == "nar-len":
            return self.resps_emb.at(self.config.levels, inputs.response)
        return response_rows(self.config, self.resps_emb, inputs.response, target.level)

    @staticmethod
    def _need(table: nn.Embedding | None, what: str) -> nn.Embedding:
        if table is None:
            raise ModelError(f"this model has no table for {what}")
        return table
