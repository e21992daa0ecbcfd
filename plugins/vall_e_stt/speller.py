"""Spellers: from the phonemes that a model hears to written words.

Importing this imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol, cast, runtime_checkable

from vall_e_core import BuildContext, Component, PluginError, UsageError, plugin_code

if TYPE_CHECKING:
    from vall_e_core import Registry

AUTO, NONE = "auto", "none"


class Speller(Component):
    """Writes in a language's own spelling what was heard as IPA phonemes, for `stt --spell NAME`."""

    kind = "speller"
    languages: ClassVar[frozenset[str]] = frozenset()
    """The language codes that it writes; `en` covers `en-us` and `en-gb` too."""

    @classmethod
    def serves(cls, language: str) -> bool:
        """Whether it writes a language such as `en` or `en-us`."""
        code = language.strip().lower().replace("_", "-")
        return code in cls.languages or code.partition("-")[0] in cls.languages

    if TYPE_CHECKING:

        def build(self, ctx: BuildContext) -> SpellerModel: ...


@runtime_checkable
class SpellerModel(Protocol):
    """A built speller."""

    def spell(self, pieces: Sequence[str], language: str) -> list[str]:
        """The text of each piece of IPA, in order.

        The pieces are parts of one recording, cut at quiet places: a sentence may go on in the next one. A piece
        without phonemes has an empty text. The time grows with the length of the pieces and no faster, whatever is in
        them, and the text depends on the pieces alone.
        """
        ...


def find_speller(registry: Registry, spec: str, language: str) -> Speller | None:
    """The speller for a language, None where nothing is to be spelled.

    Args:
        registry: The installed plugins.
        spec: `NAME[:k=v,…]`; `auto` for the first that writes the language, if there is one; or `none`.
        language: What is spoken.

    Raises:
        UsageError: for an unknown speller, or one that doesn't write the language.
    """
    known = registry.all(Speller)
    name, _, values = spec.partition(":")
    name = name.strip()
    if name == NONE:
        return None
    if name == AUTO:
        return next((each() for each in known.values() if each.serves(language)), None)
    found = cast("type[Speller]", registry.get(Speller.kind, name)).from_spec(values)
    if not found.serves(language):
        written = ", ".join(sorted(found.languages))
        others = [other for other, each in known.items() if each.serves(language)]
        raise UsageError(
            f"the speller {name} doesn't write the language {language}", cause=f"it writes: {written}",
            try_=f"--spell {others[0]}" if others else "leave --spell out: the phonemes are shown as they are",
        )  # fmt: skip
    return found


def spelled(registry: Registry, speller: Speller, pieces: Sequence[str], language: str) -> list[str]:
    """The text of each piece. Raises PluginError where the speller fails, or gives something else than texts."""
    ctx = BuildContext(owner=registry.owner)
    with plugin_code(speller, "spell", ctx):
        found = speller.build(ctx).spell(pieces, language)
    if not isinstance(found, list) or len(found) != len(pieces) or not all(isinstance(each, str) for each in found):
        raise PluginError(
            f"the speller {speller.name} gave no text for each of {len(pieces)} pieces", cause=f"it gave {found!r:.80}"
        )
    return found
