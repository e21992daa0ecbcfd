"""`param()`: the declaration of one parameter, and what is known about it afterwards."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from .values import ValueType


class _Missing:
    """The type of `MISSING`."""

    def __repr__(self) -> str:
        return "MISSING"

    def __reduce__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
"""No value was given; None is a value."""


@dataclass(frozen=True)
class Flag:
    """A plain task flag that sets a sampler's parameter, such as `--ar-temp`."""

    name: str
    aliases: tuple[str, ...] = ()
    stage: Literal["ar", "nar"] = "ar"
    help: str | None = None

    @property
    def key(self) -> str:
        """The name without dashes in front: the key in a YAML file."""
        return self.name.lstrip("-")


@dataclass(frozen=True)
class Param:
    """One parameter of a component."""

    name: str
    type: ValueType
    default: object
    help: str
    primary: bool = False
    min: float | None = None
    max: float | None = None
    exclusive_min: bool = False
    choices: tuple[object, ...] | None = None
    neutral: object = MISSING
    unit: str | None = None
    flags: tuple[Flag, ...] = ()
    aliases: tuple[str, ...] = ()
    metavar: str | None = None
    positional: bool = False
    multiple: bool = False
    hidden: bool = False
    former: Mapping[str, str] = field(default_factory=dict)
    complete: str | None = None

    @classmethod
    def of(cls, field: dataclasses.Field[Any], annotation: Any) -> Param:  # noqa: ANN401 - an annotation
        """What `param()` declared. Raises TypeError if the field isn't from `param()` or its type is unsupported."""
        declared = field.metadata.get("vall_e")
        if declared is None:
            raise TypeError(f"field {field.name!r} isn't declared with param()")
        try:
            kind = ValueType.of(annotation)
        except TypeError as error:
            raise TypeError(f"field {field.name!r}: {error}") from None
        choices = kind.choices if declared["choices"] is None else declared["choices"]
        default: object = MISSING
        if field.default is not dataclasses.MISSING:
            default = field.default
        elif field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        return cls(field.name, kind, default, **{**declared, "choices": choices})

    @property
    def key(self) -> str:
        """The name with dashes, as flags, YAML and specs spell it."""
        return self.name.replace("_", "-")

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is MISSING

    def check(self, value: object) -> object:
        """`value` as this parameter's type and within its range. Raises ValueError."""
        if self.multiple and isinstance(value, str):
            value = (value,)  # each item is given by itself, so a file's name may hold a +
        found = self.type.coerce(value)
        for item in found.values() if isinstance(found, Mapping) else found if isinstance(found, tuple) else (found,):
            if item is not None:
                self._check_scalar(item)
        return found

    def _check_scalar(self, item: object) -> None:
        if self.choices is not None and item not in self.choices:
            from .errors import did_you_mean

            known = [str(choice) for choice in self.choices]
            near = did_you_mean(str(item), known)
            hint = f"; did you mean {near}?" if near is not None else ""
            raise ValueError(f"{item!r} is none of {', '.join(known)}{hint}")
        if isinstance(item, bool) or not isinstance(item, (int, float)):
            return
        if math.isinf(item) and item not in (self.min, self.max):
            raise ValueError("must be finite")
        if self.min is not None and (item < self.min or (self.exclusive_min and item == self.min)):
            raise ValueError(f"must be {'above' if self.exclusive_min else 'at least'} {self.min:g}, not {item:g}")
        if self.max is not None and item > self.max:
            raise ValueError(f"must be at most {self.max:g}, not {item:g}")

    def plain(self, value: object) -> object:
        """`value` in types that JSON and YAML hold; infinity as text, which JSON lacks."""
        if isinstance(value, tuple):
            return [self.plain(item) for item in value]
        if isinstance(value, Mapping):
            return {key: self.plain(item) for key, item in value.items()}
        infinite = isinstance(value, float) and math.isinf(value)
        return str(value) if infinite or isinstance(value, Path) else value

    def placeholder(self) -> str:
        """What stands for a value in help."""
        if self.metavar is not None:
            return self.metavar
        if self.choices is not None and self.type.form == "scalar":
            return f"[{'|'.join(map(str, self.choices))}]"
        return self.type.metavar()

    def describe(self) -> str:
        """The help text, with the unit."""
        return f"{self.help} [{self.unit}]" if self.unit is not None else self.help


def param(
    default: Any = MISSING,  # noqa: ANN401 - of the field's own type
    *,
    help: str,
    primary: bool = False,
    min: float | None = None,
    max: float | None = None,
    exclusive_min: bool = False,
    choices: Sequence[object] | None = None,
    neutral: Any = MISSING,  # noqa: ANN401 - of the field's own type
    unit: str | None = None,
    flags: tuple[Flag, ...] = (),
    aliases: tuple[str, ...] = (),
    metavar: str | None = None,
    positional: bool = False,
    multiple: bool = False,
    hidden: bool = False,
    former: Mapping[str, str] | None = None,
    complete: str | None = None,
) -> Any:  # noqa: ANN401 - stands for a value of the field's type, as dataclasses.field does
    """A field of a component.

    Args:
        default: the value a bare component has; without one the parameter is required.
        help: one sentence, in lower case, without a full stop.
        primary: it is what `NAME:VALUE` sets; at most one per component.
        min, max, exclusive_min: the range allowed, ends included unless `exclusive_min`. Infinity must be an end.
        choices: the values allowed.
        neutral: the value that changes nothing.
        unit: shown in help, such as `s` or `frames`.
        flags: the plain task flags that set a sampler's parameter.
        aliases: alternative spellings of a task's option (`--max-duration`).
        metavar: the placeholder in a task's help.
        positional: a task's argument instead of an option; `multiple`: it may be given several times.
        hidden: leave it out of help.
        former: keys of options that it replaced, and what to write instead; the error message says so.
        complete: `module:function` that lists what the shell may complete a value to.
    """
    declared = {
        "help": help, "primary": primary, "min": min, "max": max, "exclusive_min": exclusive_min,
        "choices": None if choices is None else tuple(choices), "neutral": neutral, "unit": unit, "flags": flags,
        "aliases": aliases, "metavar": metavar, "positional": positional, "multiple": multiple, "hidden": hidden,
        "former": former or {}, "complete": complete,
    }  # fmt: skip
    metadata = {"vall_e": declared}
    if default is MISSING:
        return dataclasses.field(metadata=metadata)
    if isinstance(default, (dict, list)):
        kept = default
        return dataclasses.field(default_factory=lambda: type(kept)(kept), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)
