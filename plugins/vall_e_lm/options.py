"""Which model: the flags that every task shares, and what `VallE.load` takes. Importing this imports nothing heavy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vall_e_core import Component, UsageError, param, suggestion

#: What `--set` may name: how a checkpoint was trained, where it doesn't say.
SWITCHES = ("layout", "sum_mode", "sums", "stt_mode", "causal_mode", "noncausal_masks", "lang_mode", "heads")


@dataclass(frozen=True, eq=False, repr=False)
class ModelOptions(Component):
    """Which model, read how, run where."""

    name = "model options"

    model: str | None = param(
        None, metavar="FILE",
        help="checkpoint file (.sft, .safetensors), or a name from `vall-e models list`; default: the embedded voice",
    )  # fmt: skip
    yaml: Path | None = param(None, help="model from a YAML config; takes precedence over --model", metavar="FILE")
    lora: tuple[Path, ...] = param((), help="LoRA file to add to the model; repeatable", metavar="FILE", multiple=True)
    tokenizer: Path | None = param(
        None, help="tokenizer.json, for a checkpoint without a phoneme table", metavar="FILE"
    )
    set: tuple[str, ...] = param(
        (), help=f"override how a checkpoint is read, such as layout=era ({', '.join(SWITCHES)}); repeatable",
        metavar="KEY=VALUE", multiple=True,
    )  # fmt: skip
    allow_pickle: bool = param(False, help="allow .pth checkpoints, which are pickles (still read with weights_only)")
    codec: str | None = param(
        None, help="audio codec, NAME[:k=v,…]; default: the one that the checkpoint was trained on", metavar="NAME"
    )
    device: str = param("auto", help="auto, cpu, cuda, cuda:1 or mps")
    dtype: str = param(
        "float32", choices=("float32", "bfloat16", "float16"), help="number format of weights and activations"
    )
    engine: str = param(
        "auto", metavar="NAME",
        help="what runs the model's layers: auto, eager, or one of `vall-e engines list`; auto takes the fastest",
    )  # fmt: skip
    quantize: str = param(
        "none", choices=("none", "int8", "int4"),
        help="round the weights to 8 or 4 bits, for speed on a CPU; int8 changes results little, int4 more",
    )  # fmt: skip
    threads: int | None = param(
        None, min=1, max=4096, help="CPU threads; default: one for a small model, torch's own choice for others"
    )
    offline: bool = param(False, help="never use the network (only `vall-e models download` does)")


def parse_overrides(items: Sequence[str]) -> dict[str, object]:
    """`["layout=era", "lang_mode=true"]` as the mapping that model loading takes. Raises UsageError."""
    found: dict[str, object] = {}
    for item in items:
        key, equals, value = item.partition("=")
        name = key.strip().replace("-", "_")
        if not equals or not value.strip():
            raise UsageError(f"--set takes KEY=VALUE, not {item!r}", try_=f"KEY is one of: {', '.join(SWITCHES)}")
        if name not in SWITCHES:
            raise UsageError(f"--set has no key {key.strip()!r}", try_=suggestion(name, SWITCHES))
        word = value.strip().lower()
        found[name] = {"true": True, "false": False}.get(word, word)
    return found
