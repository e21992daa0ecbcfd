"""Text and YAML values as the types of parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vall_e_core.values import ValueType

numbers = st.floats(allow_nan=False)


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (int, "12", 12),
        (int, 3.0, 3),
        (int, " 7 ", 7),
        (float, "1e-3", 0.001),
        (float, 2, 2.0),
        (float, "inf", math.inf),
        (bool, "on", True),
        (bool, "No", False),
        (bool, False, False),
        (str, 12, "12"),
        (str, "", ""),
        (Path, "a b.wav", Path("a b.wav")),
        (float | None, None, None),
        (float | None, "none", None),
        (str | None, "None", None),
        (Literal["a", "b"], "a", "a"),
        (tuple[int, ...], "3+7", (3, 7)),
        (tuple[int, ...], [1, 2], (1, 2)),
        (tuple[str, ...], ["a", "b"], ("a", "b")),
        (tuple[int, ...], 5, (5,)),
        (Mapping[int, float], "1024@-2.5+7@1", {1024: -2.5, 7: 1.0}),
        (Mapping[int, float], {"1024": "-2.5"}, {1024: -2.5}),
        (Mapping[str, bool], {"a": True}, {"a": True}),
    ],
)
def test_understood(annotation: object, value: object, expected: object) -> None:
    found = ValueType.of(annotation).coerce(value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "value", "words"),
    [
        (int, "1.5", "whole number"),
        (int, 1.5, "whole number"),
        (int, True, "whole number"),
        (int, "", "whole number"),
        (float, "fast", "a number"),
        (float, "nan", "nan"),
        (float, float("nan"), "nan"),
        (float, 10**400, "a number"),
        (float, False, "a number"),
        (bool, 1, "true or false"),
        (bool, "maybe", "true or false"),
        (str, False, "text"),
        (str, None, "nothing"),
        (Path, "", "a path"),
        (Path, "a\0b", "NUL"),
        (tuple[int, ...], "3+x", "whole number"),
        (Mapping[int, float], "7", "key@value"),
        (Mapping[int, float], 7, "a map"),
    ],
)
def test_refused_with_what_is_expected(annotation: object, value: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ValueType.of(annotation).coerce(value)


@pytest.mark.parametrize("annotation", [bytes, int | str, complex, tuple[int, int], Literal[1, "a"], list[list[int]]])
def test_unsupported_annotations(annotation: object) -> None:
    with pytest.raises(TypeError, match="unsupported parameter type"):
        ValueType.of(annotation)


@pytest.mark.slow
@given(
    st.one_of(
        numbers.map(lambda x: (float, x)),
        st.integers().map(lambda x: (int, x)),
        st.booleans().map(lambda x: (bool, x)),
        st.text().map(lambda x: (str, x)),
        st.lists(st.integers(), min_size=1).map(lambda x: (tuple[int, ...], tuple(x))),
        st.dictionaries(st.integers(), numbers, min_size=1).map(lambda x: (Mapping[int, float], x)),
    )
)
def test_text_form_reads_back(case: tuple[Any, object]) -> None:
    annotation, value = case
    kind = ValueType.of(annotation)
    assert kind.coerce(kind.format(value)) == value


@given(st.text())
def test_any_text_is_understood_or_refused(text: str) -> None:
    for annotation in (int, float, bool, Path, tuple[float, ...], Mapping[int, float]):
        try:
            ValueType.of(annotation).coerce(text)
        except ValueError as error:
            assert str(error)


def test_numbers_of_numpy_are_numbers() -> None:
    """A sweep over `np.arange` hands them out."""
    assert ValueType.of(int).coerce(np.int64(3)) == 3 and type(ValueType.of(int).coerce(np.int64(3))) is int
    assert ValueType.of(float).coerce(np.float32(0.5)) == 0.5
    with pytest.raises(ValueError, match="whole number"):
        ValueType.of(int).coerce(np.float32(0.5))
    with pytest.raises(ValueError, match="expected a number"):
        ValueType.of(float).coerce(np.bool_(True))


def test_a_key_of_a_map_is_given_once() -> None:
    with pytest.raises(ValueError, match="7 is given twice"):
        ValueType.of(Mapping[int, float]).coerce("7@1+07@2")
