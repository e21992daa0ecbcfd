"""What chooses the token: `multinomial` and `greedy`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from vall_e_core import BuildContext, Sampler, hookimpl

if TYPE_CHECKING:
    from typing_extensions import Self

    from vall_e_core.sampling import Selector


class Multinomial(Sampler):
    """Draw a token from the softmax of the logits. The default.

    The draw inverts the cumulated distribution at a number that depends only on the seed, the utterance and the
    step: the same utterance gets the same draws in any batch.
    """

    name = "multinomial"
    role = "selector"
    place = "selection"
    default = True
    invariances = frozenset({"compact"})

    def build(self, ctx: BuildContext) -> Selector:
        """Return the selector."""
        from .select import MultinomialSelector

        return MultinomialSelector()


class Greedy(Sampler):
    """Take the most probable token, the lowest id among ties. This is what a temperature of 0 means."""

    name = "greedy"
    role = "selector"
    place = "selection"
    invariances = frozenset({"argmax", "shift", "deterministic", "compact"})

    @classmethod
    def from_flags(cls, flags: Mapping[str, object], stage: str) -> Self | None:
        """Greedy where the stage's temperature flag is 0."""
        from vall_e_core import ComponentError

        flag = "nar-temp" if stage == "nar" else "ar-temp"
        if flag not in flags:
            return None
        try:
            temperature = float(str(flags[flag]))
        except ValueError as error:
            raise ComponentError(f"--{flag}: expected a number, found {flags[flag]!r}") from error
        return cls() if temperature == 0 else None

    def build(self, ctx: BuildContext) -> Selector:
        """Return the selector."""
        from vall_e_core.sampling import GreedySelector

        return GreedySelector()


@hookimpl
def vall_e_samplers() -> Iterable[type[Sampler]]:
    """The samplers of this package."""
    return [Multinomial, Greedy]
