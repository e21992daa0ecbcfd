"""Samplers: members of the sampling chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from ..component import Component
from ..parameters import MISSING

if TYPE_CHECKING:
    from typing_extensions import Self


PLACES = (
    "guidance", "logits", "bans", "penalties", "filters", "exclusions", "temperature", "selection", "search",
)  # fmt: skip
"""Where samplers may stand, in order: what mixes the model's logits with others, what changes them before anything else
does, what forbids tokens, what lowers those that were chosen before, what keeps the likely ones, what takes likely ones
away, what makes the distribution flatter or steeper, what chooses, what follows several hypotheses."""
DRAW, HIGHEST = "multinomial", "greedy"
"""What the core itself does where a chain has no selector: it draws, or takes the most probable token. The samplers of
these names do the same."""


class Sampler(Component):
    """A member of the sampling chain; `build` returns a Transform, a Selector or a Search, by its role."""

    kind = "sampler"
    role: ClassVar[Literal["transform", "selector", "search"]] = "transform"
    stages: ClassVar[frozenset[str]] = frozenset({"ar", "nar", "stt", "len"})
    place: ClassVar[str] = "filters"
    """Where it stands when a plain flag switches it on: one of `PLACES`."""
    after: ClassVar[Sequence[str]] = ()
    """Samplers of the same place that usually come before it, by name; they needn't be installed."""
    before: ClassVar[Sequence[str]] = ()
    """Samplers of the same place that usually come after it."""
    prepares: ClassVar[bool] = False
    """Whether it makes the logits that filters then take from, as guidance and bans do. What a chain falls back to
    where filters leave nothing is what such samplers at its beginning left."""
    sets_temperature: ClassVar[bool] = False
    """Whether its flags may be combined with an explicit chain, which then gets it just before the selector."""
    default: ClassVar[bool] = False
    """Of a selector: whether it is used if no other is given."""
    experimental: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()
    """What a step must provide besides the logits, such as `unconditional_logits`."""
    removes: ClassVar[bool] = True
    """Whether it may remove tokens (set their logit to -inf); the chain then restores the stop token."""
    bans: ClassVar[bool] = False
    """Whether it may remove even the stop token, because that is what the user asks of it."""
    invariances: ClassVar[frozenset[str]] = frozenset()
    """What holds for it: `argmax` (the most probable token stays the most probable), `shift` (a constant added to
    all logits changes nothing else), `deterministic` (a selector that takes the most probable token), `compact` (it
    sees nothing but the logits that are left, in the order of their ids: without the removed tokens it does the same
    with the others)."""
    waits: ClassVar[bool] = False
    """Whether it may wait for the device, like code not written for vall-e; such a step can't be captured."""
    conflicts: ClassVar[Mapping[str, str]] = {}
    """Samplers that it can't be combined with, by name, and the reason."""
    beside: ClassVar[Mapping[str, str]] = {}
    """Notes for combinations with other samplers, by their name; the plan shows them."""
    harmed_by_filters: ClassVar[str] = ""
    """Why filters before it do harm, if they do; the plan then warns of each."""
    stage_reasons: ClassVar[Mapping[str, str]] = {}
    """Why it can't work in a stage that isn't in `stages`."""

    def is_neutral(self) -> bool:
        """Whether it changes nothing: every parameter with a neutral value has it."""
        declared = [each for each in self.params() if each.neutral is not MISSING]
        return bool(declared) and all(getattr(self, each.name) == each.neutral for each in declared)

    @classmethod
    def filters(cls) -> bool:
        """Whether it removes tokens by a rule, rather than by their ids."""
        return cls.role == "transform" and cls.removes and not cls.bans

    def takes_maximum(self) -> bool:
        """Whether this instance leaves nothing but the most probable token, as temperature 0 does."""
        return False

    def least_seconds(self) -> float:
        """The minimum length of a result that it enforces; the length limit is never below it."""
        return 0.0

    @classmethod
    def flag_stage(cls, stage: str) -> Literal["ar", "nar"]:
        """Whose flags (`Flag.stage`) set the parameters in a stage. Override where one flag serves both passes."""
        return "nar" if stage == "nar" else "ar"

    @classmethod
    def from_flags(cls, flags: Mapping[str, object], stage: str) -> Self | None:
        """The instance that the plain task flags which were given ask for, or None where they leave it off.

        `flags` has canonical names without dashes in front (`top-p`). A parameter that has a neutral value and whose
        flag isn't given takes the neutral one: an absent flag never switches anything on.
        """
        side = cls.flag_stage(stage)
        given: dict[str, object] = {}
        for each in cls.params():
            names = [flag.key for flag in each.flags if flag.stage == side]
            found = [name for name in names if name in flags]
            if found:
                given[each.name] = flags[found[0]]
        if not given:
            return None
        neutral = {each.name: each.neutral for each in cls.params() if each.neutral is not MISSING}
        made = cls.from_mapping({**neutral, **given})
        return None if made.is_neutral() else made

    @classmethod
    def retry(cls, chain: Sequence[Sampler]) -> tuple[str, list[Sampler]] | None:
        """The chain that a bad take is tried again with on behalf of this sampler; None: it has nothing to offer.

        What samplers offer is tried in the reverse of the canonical order, after another try with the chain as it is.

        Args:
            chain: the transforms that made the take, in order; the token was drawn from what they left.

        Returns:
            A name for the record, and the members of the whole chain.
        """
        return None
