from __future__ import annotations

from collections.abc import Callable

import pytest

from cdp_pipeline.config.document import parse_document
from cdp_pipeline.config.environment import FilledDocument, fill_document
from cdp_pipeline.config.template import TemplateInvalid, fill


def filled(text: str, **environ: str) -> FilledDocument:
    return fill_document(parse_document(text, "p.yaml"), environ)


class TestFill:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("${A}", "one"),
            ("x-${A}-${A}", "x-one-one"),
            ("${B:-two}", "two"),
            ("${EMPTY:-two}", "two"),
            ("${EMPTY}", ""),
            ("${B:-}", ""),
            ("${B:-${A}}", "one"),
            ("${A:-${B}}", "one"),
            ("${B:-a$$b}", "a$b"),
            ("$${A}", "${A}"),
            ("$$$$", "$$"),
            ("^a$", "^a$"),
            ("$.amount", "$.amount"),
        ],
    )
    def test_forms(self, text: str, expected: str) -> None:
        """Variables, defaults and `$$` are filled in as in a shell; a lone `$` is itself."""
        got = fill(text, {"A": "one", "EMPTY": ""})

        assert (expected, ()) == (got.text, got.missing)

    def test_unused_default(self) -> None:
        """A variable inside a default that is not used need not be set."""
        assert () == fill("${A:-${B}}", {"A": "1"}).missing

    @pytest.mark.parametrize("text", ["${", "${}", "${1}", "${A", "${A:-x", "${A-x}", "${A B}"])
    def test_malformed(self, text: str) -> None:
        """`${` without a name and `}` is refused."""
        with pytest.raises(TemplateInvalid):
            fill(text, {"A": "1"})

    def test_deep_defaults(self) -> None:
        """Defaults nested without end are refused, not a crash."""
        with pytest.raises(TemplateInvalid):
            fill("${A:-" * 5000, {})


class TestDocument:
    def test_types(self) -> None:
        """A value of one variable is read as the scalar it would be if it stood there."""
        data = filled("a: ${A}\nb: ${B}\nc: x${A}\nd: ${C}", A="5", B="true", C="x").data

        assert {"a": 5, "b": True, "c": "x5", "d": "x"} == data

    def test_quoted(self) -> None:
        """In quotes it stays text, unless only the scalar fits."""
        document = filled('a: "${A}"', A="5")

        assert ("5", 5) == (document.data["a"], document.readings[("a",)])

    def test_keys(self) -> None:
        """Keys are never filled."""
        assert {"${A}": 1} == filled("${A}: 1", A="x").data

    def test_missing(self) -> None:
        """A missing variable is reported at the value's place, with what to do."""
        (fault,) = filled("a: 1\nb:\n  - ${STRAT}", START="5").faults

        assert "p.yaml:3:5: environment variable `STRAT` is not set, needed by `b[0]`" == str(fault)
        assert "config.env_missing" == fault.code
        assert (
            "set `STRAT` (did you mean `START`?) or give a default: `${STRAT:-value}`" == fault.hint
        )

    def test_malformed(self) -> None:
        """A malformed variable is reported at the value's place."""
        (fault,) = filled("a: x ${1}").faults

        assert "p.yaml:1:4: `a`: expected `${NAME}` or `${NAME:-default}` after `$`" == str(fault)
        assert "write `$$` for a dollar sign" == fault.hint


class TestReadings:
    TEXT = "name: n\nsource: {type: s}\npipeline: [{type: t}]\n"

    def test_text_where_text_is_expected(self, load: Callable[..., object]) -> None:
        """A variable full of digits is text where only text fits."""
        pipeline = load(self.TEXT + "description: ${D}\n", D="12345")

        assert "12345" == pipeline.description  # type: ignore[attr-defined]

    def test_number_in_quotes(self, load: Callable[..., object]) -> None:
        """A quoted variable is a number where only a number fits."""
        pipeline = load(self.TEXT + 'batch: {rows: "${R}"}\n', R="7")

        assert 7 == pipeline.batch.rows  # type: ignore[attr-defined]

    def test_neither_fits(self, faults: Callable[..., list[object]]) -> None:
        """Where neither reading fits, the variable is named and its value is not."""
        (fault,) = faults(self.TEXT + "batch: {rows: '${R}'}\n", {"HOME": "/h", "R": "lots"})

        assert (
            "p.yaml:4:15: `batch.rows`: expected an integer of at least 1, got text from `${R}`"
            == str(fault)
        )
