"""A model with its codec, loaded once on a device: what speaking and transcribing share."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vall_e_core import BuildContext
from vall_e_text import language_base

from .device import (
    Device,
    check_threads,
    choose_device,
    require_own_process,
    set_library_defaults,
    suitable_threads,
    torch_state,
)
from .engines import EAGER, adopt_engine, choose_engine
from .loading import ModelPlace, build_codec, check_codec, find_model, learnt_languages
from .options import ModelOptions, parse_overrides

if TYPE_CHECKING:
    from typing_extensions import Self

    from vall_e_core import CodecModel, Registry

    from .checkpoint import Loaded


def _silent(line: str) -> None:
    """Nobody listens."""


class Runtime:
    """A loaded model, its codec and the plugins that were found.

    Nothing here is global: several can live side by side, and calls of one don't depend on each other.
    """

    def __init__(
        self,
        registry: Registry,
        loaded: Loaded,
        codec: CodecModel,
        device: Device,
        *,
        options: ModelOptions,
        place: ModelPlace,
        codec_spec: str,
        threads: int | None = None,
        load_seconds: float = 0.0,
        notify: Callable[[str], None] = _silent,
        engine: str = EAGER,
        languages: Iterable[str] = (),
    ) -> None:
        self.registry = registry
        self.loaded = loaded
        self.codec = codec
        self.device = device
        self.options = options
        self.place = place
        self.codec_spec = codec_spec
        self.threads = threads
        self.load_seconds = load_seconds
        self.notify = notify
        self.languages = frozenset(languages)
        """The language codes that the model was trained on; empty where that isn't known."""
        self._process = os.getpid()
        self.engine = engine
        """The name of what runs the model's layers."""

    @classmethod
    def load(
        cls,
        model: str | Path | None = None,
        *,
        options: ModelOptions | None = None,
        registry: Registry | None = None,
        notify: Callable[[str], None] = _silent,
        **settings: Any,  # noqa: ANN401 - ModelOptions' own fields
    ) -> Self:
        """Read a model and build its codec.

        Args:
            model: a checkpoint, or a known model's name; the embedded voice if None.
            options: everything about the model; `settings` are fields of it (`device="cuda"`, `codec="encodec"`, ...).
            registry: the plugins to use, instead of those installed.
            notify: takes one-line notices.

        Raises ModelError (a file that is missing or isn't a model), DeviceError, UsageError.
        """
        given = ModelOptions() if options is None else options
        if model is not None:
            settings["model"] = str(model)
        from .keywords import with_fields

        chosen = with_fields(given, settings, "load")
        plugins = _installed() if registry is None else registry
        with plugins.blaming():
            place = find_model(plugins, chosen)
            set_library_defaults()
            with torch_state(chosen.threads):
                return cls._load(plugins, chosen, place, notify)

    @classmethod
    def _load(
        cls, plugins: Registry, chosen: ModelOptions, place: ModelPlace, notify: Callable[[str], None]
    ) -> Self:
        import torch

        from .checkpoint import load_model

        began = time.perf_counter()
        device = choose_device(chosen.device)
        engine = choose_engine(plugins, chosen, device.name)
        check_threads(chosen.threads, notify)
        loaded = load_model(
            place.path, yaml=place.yaml, lora=chosen.lora, overrides=parse_overrides(chosen.set),
            allow_pickle=chosen.allow_pickle, tokenizer=chosen.tokenizer, device=device.name, dtype=chosen.dtype,
        )  # fmt: skip
        threads = chosen.threads or suitable_threads(loaded.config.width, device.name) or torch.get_num_threads()
        spec = loaded.codec if chosen.codec is None else chosen.codec
        context = BuildContext(
            device.name, chosen.dtype, threads=threads, notify=notify, quantize=chosen.quantize, component=plugins.get
        )
        codec = build_codec(plugins, spec, context, named=chosen.codec is not None, loaded=loaded)
        check_codec(codec, loaded)
        running = adopt_engine(engine, loaded, context, chosen)
        return cls(
            plugins, loaded, codec, device, options=chosen, place=place, codec_spec=spec, threads=threads,
            load_seconds=time.perf_counter() - began, notify=notify, engine=running,
            languages=learnt_languages(plugins, loaded, place),
        )  # fmt: skip

    def not_learnt(self, language: str) -> str | None:
        """A clause that says so where the model is known not to have been trained on a language; else None."""
        if not self.languages or language_base(language) in map(language_base, self.languages):
            return None
        return f"the model was trained only on {', '.join(sorted(self.languages))}"

    @contextmanager
    def ready(self) -> Iterator[None]:
        """For the time of a call: this is the process that loaded, torch is as the model needs it, and what a plugin's
        code raises is a PluginError."""
        require_own_process(self._process, self.device.name)
        with self.registry.blaming(), torch_state(self.threads):
            yield


def _installed() -> Registry:
    from vall_e_core import Registry

    return Registry.load()
