from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_pipeline.connectors.processors.expression_tree import (
    decode,
    encode,
    path_of,
    paths,
    root,
)
from cdp_pipeline.connectors.processors.expressions import (
    ExpressionFailed,
    _environment,
    compile_expression,
)

SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
)


def tree_of(text: str) -> Any:
    return decode(_environment().compile(text).serialize())


@pytest.mark.parametrize(
    "text",
    [
        "payload.a == 1",
        "-1.5 < double(payload.a) && payload.b[3] != b'x'",
        "payload.l.map(x, {'k': x, 'l': [1u, 2u]}).exists(y, y.k == null)",
        "payload.?a.orValue(timestamp('2024-01-01T00:00:00Z'))",
    ],
)
def test_round_trip(text: str) -> None:
    """A tree that was read is written as the same bytes."""
    serialized = _environment().compile(text).serialize()
    assert serialized == encode(decode(serialized))


@pytest.mark.parametrize(
    ("text", "plain", "read"),
    [
        ("payload", ("payload",), {("payload",)}),
        ("payload.a.b", ("payload", "a", "b"), {("payload", "a", "b")}),
        ('payload["a"].b', ("payload", "a", "b"), {("payload", "a", "b")}),
        ("type", ("type",), {("type",)}),
        ("has(payload.a)", None, {("payload", "a")}),
        ("payload.?a.orValue(id)", None, {("payload", "a"), ("id",)}),
        ("payload.a[0].b + payload.c", None, {("payload", "a"), ("payload", "c")}),
        ('payload[payload.k] == ""', None, {("payload",), ("payload", "k")}),
    ],
)
def test_paths(text: str, plain: object, read: set[tuple[str, ...]]) -> None:
    """Every path that is read is known, and whether the expression is nothing but one."""
    expression = root(tree_of(text))
    assert plain == path_of(expression, plain=True)
    assert read == set(paths(expression))


def _group(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    return "number" if isinstance(value, (int, float)) else type(value).__name__


@given(left=SCALARS, right=SCALARS)
def test_equality_refuses_mixed_types_only(left: Any, right: Any) -> None:
    """`==` is true or false for values of one group, or null; otherwise an error; `!=` its not."""
    same, other = (
        compile_expression("payload.a == payload.b"),
        compile_expression("payload.a != payload.b"),
    )
    variables = {"payload": {"a": left, "b": right}}
    if _group(left) == _group(right):
        answer = same.evaluate(variables)
        assert isinstance(answer, bool)
        assert (not answer) is other.evaluate(variables)
        if type(left) is type(right):
            assert (left == right) is answer
    elif left is None or right is None:
        assert same.evaluate(variables) is False
        assert other.evaluate(variables) is True
    else:
        for expression in (same, other):
            with pytest.raises(ExpressionFailed):
                expression.evaluate(variables)
