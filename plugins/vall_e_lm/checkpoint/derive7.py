"""The configuration of a version 7 model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .derive import Shapes, common, count, experimental_of, limited, nar_levels, rows, vote


def derive7(stored: Mapping[str, Any], shapes: Shapes, forced: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of ModelConfig: which parts exist is seen in the tensors, what they mean is read from `experimental`."""
    monolithic = any(name.startswith("audio_emb.") for name in shapes)
    prompt, response = ("audio_emb", "audio_emb") if monolithic else ("proms_emb", "resps_emb")
    found = common(stored, shapes, forced, levels_pattern=rf"{prompt}\.embs\.(\d+)\.weight$")
    experimental = experimental_of(stored)
    width = found["width"]
    levels = vote(
        [
            count(shapes, rf"{prompt}\.embs\.(\d+)\.weight$"),
            count(shapes, rf"{response}\.embs\.(\d+)\.weight$"),
            count(shapes, r"audio_decoder\.head\.(\d+)\."),
        ],
        8,
    )
    special = 2 if monolithic else 0
    tables = [rows(shapes, f"{prompt}.embs.{q}.weight") for q in range(levels)]
    heads = [rows(shapes, f"audio_decoder.head.{q}.4.weight") for q in range(levels)]
    sizes = [n - special for n in tables if n is not None] + [n - 1 for n in heads if n is not None]

    def present(name: str) -> bool:
        return any(n.startswith(f"{part}.{name}") for part in {prompt, response} for n in shapes)

    per_level = any(n.startswith(f"audio_decoder.head.{q}.0.") for q in range(levels) for n in shapes)
    hidden = [rows(shapes, f"{p}.proj.0.weight") for p in (prompt, response)]
    decoder = [rows(shapes, f"audio_decoder.head.{q}.1.weight") for q in range(levels)]
    length_rows = rows(shapes, "len_decoder.head.weight")
    return found | {
        "version": 7,
        "layout": "later",
        "levels": limited("resp_levels", levels),
        "audio_tokens": limited("audio_tokens", vote(sizes, 0)),
        "phoneme_tokens": limited(
            "phoneme_tokens", vote([rows(shapes, "phn_emb.weight"), rows(shapes, "phn_decoder.head.weight")], 256)
        ),
        "text_tokens": limited(
            "text_tokens", vote([rows(shapes, "text_emb.weight"), rows(shapes, "text_decoder.head.weight")], 0), 0
        ),
        "monolithic_audio_encoder": monolithic,
        "audio_encoder_norm": present("norm."),
        "audio_encoder_ffn": present("proj."),
        "audio_encoder_level_weights": present("level_weights"),
        "audio_encoder_expansion": vote([n // width for n in hidden if n is not None], 2),
        "audio_decoder_expansion": vote([n // width for n in decoder if n is not None], 2),
        "per_level_normalization": per_level,
        "final_norm": not per_level,
        "noncausal_masks": bool(experimental.get("noncausal_masks", False)),
        "segmented_attention": bool(experimental.get("use_segmented_attention_mask", False)),
        "len_use_logits": length_rows == 50 if length_rows is not None else bool(experimental.get("len_use_logits")),
        "lang_mode": bool(experimental.get("lang_mode", True)),
        "nar_levels": nar_levels(experimental),
        "split_classifiers": False,
    }
