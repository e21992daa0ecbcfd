"""The espeak-ng library in memory, through the phonemizer package's backend: one instance per voice."""

from __future__ import annotations

import logging
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any

from vall_e_core import PluginError

from .library import Library, short_data_path
from .scratch import scratch

_loading = threading.Lock()
"""The phonemizer package keeps the library's path in class attributes."""


class Loaded:
    """A library and what was made with it. Calls into it take turns under `lock`."""

    def __init__(self, library: Library) -> None:
        """Raises PluginError."""
        self.library = library
        self.lock = threading.Lock()
        self._data = short_data_path(library.data)
        self._backends: dict[str, Any] = {}
        with self._package() as espeak:
            self.voices: tuple[str, ...] = tuple(espeak.supported_languages())

    def backend(self, voice: str) -> Any:  # noqa: ANN401 - an untyped package's class
        """What reads text in a voice; made when it is first asked for, under `lock`. Raises PluginError."""
        if voice not in self._backends:
            with self._package() as espeak:
                self._backends[voice] = espeak(
                    voice,
                    punctuation_marks=re.compile("(?!)"),  # nothing: marks are cut out by us
                    with_stress=True,
                    language_switch="remove-flags",
                    words_mismatch="ignore",
                    logger=_quiet_logger(),
                )
        return self._backends[voice]

    @contextmanager
    def _package(self) -> Iterator[Any]:
        """The backend class, told which library to load for as long as the block lasts. Raises PluginError.

        It copies the library before it loads it: into our folder, which is found again if the process is killed.
        """
        from phonemizer.backend.espeak import api
        from phonemizer.backend.espeak.espeak import EspeakBackend
        from phonemizer.backend.espeak.wrapper import EspeakWrapper

        with _loading:
            before = EspeakWrapper._ESPEAK_LIBRARY, EspeakWrapper._ESPEAK_DATA_PATH
            EspeakWrapper.set_library(str(self.library.path))
            EspeakWrapper.set_data_path(str(self._data))
            api.tempfile = SimpleNamespace(mkdtemp=lambda: tempfile.mkdtemp(dir=scratch()))
            try:
                yield EspeakBackend
            except RuntimeError as error:
                where = f"{self.library.path} ({self.library.source}), data in {self.library.data}"
                raise PluginError(f"espeak-ng can't be loaded: {where}", cause=str(error)) from error
            finally:
                api.tempfile = tempfile
                EspeakWrapper.set_library(before[0])
                EspeakWrapper.set_data_path(before[1])


@cache
def loaded(library: Library) -> Loaded:
    """A library, once a process: whoever loads it anew leaves the last one's memory behind. Raises PluginError."""
    return Loaded(library)


def _quiet_logger() -> logging.Logger:
    """The package announces itself and every language switch; neither is news to our user."""
    logger = logging.getLogger("vall_e.espeak")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger
