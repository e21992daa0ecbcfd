"""Chains of samplers in other engines: `as_hf_processor` for transformers, `as_vllm_processor` for vLLM.

The way back, a Hugging Face processor in a chain, is the sampler `hf`. Importing this package imports no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vall_e_core import lazy_names

if TYPE_CHECKING:
    from .huggingface import as_hf_processor
    from .vllm import as_vllm_processor
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".huggingface": ("as_hf_processor",),
            ".vllm": ("as_vllm_processor",),
        },
    )

__all__ = [
    "as_hf_processor",
    "as_vllm_processor",
]
