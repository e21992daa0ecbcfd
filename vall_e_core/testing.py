"""For authors of plugins: check a component against its contract, and run any sampler on logits of your choice.

    from vall_e_core.testing import apply_samplers, check_codec, check_sampler

What is here lies in the package `vall_e_authoring`; this is the name to import it by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .lazy import lazy_names

__all__ = [
    "NoSync", "SamplerLike", "SyncError", "apply_samplers", "as_sampler", "check_codec", "check_normalizer",
    "check_phonemizer", "check_sampler", "check_task", "installed_samplers", "no_transfer", "sampler_steps",
    "select_token",
]  # fmt: skip

if TYPE_CHECKING:
    from vall_e_authoring.testing import (  # fmt: skip
        NoSync,
        SamplerLike,
        SyncError,
        apply_samplers,
        as_sampler,
        check_codec,
        check_normalizer,
        check_phonemizer,
        check_sampler,
        check_task,
        installed_samplers,
        no_transfer,
        sampler_steps,
        select_token,
    )
else:
    __getattr__, __dir__ = lazy_names(__name__, {"vall_e_authoring.testing": __all__})
