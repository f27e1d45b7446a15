"""JSON in and out without a changed digit: by msgspec, and by the standard library alike."""

from __future__ import annotations

import datetime
import decimal
import enum
import json
import math
import subprocess
import sys
import uuid
from collections import OrderedDict, namedtuple
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cdpplugin.json
from cdpplugin import PayloadInvalid
from cdpplugin.json import fast, standard

from .scalar import Array, ArrowScalar, Scalar


class Library(Protocol):
    """What writes and reads JSON."""

    def encode_json(self, value: Any) -> bytes: ...
    def decode_json(self, text: bytes | str) -> Any: ...


both = pytest.mark.parametrize("library", [fast, standard], ids=["msgspec", "standard"])

texts = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**80), 2**80),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=20
)


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types all the way down: 1, 1.0 and True are three values."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return bool(one == other)


@both
class TestRoundTrip:
    @given(values)
    def test_what_is_encoded_is_decoded(self, library: Library, value: Any) -> None:
        """Text, whole numbers of any size, floats and nesting come back as they were."""
        assert same(value, library.decode_json(library.encode_json(value)))

    @given(values)
    def test_other_peoples_json_means_the_same(self, library: Library, value: Any) -> None:
        """Python's own library reads what we write, and we read what it writes."""
        assert same(value, json.loads(library.encode_json(value)))
        assert same(value, library.decode_json(json.dumps(value)))
        assert same(value, library.decode_json(json.dumps(value, ensure_ascii=False).encode()))

    @pytest.mark.parametrize("number", [2**63, 2**64, -(2**63) - 1, 10**40, 2**53 + 1])
    def test_whole_numbers_beyond_64_bits_are_exact(self, library: Library, number: int) -> None:
        """A 128-bit amount is never rounded."""
        assert b"%d" % number == library.encode_json(number)
        assert same(number, library.decode_json(b"%d" % number))

    @pytest.mark.parametrize("text", ["1" * 5000, "1e400", "-1e400"])
    def test_numbers_beyond_all_bounds_are_refused(self, library: Library, text: str) -> None:
        """What cannot be held exactly, or at all, is an error and not infinity."""
        with pytest.raises(PayloadInvalid):
            library.decode_json(text)

    @pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
    def test_nan_and_infinity_are_refused(self, library: Library, number: float) -> None:
        """JSON has no form for them (RFC 8259, section 6): wherever they are, never null."""
        for value in (number, [number], {"a": [None, {"b": (number,)}]}, Scalar(number), {number}):
            with pytest.raises(PayloadInvalid, match="NaN or an infinity"):
                library.encode_json(value)

    def test_null_is_no_nan(self, library: Library) -> None:
        """None is written, also beside numbers and texts, in containers of every kind."""
        value = [None, 0.5, "null", {"a": None, "b": (None, Scalar(1.5))}, b"null", 10**30]

        assert [None, 0.5, "null", {"a": None, "b": [None, 1.5]}, "bnVsbA==", 10**30] == (
            library.decode_json(library.encode_json(value))
        )


@both
class TestEncoding:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (Scalar(0.5), b"0.5"),
            (Scalar(True), b"true"),
            (Scalar(2**63), b"9223372036854775808"),
            ({"deep": [Scalar(1)]}, b'{"deep":[1]}'),
            (Scalar(Scalar(1)), b"1"),
            (Array([1, 2]), b"[1,2]"),
            (Array([1]), b"[1]"),
            (Array([]), b"[]"),
            (ArrowScalar("x"), b'"x"'),
            ({1: "a"}, b'{"1":"a"}'),
            (b"abc", b'"YWJj"'),
        ],
        ids=repr,
    )
    def test_values_of_numerical_libraries(
        self, library: Library, value: Any, expected: bytes
    ) -> None:
        """A scalar is what it holds; an array of one is still an array."""
        assert expected == library.encode_json(value)

    def test_arrow_scalars(self, library: Library) -> None:
        """Pyarrow's own scalars are taken for what they hold."""
        pyarrow = pytest.importorskip("pyarrow")

        assert b"[1,null]" == library.encode_json([pyarrow.scalar(1), pyarrow.scalar(None)])

    def test_what_json_has_no_form_for_is_refused(self, library: Library) -> None:
        """Never a repr, never a silent null."""
        circle: list[Any] = []
        circle.append(circle)
        endless = Scalar(None)
        endless._value = endless
        for value in (object(), 1j, {(1, 2): 3}, {None: 1}, "\ud800", circle, endless, len):
            with pytest.raises(PayloadInvalid) as caught:
                library.encode_json({"a": value})
            assert "message.payload_invalid" == caught.value.code
            assert caught.value.hint


@both
class TestDecoding:
    @pytest.mark.parametrize(
        "text",
        [
            *(
                "",
                "{",
                "[1,]",
                "{'a':1}",
                "NaN",
                "Infinity",
                "01",
                "1 2",
                "nul",
                '"a\nb"',
                "\ufeff1",
            ),
            *('"\\ud800"', "[" * 100_000, b"\xff", b'"\xff"', "undefined", "+1", ".5", "1."),
        ],
        ids=lambda text: repr(text[:12]),
    )
    def test_what_is_no_json_is_refused(self, library: Library, text: bytes | str) -> None:
        """Only RFC 8259, and no deeper than can be read."""
        with pytest.raises(PayloadInvalid) as caught:
            library.decode_json(text)
        assert "message.payload_invalid" == caught.value.code

    @given(st.binary(max_size=60))
    def test_garbage_is_an_error_of_one_kind(self, library: Library, text: bytes) -> None:
        """Whatever bytes come: a value, or `PayloadInvalid`."""
        with suppress(PayloadInvalid):
            library.decode_json(text)


class Colour(enum.Enum):
    RED = "red"


class Number(enum.IntEnum):
    SEVEN = 7


@dataclass
class Point:
    x: int
    y: Any = None


Pair = namedtuple("Pair", "a b")
UTC = datetime.UTC
DAY = datetime.datetime(2024, 1, 2, 3, 4, 5)

ALIKE: list[Any] = [
    None,
    True,
    0,
    -0.0,
    0.1,
    5e-324,
    2**64,
    -(2**70),
    "",
    'é\x00\x7f\u2028"\\/\b\t\x1f',
    "\U0001f680",
    b"ab",
    bytearray(b"ab"),
    memoryview(b"ab"),
    {1},
    frozenset({2}),
    (1, 2),
    Pair(1, 2),
    Point(1),
    Colour.RED,
    Number.SEVEN,
    MappingProxyType({"a": 1}),
    OrderedDict(a=1),
    DAY,
    DAY.replace(microsecond=678, tzinfo=UTC),
    DAY.date(),
    DAY.time(),
    DAY.time().replace(tzinfo=UTC),
    DAY.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=5, minutes=30))),
    datetime.timedelta(days=1, seconds=3, microseconds=50),
    datetime.timedelta(seconds=-90),
    datetime.timedelta(),
    decimal.Decimal("1.10"),
    uuid.UUID(int=5),
    Array([1.5]),
    Scalar(1),
    {1: 2},
    {1.5: 2},
    {2**70: 1},
    {b"x": 1},
    {Colour.RED: 1},
    {Number.SEVEN: 1},
    {DAY.date(): [{2: 3}]},
    {uuid.UUID(int=5): 1},
    {decimal.Decimal("1.5"): Point(1, {3: 4})},
    {"null": 1, "true": {"false": None}},
]
REFUSED_ALIKE: list[Any] = [
    {True: 1},
    {None: 1},
    {"a": {False: 1}},
    {(1,): 1},
    object(),
    len,
    1j,
    range(3),
    Point,
    {"a": object()},
    "\ud800",
    {"\ud800": 1},
    [math.nan],
    {"null": math.inf},
    Scalar(math.nan),
    Array([math.nan]),
]
TEXTS_ALIKE = [
    "",
    "null",
    " null ",
    "\ufeffnull",
    "nul",
    "NaN",
    "-Infinity",
    "-0",
    "-0.0",
    "00",
    "-01",
    "-",
    "+1",
    "1.",
    "1.e5",
    ".5",
    "1e5",
    "1E+5",
    "1e400",
    "-1e400",
    "1e-400",
    "0e999",
    "1" * 400,
    "1" * 400 + ".0",
    "1" * 5000,
    "18446744073709551616",
    "-9223372036854775809",
    "123456789.1234567890123456789",
    "2.2250738585072011e-308",
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\ud83d\\ude80"',
    '"\\\\ud800"',
    '"\\uD83Dx"',
    '"\\u12"',
    '"\\x"',
    '"\x01"',
    '"\t"',
    '"\x7f"',
    '"a',
    '"\\u0000"',
    '{"a":1,"a":2}',
    '{"a":1,}',
    "[1,]",
    "[1 2]",
    '{"a" 1}',
    "{1:2}",
    "[]]",
    "[] x",
    "// c\n1",
    "'a'",
    "True",
    "\x0bnull",
    "\u00a0null",
    "1_000",
    "\u0661",
    "null\x00",
    "[" * 300 + "]" * 300,
    "[" * 2000 + "]" * 2000,
    '{"a":' * 2000 + "1" + "}" * 2000,
    '["' + "[" * 2000 + '"]',
    "\ud800",
    '"\ud800"',
    "[[],{}]" + " " * 9,
]
BYTES_ALIKE = [
    b"\xff",
    b'"\xff"',
    b'"\xed\xa0\x80"',
    b'"\xc3"',
    "1".encode("utf-16"),
    "1".encode("utf-32"),
]


def encoded(library: Library, value: Any) -> Any:
    """What *library* makes of *value*, or that it refuses it."""
    try:
        return library.encode_json(value)
    except PayloadInvalid:
        return PayloadInvalid


def decoded(library: Library, text: bytes | str) -> Any:
    """What *library* makes of *text*, or that it refuses it."""
    try:
        return library.decode_json(text)
    except PayloadInvalid:
        return PayloadInvalid


class TestBothAlike:
    @pytest.mark.parametrize("value", ALIKE, ids=lambda value: type(value).__name__)
    def test_what_is_written(self, value: Any) -> None:
        """Dates, enums, dataclasses, keys that are numbers: both write the same."""
        assert isinstance(encoded(fast, value), bytes)
        assert encoded(fast, value) == encoded(standard, value)

    @pytest.mark.parametrize("value", REFUSED_ALIKE, ids=lambda value: type(value).__name__)
    def test_what_is_refused(self, value: Any) -> None:
        """What has no form in JSON has none with either."""
        assert PayloadInvalid is encoded(fast, value) is encoded(standard, value)

    @pytest.mark.parametrize("text", [*TEXTS_ALIKE, *BYTES_ALIKE], ids=lambda text: repr(text[:24]))
    def test_what_is_read(self, text: bytes | str) -> None:
        """Numbers to the last digit, half characters, nesting: the same value, or no value."""
        expected = decoded(fast, text)
        assert same(expected, decoded(standard, text))

    @given(values)
    def test_any_value(self, value: Any) -> None:
        """What one writes the other reads."""
        assert same(value, standard.decode_json(fast.encode_json(value)))
        assert same(value, fast.decode_json(standard.encode_json(value)))

    @given(st.text(max_size=40), st.text('[]{}:,"\\0123456789eE+-.truefalsn \n', max_size=40))
    def test_any_text(self, text: str, likely: str) -> None:
        """Both read the same texts, however odd."""
        for each in (text, likely):
            assert same(decoded(fast, each), decoded(standard, each))

    def test_an_encoder_that_failed_goes_on(self) -> None:
        """A value that was refused half-way leaves nothing behind: it may be mended and written."""
        value: dict[str, Any] = {"a": [math.nan]}
        assert PayloadInvalid is encoded(standard, value)
        value["a"][0] = 1
        assert b'{"a":[1]}' == encoded(standard, value)


class TestChoice:
    def test_msgspec_where_it_is(self) -> None:
        """The quick library is used as it is: nothing stands between."""
        assert (fast.encode_json, fast.decode_json) == (
            cdpplugin.json.encode_json,
            cdpplugin.json.decode_json,
        )

    def test_the_standard_library_where_no_extension_is(self) -> None:
        """The SDK is there without msgspec, protobuf and gRPC, and needs none of them."""
        program = (
            "import sys\n"
            "for name in ('msgspec', 'google', 'grpc', 'pyarrow'): sys.modules[name] = None\n"
            "import cdpplugin, cdpplugin.component\n"
            "from cdpplugin.json import standard\n"
            "assert cdpplugin.decode_json is standard.decode_json\n"
            "assert [] == [name for name in sys.modules if name.startswith('cdpplugin.server')]\n"
            "print(cdpplugin.encode_json({'n': 2**70}).decode())"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        assert '{"n":1180591620717411303424}\n' == done.stdout
