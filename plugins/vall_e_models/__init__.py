"""The published models that are known, and `vall-e models`: the only command that touches the network."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar
from urllib.parse import urlsplit

from vall_e_core import LazyCommand, ModelSource, hookimpl
from vall_e_files import cached_model

REGISTRY = Path(__file__).with_name("registry.json")


class PublishedModel(ModelSource):
    """One file that somebody has published; each entry of the registry becomes a class below this."""

    file: ClassVar[str] = ""
    """Its name in the cache."""
    purpose: ClassVar[str] = "checkpoint"
    """`checkpoint`, or `codec`: weights that a codec reads by itself."""
    page: ClassVar[str] = ""
    """Where its publisher describes it."""

    def path(self, cache_dir: Path | None) -> Path | None:
        """The downloaded file, or None."""
        found = download_place(type(self), cache_dir)
        return found if found.is_file() else None


def download_place(source: type[ModelSource], cache_dir: Path | None = None) -> Path:
    """Where a model's download goes. A model of another plugin keeps the file name of its address."""
    file = source.file if issubclass(source, PublishedModel) else PurePosixPath(urlsplit(source.url or "").path).name
    return cached_model(source.name, file, cache_dir)


def published(registry: Path = REGISTRY) -> list[type[ModelSource]]:
    """A class for each model of a registry file."""
    return [_made(entry) for entry in json.loads(registry.read_text("utf-8"))["models"]]


def _made(entry: Mapping[str, Any]) -> type[PublishedModel]:
    members = {
        "__doc__": f"{entry['title']}.",
        "__module__": __name__,
        "name": entry["name"],
        "title": entry["title"],
        "license": entry["license"],
        "purpose": entry["kind"],
        "page": entry["page"],
        "url": entry["url"],
        "file": entry["file"],
        "sha256": entry["sha256"],
        "size": entry["size"],
    }
    return type("Published" + entry["name"].title().replace("-", ""), (PublishedModel,), members)


@hookimpl
def vall_e_models() -> Iterable[type[ModelSource]]:
    """The registry's models."""
    return published()


@hookimpl
def vall_e_commands() -> Iterable[LazyCommand]:
    """The command `models`."""
    return [LazyCommand("models", "list, download and verify models", "vall_e_models.commands:models")]
