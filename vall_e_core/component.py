"""Components: a frozen dataclass whose fields are its parameters.

    @dataclass(frozen=True)
    class TopK(Sampler):
        \"\"\"Keep the k most probable tokens.\"\"\"

        name = "top-k"
        k: int = param(40, primary=True, min=0, neutral=0, help="how many tokens to keep; 0 keeps all")

        def build(self, ctx: BuildContext) -> Transform:
            from .top_k import TopKTransform

            return TopKTransform(self.k)

Flags, help, YAML keys, messages, JSON Schema and documentation all come from this one declaration. A component is
validated whenever it is made. Importing a module that declares components imports nothing heavy: `build` does that.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from .errors import ComponentError, suggestion
from .owners import Owner, owner_by_module
from .parameters import MISSING, Flag, Param, param

if TYPE_CHECKING:
    from typing_extensions import Self


__all__ = ["MISSING", "BuildContext", "Component", "Flag", "Param", "param"]


def _silent(line: str) -> None:
    """The default of `BuildContext.notify`: ignores the message."""


@dataclass(frozen=True)
class BuildContext:
    """What `build` may need. Everything but the device is optional."""

    device: str = "cpu"
    dtype: str = "float32"
    offline: bool = True
    cache_dir: Path | None = None
    threads: int | None = None
    vocab_size: int | None = None
    stop_token: int | None = None
    frame_rate: float | None = None
    stage: str = "ar"
    notify: Callable[[str], None] = _silent
    """Takes one-line notices to the user."""
    quantize: str = "none"
    """The quantization for an engine: `none`, `int8` or `int4`."""
    component: Callable[[str, str], type[Component]] | None = None
    """Finds a component by kind and name; by default, among the installed ones."""

    owner: Callable[[type[Component]], Owner] | None = None
    """Tells which plugin owns a component; by default, from its module."""

    engine: Any = None
    """The loaded model (`vall_e_lm.Runtime`), for scorers and judges; None if there is none."""
    sentences: tuple[str, ...] = ()
    """The closed set of sentences, for a judge that identifies one of them."""

    def owner_of(self, component: type[Component]) -> Owner:
        """The owner of a component, for messages."""
        return owner_by_module(component) if self.owner is None else self.owner(component)

    def find(self, kind: str, name: str) -> type[Component]:
        """Another component, for one that builds on it (such as a decoder on an encoder). Raises UsageError."""
        if self.component is not None:
            return self.component(kind, name)
        from .plugins.registry import Registry

        return Registry.load().get(kind, name)


@dataclass(frozen=True, eq=False, repr=False)
class Component:
    """Base of everything a plugin brings. Subclass one of the kinds below, not this.

    It compares and shows itself, so a class with dozens of fields may say `eq=False, repr=False`: every command is
    sooner there.
    """

    kind: ClassVar[str] = ""
    name: ClassVar[str] = ""
    examples: ClassVar[Sequence[Mapping[str, object]]] = ()
    """Parameters that the contract suite tries beside the defaults; needed where a parameter has no default."""

    def __post_init__(self) -> None:
        """Check every field. Raises ComponentError."""
        for parameter in self.params():
            try:
                value = parameter.check(getattr(self, parameter.name))
            except ValueError as error:
                raise ComponentError(f"{self.name}: {parameter.key}: {error}") from error
            object.__setattr__(self, parameter.name, value)
        try:
            self.check()
        except ValueError as error:
            raise ComponentError(f"{self.name}: {error}") from error

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        shown = (f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr)
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def _values(self) -> tuple[object, ...]:
        return tuple(getattr(self, field.name) for field in dataclasses.fields(self))

    def check(self) -> None:
        """Override it for rules between parameters: raise ValueError with a sentence that says what is wrong."""

    @classmethod
    def params(cls) -> tuple[Param, ...]:
        """The parameters in order of declaration. Raises TypeError if a declaration is malformed."""
        cached = cls.__dict__.get("_params")
        if cached is None:
            fields = dataclasses.fields(cls)
            hints = typing.get_type_hints(cls) if fields else {}
            cached = tuple(Param.of(field, hints[field.name]) for field in fields)
            type.__setattr__(cls, "_params", cached)
        return typing.cast("tuple[Param, ...]", cached)

    @classmethod
    def param(cls, key: str) -> Param | None:
        """The parameter of that name, in either spelling (`allowed-length`, `allowed_length`)."""
        name = key.replace("-", "_")
        return next((parameter for parameter in cls.params() if parameter.name == name), None)

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> Self:
        """An instance from keys and values, as YAML or JSON holds them. Raises ComponentError."""
        known: dict[str, object] = {}
        for key, value in values.items():
            parameter = cls.param(str(key))
            if parameter is None:
                hint = suggestion(str(key), [each.key for each in cls.params()])
                raise ComponentError(
                    f"{cls.name} has no parameter {str(key)!r}", try_=hint or f"{cls.name} takes no parameters"
                )
            if parameter.name in known:
                raise ComponentError(f"{cls.name}: {parameter.key} is given twice")
            known[parameter.name] = value
        missing = [each.key for each in cls.params() if each.required and each.name not in known]
        if missing:
            raise ComponentError(f"{cls.name} needs {', '.join(missing)}", try_=f"{cls.name}:{missing[0]}=…")
        return cls(**known)

    @classmethod
    def from_spec(cls, text: str) -> Self:
        """From what follows the colon in `NAME:…`: `0.9`, `p=0.9`, or `0.8,base=2`. Raises ComponentError."""
        values: dict[str, object] = {}
        for position, part in enumerate(text.split(",") if text.strip() else []):
            key, equals, value = part.partition("=")
            if not equals:
                primary = next((each for each in cls.params() if each.primary), None)
                if primary is None or position > 0:
                    raise ComponentError(
                        f"{cls.name}: expected key=value, found {part.strip()!r}",
                        try_=f"one of: {', '.join(each.key for each in cls.params())}"
                        if cls.params()
                        else f"{cls.name} takes no parameters",
                    )
                key, value = primary.key, part
            key = key.strip()
            if key in values:
                raise ComponentError(f"{cls.name}: {key} is given twice")
            values[key] = value.strip()
        return cls.from_mapping(values)

    def to_mapping(self) -> dict[str, object]:
        """What `from_mapping` makes an equal instance from; only types that YAML and JSON hold."""
        return {each.key: each.plain(getattr(self, each.name)) for each in self.params()}

    def to_spec(self) -> str:
        """`NAME:k=v,…`: what `--sampler` takes for an equal instance; values that equal their defaults are left out."""
        given = [
            f"{each.key}={each.type.format(getattr(self, each.name))}"
            for each in self.params()
            if each.required or getattr(self, each.name) != each.default
        ]
        return f"{self.name}:{','.join(given)}" if given else self.name

    @classmethod
    def summary(cls) -> str:
        """The first paragraph of the class's docstring, on one line."""
        text = cls.__dict__.get("__doc__") or ""
        if text.startswith(f"{cls.__name__}("):  # what dataclass writes when there is no docstring
            return ""
        return " ".join(text.strip().split("\n\n")[0].split())

    def build(self, ctx: BuildContext) -> Any:  # noqa: ANN401 - each kind narrows it
        """The object that does the work. The only place where heavy imports belong."""
        raise NotImplementedError(f"{type(self).__name__}.build")
