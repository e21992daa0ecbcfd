"""What the filters share."""

from __future__ import annotations

from typing import Literal

from vall_e_core import Sampler


class Truncation(Sampler):
    """A filter that keeps the most probable tokens; one flag switches it on in both passes."""

    invariances = frozenset({"argmax", "shift"})

    @classmethod
    def flag_stage(cls, stage: str) -> Literal["ar", "nar"]:
        """The same flag in every stage."""
        return "ar"
