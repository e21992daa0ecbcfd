"""What components of every kind have to declare, and what their contract suites share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from vall_e_core import BuildContext, Component, DeviceError, ModelError, PluginError, VallEError
from vall_e_core.plugins import FAILURES, check_component, describe

Made = TypeVar("Made", bound=Component)


class NotBuilt(Exception):
    """A component can't be built on this machine, and says what is missing: weights, or a library."""


def kept(component: type[Made], base: type[Made], tries: Callable[[Made], Iterator[str]]) -> list[str]:
    """What is wrong with a component, one sentence for each rule, empty where all is well.

    Args:
        component: A class that a plugin brings.
        base: Its kind.
        tries: What to look at in each instance.

    Raises:
        NotBuilt: It needs what this machine lacks.
    """
    found = dict.fromkeys(declaration(component, base))
    if found:
        return list(found)
    try:
        made = instances(component)
    except VallEError as error:
        return [f"no instance can be made: {describe(error)}"]
    if not made:
        return [f"{component.__name__} has a parameter without a default: give it one, or declare `examples`"]
    for one in made:
        try:
            found.update(dict.fromkeys(tries(one)))
        except NotBuilt:
            raise
        except FAILURES as error:  # a plugin's own code may raise anything; here that is the finding
            found[f"{one.to_spec()} raises {describe(error)}"] = None
    return list(found)


def declaration(component: type[Component], base: type[Component]) -> Iterator[str]:
    """What a class lacks before anything is made of it."""
    try:
        check_component(component, base)
    except PluginError as error:
        yield error.message
        return
    if not component.summary():
        yield f"{component.__name__} has no docstring: write one, it is the help"
    for each in component.params():
        if not each.help.strip():
            yield f"the parameter {each.key} of {component.__name__} has no help text: write `help=` in its param()"


def instances(component: type[Made]) -> list[Made]:
    """The default instance, where there is one, and those that `examples` declares. Raises VallEError."""
    first = [] if any(each.required for each in component.params()) else [component()]
    return [*first, *(component.from_mapping(each) for each in component.examples)]


def built(one: Component) -> Any:  # noqa: ANN401 - each kind builds something else
    """What a component's `build` returns. Raises NotBuilt where it says what is missing."""
    try:
        return one.build(BuildContext())
    except (ModelError, DeviceError) as error:
        hint = f" ({error.try_})" if error.try_ else ""
        raise NotBuilt(f"{one.to_spec()} can't be built on this machine: {error.message}{hint}") from error


def attributes(model: object, wanted: Mapping[str, type | tuple[type, ...]]) -> Iterator[str]:
    """What a built object lacks of the attributes that its protocol has, or has of another type."""
    for name, kind in wanted.items():
        found = getattr(model, name, None)
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if found is None:
            yield f"{type(model).__name__} has no attribute `{name}`: set it, in the class or in __init__"
        elif isinstance(found, bool) or not isinstance(found, kinds):
            yield f"{type(model).__name__}.{name} is {found!r}: make it {' or '.join(each.__name__ for each in kinds)}"


def methods(model: object, *names: str) -> Iterator[str]:
    """What a built object lacks of the methods that its protocol has."""
    for name in names:
        if not callable(getattr(model, name, None)):
            yield f"{type(model).__name__} has no method `{name}`: write it, build() must return an object that has it"


def named(model: object, one: Component) -> Iterator[str]:
    """The built object is called as the component is: records and saved voices name it."""
    yield from (found := list(attributes(model, {"name": str})))
    if not found and getattr(model, "name", None) != one.name:
        wrong = getattr(model, "name", None)
        yield f"{type(model).__name__}.name is {wrong!r}, the component's is {one.name!r}: make them equal"
