"""Chains of samplers in other engines: `as_hf_processor` for transformers, `as_vllm_processor` for vLLM.

The way back, a Hugging Face processor in a chain, is the sampler `hf`. Importing this package imports no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .huggingface import as_hf_processor
    from .vllm import as_vllm_processor

_LAZY = {"as_hf_processor": "huggingface", "as_vllm_processor": "vllm"}

__all__ = ["as_hf_processor", "as_vllm_processor"]


def __getattr__(name: str) -> object:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value
