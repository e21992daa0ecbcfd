"""YAML from elsewhere, in bounded time and memory: no aliases that multiply, no nesting without end, no floods."""

from __future__ import annotations

from typing import Any

MOST_NODES = 200_000
"""Values of a document, aliases counted as what they stand for; 64 characters of a text count as one more."""
DEEPEST = 60


def check_plain(text: str) -> None:
    """Raises ValueError for a document that would become much more than what is written. Syntax is the loader's."""
    import yaml

    total, depth = 0, 0
    sizes: dict[str | None, int | None] = {}
    open_: list[tuple[str | None, int]] = []
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if isinstance(event, yaml.AliasEvent):
            size = sizes.get(event.anchor, 0)
            if size is None:
                raise ValueError(f"the anchor {str(event.anchor)[:40]!r} holds itself")
            total += max(1, size)
        elif isinstance(event, yaml.ScalarEvent):
            size = 1 + len(event.value) // 64
            total += size
            if event.anchor is not None:
                sizes[event.anchor] = size
        elif isinstance(event, yaml.CollectionStartEvent):
            open_.append((event.anchor, total))
            if event.anchor is not None:
                sizes[event.anchor] = None
            depth += 1
            total += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_.pop()
            if anchor is not None:
                sizes[anchor] = total - before
            depth -= 1
        if depth > DEEPEST:
            raise ValueError(f"it is nested more than {DEEPEST} levels deep")
        if total > MOST_NODES:
            raise ValueError(f"it expands to more than {MOST_NODES} values")


def load_plain(text: str, loader: Any) -> Any:  # noqa: ANN401 - whatever a document holds
    """`yaml.load` with `loader`, of a document that was checked. Raises ValueError, yaml.YAMLError."""
    import yaml

    check_plain(text)
    return yaml.load(text, loader)
