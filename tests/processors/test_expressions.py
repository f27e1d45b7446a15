from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cdp_pipeline.connectors.processors.expressions import (
    ExpressionFailed,
    ExpressionInvalid,
    FieldMissing,
    compile_condition,
    compile_expression,
)

MAX_INT64 = 2**63 - 1
VARIABLES: dict[str, Any] = {
    "payload": {
        "amount": "9223372036854775807",
        "n": 5,
        "most": MAX_INT64,
        "least": -(2**63),
        "odd": 2**53 + 1,
        "unsigned": 2**64 - 1,
        "huge": 2**70,
        "f": 5.0,
        "flag": True,
        "nothing": None,
        "list": [1, 2],
        "object": {"z": 1, "a": {"code": "USD"}},
        "values": 7,
        "key with spaces": 3,
        "memo": "order-1",
    },
    "type": "Payment",
    "id": "pubnet:7:1",
    "metadata": {"fraud": {"score": 0.5}},
    "source": {"name": "galexie", "network": "", "uri": "lake"},
}


def value(text: str, **variables: Any) -> Any:
    return compile_expression(text).evaluate({**VARIABLES, **variables})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("payload.n > 4 && payload.flag", True),
        ('type == "Payment"', True),
        ("id", "pubnet:7:1"),
        ("metadata.fraud.score", 0.5),
        ('source.name == "galexie"', True),
        ('payload.object.a.code == "USD"', True),
        ('payload["key with spaces"]', 3),
        ("payload.values", 7),
        ("payload.list[1]", 2),
        ("payload.list.exists(x, x == 2)", True),
        ('payload.memo.startsWith("order-")', True),
        ('payload.memo.matches("^order-[0-9]+$")', True),
        ('payload.flag ? "yes" : "no"', "yes"),
        ('type + ":" + string(payload.n)', "Payment:5"),
        ("type(payload.n) == int", True),
        ("payload.nothing == null", True),
        ("payload.nothing == 5", False),
        ("payload.f == 5", True),
        ('payload.memo in ["order-1", "order-2"]', True),
        ("math.greatest(payload.n, 9)", 9),
    ],
)
def test_value(text: str, expected: object) -> None:
    """An expression reads the five variables with CEL's operators, functions and macros."""
    assert expected == value(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("payload.most", MAX_INT64),
        ("payload.most == 9223372036854775807", True),
        ("payload.most == 9223372036854775806", False),
        ("payload.most - 1", MAX_INT64 - 1),
        ("payload.least", -(2**63)),
        ("payload.odd == 9007199254740993", True),
        ("payload.odd > 9007199254740992", True),
        ("payload.odd + 1", 2**53 + 2),
        ("payload.unsigned > 5", True),
        ("payload.unsigned", 2**64 - 1),
        ("int(payload.amount)", MAX_INT64),
        ("int(payload.amount) > 9223372036854775806", True),
        ('int("9007199254740993") == 9007199254740993', True),
        ('uint("18446744073709551615")', 2**64 - 1),
        ("payload.huge", 2**70),
    ],
)
def test_whole_numbers_are_exact(text: str, expected: object) -> None:
    """Whole numbers, also those in text, are exact to 64 bits; a field passed on, at any size."""
    assert expected == value(text)


@pytest.mark.parametrize(
    "text", ["payload.most + 1", "payload.least - 1", "payload.most * 2", "payload.huge + 1"]
)
def test_overflow_is_an_error(text: str) -> None:
    """A number that does not fit in 64 bits is an error, never a wrong number."""
    with pytest.raises(ExpressionFailed) as error:
        value(text)
    assert "expression.failed" == error.value.code


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("payload.absent", "payload.absent"),
        ("payload.absent > 1", "payload.absent"),
        ("payload.absent == 1", "payload.absent"),
        ("payload.object.absent == 1", "payload.object.absent"),
        ("metadata.absent", "metadata.absent"),
        ("payload.flag && payload.absent", "payload.absent"),
    ],
)
def test_missing_field_is_an_error(text: str, field: str) -> None:
    """A field that is not there is an error that names its whole path."""
    with pytest.raises(FieldMissing, match=f"no field `{field}`") as error:
        value(text)
    assert "expression.missing_field" == error.value.code
    assert "has(" in error.value.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("has(payload.absent)", False),
        ("has(payload.nothing)", True),
        ("has(payload.absent) && payload.absent > 1", False),
        ("payload.?absent.orValue(0)", 0),
        ("payload.?object.?absent.orValue('none')", "none"),
        ("payload.flag || payload.absent", True),
        ("false && payload.absent", False),
    ],
)
def test_missing_field_may_be_asked_for(text: str, expected: object) -> None:
    """`has` and `orValue` ask; an error counts only where the answer depends on it."""
    assert expected == value(text)


@pytest.mark.parametrize(
    "text",
    [
        "payload.amount > 5",
        "payload.amount == 5",
        "payload.amount != 5",
        "5 == payload.amount",
        "payload.amount in [5, 6]",
        'payload.n == "5"',
        "payload.amount == payload.n",
        "payload.list.exists(x, x == 'a')",
        "payload.object == 5",
        "payload.flag == 'true'",
    ],
)
def test_mixed_types_are_an_error(text: str) -> None:
    """Comparing text with a number is an error that names the expression: no silent false."""
    with pytest.raises(ExpressionFailed) as error:
        value(text)
    assert f"`{text}`" in error.value.message
    assert "int(...)" in error.value.hint


def test_mixed_types_name_the_field() -> None:
    """The error says which field holds what."""
    with pytest.raises(ExpressionFailed, match=r"`payload\.amount` is text"):
        value("payload.amount > 1000")


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("payload.n >", "column 12", "write it as CEL"),
        ("payload.n = 5", "column 11", "compare with `==`"),
        ("payload.flag and true", "column 14", "write `&&`"),
        ("native == payload.memo", "column 1", "put text in quotes"),
        ('payload.n == 5 && type == 1 + "a"', "column 29", "convert one side"),
        ("payload.n >\n", "line 2, column 1", "write it as CEL"),
        ("", "column 1", "write it as CEL"),
    ],
)
def test_syntax_error(text: str, place: str, hint: str) -> None:
    """A syntax error names the setting, the column and what to write."""
    with pytest.raises(ExpressionInvalid) as error:
        compile_expression(text, setting="where")
    assert "expression.syntax" == error.value.code
    assert error.value.message.startswith("`where`")
    assert place in error.value.message
    assert hint in error.value.hint


def test_condition_must_be_able_to_be_true() -> None:
    """What can never be true or false is refused as a condition, before anything runs."""
    with pytest.raises(ExpressionInvalid, match="true or false expected"):
        compile_condition("size(payload.list)", setting="where")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('timestamp("2024-01-01T00:00:00Z")', "2024-01-01T00:00:00Z"),
        ('timestamp("2024-01-01T00:00:00Z") + duration("1h")', "2024-01-01T01:00:00Z"),
        ('duration("90s")', "90s"),
        ('duration("1500ms")', "1.5s"),
        ('b"abc"', "YWJj"),
        ("{'b': payload.n, 'a': [1, 2.5]}", {"a": [1, 2.5], "b": 5}),
        ("payload.object", {"z": 1, "a": {"code": "USD"}}),
        ("payload.list.map(x, x * 2)", [2, 4]),
    ],
)
def test_value_is_json(text: str, expected: object) -> None:
    """Values are JSON: times RFC 3339, durations in seconds, bytes base64."""
    assert expected == value(text)


@pytest.mark.parametrize("text", ["1.0 / 0.0", "payload.?n", "0.0 / 0.0"])
def test_what_json_cannot_hold_is_an_error(text: str) -> None:
    """Infinity, NaN and optional values are errors, not null."""
    with pytest.raises(ExpressionFailed):
        value(text)


def test_a_map_has_one_order() -> None:
    """A made object's keys are sorted, so that a replay gives the same bytes."""
    assert ["a", "b", "c"] == list(value("{'c': 1, 'a': 2, 'b': 3}"))


def test_a_field_read_is_a_copy() -> None:
    """Changing a value that was read does not change the message it came from."""
    read = value("payload.object")
    read["a"]["code"] = "EUR"
    assert {"code": "USD"} == VARIABLES["payload"]["object"]["a"]


def test_fields_that_are_read() -> None:
    """An expression knows its fields, so that no others need be decoded."""
    expression = compile_expression('payload.n > 1 && has(payload.a.b) && metadata["k"] == type')
    assert {"payload", "metadata", "type"} == expression.variables
    assert {"n", "a"} == expression.fields_of("payload")
    assert {"k"} == expression.fields_of("metadata")
    assert compile_expression("size(payload) > 1").fields_of("payload") is None


@pytest.mark.parametrize(
    "text",
    [
        "payload.big.map(a, payload.big.map(b, payload.big.map(c, 1))).size() > 0",
        f"{'(' * 500}1{')' * 500}",
    ],
)
def test_work_is_bounded(text: str) -> None:
    """Too many steps, or too deep an expression, is an error and no hang."""
    with pytest.raises((ExpressionFailed, ExpressionInvalid)):
        value(text, payload={"big": list(range(1000))})


def test_regular_expressions_take_linear_time() -> None:
    """A pattern that makes backtracking engines hang is answered at once."""
    assert value("payload.s.matches('^(a+)+$')", payload={"s": "a" * 100_000 + "b"}) is False


def test_code_is_out_of_reach() -> None:
    """Python's attributes and functions cannot be named."""
    with pytest.raises(FieldMissing):
        value("payload.__class__")
    for text in ("open('x')", "__import__('os')", "payload.n.__class__.__mro__ == 1"):
        with pytest.raises((ExpressionInvalid, ExpressionFailed)):
            value(text)


def test_several_threads_share_an_expression() -> None:
    """An expression may be evaluated by several threads at once."""
    expression = compile_expression("payload.n % 2 == 0")

    def work(_: int) -> list[bool]:
        return [expression.evaluate({"payload": {"n": n}}) for n in range(2000)]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(work, range(4)))
    assert [[n % 2 == 0 for n in range(2000)]] * 4 == answers
