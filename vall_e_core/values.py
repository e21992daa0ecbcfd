"""The types a parameter may have, and how text or YAML becomes a value of them.

A parameter's annotation is one of `bool`, `int`, `float`, `str`, `Path`, a `Literal` of strings or numbers, a list
(`tuple[X, ...]` or `Sequence[X]`), a map (`Mapping[K, V]`), or any of these `| None`. As text, a list's items are
joined by `+` (`3+7`) and a map's entries are `key@value` joined by `+` (`1024@-2.5+7@1`); nothing is an empty one.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal

Form = Literal["scalar", "list", "map"]
_SCALARS = (bool, int, float, str, Path)
_TRUE, _FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path"}


@dataclass(frozen=True)
class ValueType:
    """One annotation, understood. `item` is the scalar's type, the list's item type or the map's value type."""

    form: Form
    item: type
    key: type | None = None
    optional: bool = False
    choices: tuple[object, ...] | None = None

    @classmethod
    def of(cls, annotation: Any) -> ValueType:  # noqa: ANN401 - an annotation has no type of its own
        """Understand an annotation. Raises TypeError where it is none of the supported ones."""
        origin, args = typing.get_origin(annotation), typing.get_args(annotation)
        if origin in (typing.Union, types.UnionType):
            rest = [arg for arg in args if arg is not type(None)]
            if len(rest) != 1 or len(rest) == len(args):
                raise TypeError(f"unsupported parameter type {annotation}: a union may only add None")
            inner = cls.of(rest[0])
            return cls(inner.form, inner.item, inner.key, True, inner.choices)
        if origin is Literal:
            kinds = {type(arg) for arg in args}
            if len(kinds) != 1 or not kinds <= {str, int, float}:
                raise TypeError(f"unsupported parameter type {annotation}: a Literal of strings or of numbers")
            return cls("scalar", kinds.pop(), choices=args)
        if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
            return cls("list", cls._scalar(args[0], annotation))
        if origin in (Sequence, list) and len(args) == 1:
            return cls("list", cls._scalar(args[0], annotation))
        if origin in (Mapping, dict) and len(args) == 2:
            return cls("map", cls._scalar(args[1], annotation), key=cls._scalar(args[0], annotation))
        return cls("scalar", cls._scalar(annotation, annotation))

    @staticmethod
    def _scalar(annotation: Any, whole: Any) -> type:  # noqa: ANN401 - an annotation
        if annotation in _SCALARS:
            return typing.cast(type, annotation)
        raise TypeError(f"unsupported parameter type {whole}")

    def coerce(self, value: object) -> object:
        """`value` (text, or anything YAML or Python may hold) as this type. Raises ValueError with what is expected."""
        if value is None or (isinstance(value, str) and self.optional and value.lower() in ("none", "null")):
            if self.optional:
                return None
            raise ValueError(f"expected {self.describe()}, found nothing")
        if self.form != "scalar" and isinstance(value, str) and not value.strip():
            return () if self.form == "list" else {}
        if self.form == "list":
            parts = value.split("+") if isinstance(value, str) else value
            if not isinstance(parts, Sequence):
                parts = [parts]
            return tuple(_scalar(part, self.item) for part in parts)
        if self.form == "map":
            return self._map(value)
        return _scalar(value, self.item)

    def _map(self, value: object) -> dict[object, object]:
        found: dict[object, object] = {}
        for written, item in self._pairs(value):
            key = _scalar(written, str if self.key is None else self.key)
            if key in found:
                raise ValueError(f"{key} is given twice")
            found[key] = _scalar(item, self.item)
        return found

    def _pairs(self, value: object) -> list[tuple[object, object]]:
        if isinstance(value, Mapping):
            return list(value.items())
        if not isinstance(value, str):
            raise ValueError(f"expected {self.describe()}, found {value!r}")
        pairs: list[tuple[object, object]] = []
        for part in value.split("+"):
            key, at, item = part.partition("@")
            if not at:
                raise ValueError(f"expected key@value, found {part!r}")
            pairs.append((key, item))
        return pairs

    def format(self, value: object) -> str:
        """The text that `coerce` reads back as `value`."""
        if value is None:
            return "none"
        if isinstance(value, Mapping):
            return "+".join(f"{_text(key)}@{_text(item)}" for key, item in value.items())
        if isinstance(value, tuple):
            return "+".join(_text(item) for item in value)
        return _text(value)

    def describe(self) -> str:
        """What is expected, for a message: "a whole number", "a list of numbers joined by +", …"""
        word = _WORDS[self.item]
        if self.choices is not None:
            word = "one of " + ", ".join(str(choice) for choice in self.choices)
        if self.form == "list":
            return f"a list (each {word}, joined by +)"
        if self.form == "map":
            return f"a map (key@value joined by +, each value {word})"
        return word

    def metavar(self) -> str:
        """A short placeholder for help texts."""
        word = {bool: "BOOL", int: "INT", float: "NUMBER", str: "TEXT", Path: "PATH"}[self.item]
        return {"scalar": word, "list": f"{word}+…", "map": f"KEY@{word}+…"}[self.form]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value).replace("e+", "e") if isinstance(value, float) else str(value)  # + joins lists


def _scalar(value: object, wanted: type) -> object:
    """One scalar; text is parsed, numbers are widened but never cut, a bool is no number."""
    is_text = isinstance(value, str) and wanted is not str
    result = _from_text(str(value).strip(), wanted) if is_text else _plain(value, wanted)
    if result is None:
        raise ValueError(f"expected {_WORDS[wanted]}, found {value!r}")
    if isinstance(result, float) and math.isnan(result):
        raise ValueError("expected a number, found nan")
    if isinstance(result, Path) and "\0" in str(result):
        raise ValueError("a path can't hold a NUL character")
    return result


def _from_text(text: str, wanted: type) -> object:
    if wanted is bool:
        word = text.lower()
        return True if word in _TRUE else False if word in _FALSE else None
    if wanted is Path:
        return _at_home(text) if text else None
    try:
        return int(text) if wanted is int else float(text)
    except ValueError:
        return None


def _at_home(text: str) -> Path:
    """A path, `~` in front being the user's folder: no shell has seen what stands in a file."""
    try:
        return Path(text).expanduser()
    except RuntimeError:  # no such user, or no folder of theirs
        return Path(text)


def _plain(value: object, wanted: type) -> object:
    if wanted is bool:
        return value if isinstance(value, bool) else None
    if isinstance(value, bool):
        return None
    if wanted is int:
        if isinstance(value, float) and value.is_integer():
            return int(value)
        return int(value) if isinstance(value, Integral) else None
    if wanted is float:
        try:
            return float(value) if isinstance(value, Real) else None
        except OverflowError:
            return None
    if wanted is Path:
        return value if isinstance(value, Path) else None
    return str(value) if isinstance(value, (str, int, float)) else None
