"""The hooks a plugin may implement (`docs/hooks.md` has an example of each).

A plugin is a module named by an entry point of the group `vall_e`. Each hook takes nothing and returns component
classes. Plugin order never changes results. The module imports only the standard library and `vall_e_core`.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from .component import Component
from .kinds import (
    KINDS,
    Codec,
    Engine,
    LazyCommand,
    LazyTask,
    ModelSource,
    Normalizer,
    Phonemizer,
    Sampler,
    Scorer,
    Task,
    Voice,
)  # fmt: skip

PROJECT = "vall_e"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class HookSpecs:
    """The specifications themselves: signatures and documentation, no behavior."""

    @hookspec
    def vall_e_samplers(self) -> Iterable[type[Sampler]]:
        """Members of the sampling chain."""
        raise NotImplementedError

    @hookspec
    def vall_e_codecs(self) -> Iterable[type[Codec]]:
        """Neural audio codecs."""
        raise NotImplementedError

    @hookspec
    def vall_e_phonemizers(self) -> Iterable[type[Phonemizer]]:
        """Text to phonemes."""
        raise NotImplementedError

    @hookspec
    def vall_e_normalizers(self) -> Iterable[type[Normalizer]]:
        """Written words to spoken ones."""
        raise NotImplementedError

    @hookspec
    def vall_e_tasks(self) -> Iterable[type[Task] | LazyTask]:
        """Tasks; each becomes a subcommand. A `LazyTask` is imported when it is used."""
        raise NotImplementedError

    @hookspec
    def vall_e_commands(self) -> Iterable[LazyCommand]:
        """Further subcommands, written with click and imported when used."""
        raise NotImplementedError

    @hookspec
    def vall_e_models(self) -> Iterable[type[ModelSource]]:
        """Known checkpoints."""
        raise NotImplementedError

    @hookspec
    def vall_e_voices(self) -> Iterable[type[Voice]]:
        """Packaged reference voices."""
        raise NotImplementedError

    @hookspec
    def vall_e_scorers(self) -> Iterable[type[Scorer]]:
        """Judges of a finished take."""
        raise NotImplementedError

    @hookspec
    def vall_e_engines(self) -> Iterable[type[Engine]]:
        """Ways to run a model's layers."""
        raise NotImplementedError

    @hookspec
    def vall_e_kinds(self) -> Iterable[type[Component]]:
        """Further kinds of component. A kind called `judge` is brought by plugins through the hook `vall_e_judges`."""
        raise NotImplementedError


KIND_HOOK = "vall_e_kinds"
HOOKS: dict[str, str] = {f"vall_e_{kind}s": kind for kind in (*KINDS, "command")}
"""Each of the core's hooks that returns components, and their kind."""


def specification(hook: str) -> type:
    """A hook's specification, for a kind that isn't the core's own."""

    def spec(self: object) -> Iterable[type[Component]]:
        raise NotImplementedError

    spec.__name__ = hook
    return type("HookSpecs", (), {hook: hookspec(spec)})
