"""What is said of an output that is not the expected one."""

from __future__ import annotations

from typing import Any

from cdp_pipeline.artifacts.cases import Case, CaseAnswer
from cdp_pipeline.artifacts.differences import Comparison
from cdpplugin import Message


def told(expected: Any, got: Any, **terms: Any) -> list[str]:
    return list(Comparison(**terms).differences("payload", expected, got))


def test_nested() -> None:
    """A difference deep inside is named by its path, with both values."""
    expected = {"a": {"b": [{"c": 1}, {"c": 2}]}}
    got = {"a": {"b": [{"c": 1}, {"c": 3, "d": 4}]}}
    assert ["expected `payload.a.b[1].c` to be 2, got 3"] == told(expected, got)
    assert ['expected `payload.x` to be {"y":1}, got none'] == told({"x": {"y": 1}}, {"z": 1})


def test_lists_of_different_length() -> None:
    """What is missing and what is too many stands in a line of its own, with its index."""
    [text] = told([{"n": 1}, {"n": 2}, {"n": 3}], [{"n": 1}, {"n": 3, "more": True}])
    assert 'expected `payload` to have 3 elements, got 2\n- [1] {"n":2}' == text
    [text] = told(["a"], ["x", "a", "y"])
    assert 'expected `payload` to have 1 element, got 3\n+ [0] "x"\n+ [2] "y"' == text


def test_long_lists() -> None:
    """Of long lists only the first lines are told."""
    [text] = told([], list(range(1000)))
    assert 22 == len(text.splitlines())
    assert text.endswith("… and 980 more")
    assert 1 == len(told(list(range(3000)), list(range(2999))))


def test_long_texts() -> None:
    """Of a long text the part is shown where it differs."""
    before = "x" * 500
    [text] = told(before + "abc" + "y" * 500, before + "abd" + "y" * 500)
    head, one, other = text.splitlines()
    assert "expected `payload` to be another value, from character 503 of its JSON on:" == head
    assert one.startswith("- …" + "x" * 38 + "abc")
    assert other.startswith("+ …" + "x" * 38 + "abd")
    assert max(len(one), len(other)) < 210


def test_texts_of_many_lines() -> None:
    """A text of many lines is compared line by line."""
    [text] = told("a\nb\nc\nd", "a\nb\nx\nd")
    assert "expected `payload` to be another text:\n  b\n- c\n+ x\n  d" == text


def test_numbers() -> None:
    """A number is the same however it is written; a text or a boolean is no number."""
    assert [] == told({"n": 1}, {"n": 1.0})
    assert [] == told(10**30, 10**30)
    assert 1 == len(told(10**30, 10**30 + 1))
    assert 1 == len(told(1, True))
    assert [] == told([1.0], [1.0000001], tolerance=1e-6)


def test_tolerance() -> None:
    """It is relative to what is expected, and exact for numbers that no float holds."""
    assert 1 == len(told(0.002, 0.001, tolerance=0.01))
    assert [] == told(0, 0.001, tolerance=0.01)
    assert 1 == len(told(2**53, 2**53 + 1, tolerance=1e-18))
    assert 1 == len(told(10**400, 5, tolerance=0.1))
    assert [] == told(10**400, 10**400 + 1, tolerance=0.1)


def test_a_null_is_expected_where_it_is_written() -> None:
    """`payload: null` is a null; a payload that is not named may be anything."""

    def told_of(expect: dict[str, Any]) -> list[str]:
        case = Case.model_validate({"name": "c", "input": {"type": "T"}, "expect": expect})
        return list(case.mismatches(CaseAnswer([Message("", "T", {"n": 1}, {})])))

    assert ['expected `payload` to be null, got {"n":1}'] == told_of({"payload": None})
    assert [] == told_of({"type": "T"})


def test_ignored_in_every_element() -> None:
    """`[*]` stands for any index, also where lists differ in length."""
    terms = {"ignore": ("payload[*].id",)}
    assert [] == told(
        [{"id": 1, "n": 1}, {"n": 2}], [{"id": 9, "n": 1}, {"id": 8, "n": 2}], **terms
    )
    [text] = told([{"id": 1, "n": 1}], [{"id": 9, "n": 1}, {"id": 8, "n": 2}], **terms)
    assert '+ [1] {"id":8,"n":2}' == text.splitlines()[-1]


def test_outputs_missing_and_too_many() -> None:
    """Of outputs that are missing or too many it is said what they are."""
    case = Case.model_validate(
        {
            "name": "c",
            "input": {"type": "T"},
            "expect": [{"type": "A", "payload": {"n": 1}}, {"type": "B"}],
        }
    )
    answer = CaseAnswer([Message("", "B", {"n": 2}, {"seen": True})])
    [text] = case.mismatches(answer)
    assert 'expected 2 outputs, got 1\n- output 1: A {"n":1}' == text
    answer.messages += [Message("", "C", {"n": 3}, {"k": 1})] * 2
    [text] = case.mismatches(answer)
    assert [
        "expected 2 outputs, got 3",
        '- output 1: A {"n":1}',
        '+ output 2: C {"n":3} metadata {"k":1}',
        '+ output 3: C {"n":3} metadata {"k":1}',
    ] == text.splitlines()
