from __future__ import annotations

from pathlib import Path

import pytest

from cdp_pipeline.config.document import Document, parse_document, read_document
from cdp_pipeline.errors import ConfigError


def read(text: str | bytes) -> Document:
    return parse_document(text, "p.yaml")


def fault(text: str | bytes) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return caught.value


class TestPlaces:
    def test_values_and_keys(self) -> None:
        """Every key and every value is found at its line and column, both counted from 1."""
        places = read("a: 1\nb:\n  - c: x\n    d: y\n").locations

        assert "p.yaml:3:8" == places.where(("b", 0, "c"))
        assert "p.yaml:4:5" == places.where_key(("b", 0, "d"))

    def test_nearest_parent(self) -> None:
        """A place that is not in the file is that of its nearest parent."""
        places = read("a: 1\nb:\n  - c: x\n").locations

        assert "p.yaml:3:5" == places.where(("b", 0, "missing", "deeper"))

    def test_missing_value(self) -> None:
        """A key without a value stands where the key stands."""
        assert "p.yaml:1:1" == read("a:\nb: 1\n").locations.where(("a",))


class TestScalars:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("1", 1),
            ("-7", -7),
            ("0x1F", 31),
            ("0o17", 15),
            ("017", 17),
            ("1.5", 1.5),
            ("1e3", 1000.0),
            ("true", True),
            ("no", "no"),
            ("~", None),
            ("2024-01-01", "2024-01-01"),
            ("1_000", "1_000"),
            (".inf", ".inf"),
            ("1e999", "1e999"),
            ("'1'", "1"),
            ("!!str 1", "1"),
            ("12:30:45", "12:30:45"),
        ],
    )
    def test_core_schema(self, text: str, value: object) -> None:
        """Scalars are read as YAML 1.2 says; dates and what JSON cannot write stay text."""
        got = read(f"a: {text}").data["a"]

        assert (value, type(value)) == (got, type(got))

    def test_keys_are_text(self) -> None:
        """A key is the text that stands there, also where it looks like a number."""
        assert {"50051": "50051", "true": 1} == read('50051: "50051"\ntrue: 1').data


class TestAnchors:
    def test_alias_and_merge(self) -> None:
        """Aliases repeat a value, `<<` adds keys that are not there yet."""
        data = read("x: &x {a: 1, b: 2}\ny: *x\nz:\n  <<: *x\n  b: 3\n").data

        assert {"a": 1, "b": 2} == data["y"]
        assert {"b": 3, "a": 1} == data["z"]

    def test_merge_of_a_list(self) -> None:
        """Of several merged mappings the first that has a key gives it."""
        text = "x: &x {a: 1}\ny: &y {a: 2, b: 2}\nz:\n  <<: [*x, *y]\n"

        assert {"a": 1, "b": 2} == read(text).data["z"]

    def test_alias_of_itself(self) -> None:
        """An anchor that contains itself is refused, not followed."""
        assert "p.yaml:1:4: an anchor contains an alias of itself" == str(fault("a: &a [*a]"))

    def test_growth(self) -> None:
        """Aliases of aliases cannot make a small file large."""
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]

        assert "more than 100000 values" == fault("\n".join(lines)).message


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "error"),
        [
            ("", "p.yaml:1:1: the file is empty, expected a mapping"),
            ("# only a comment\n", "p.yaml:1:1: the file is empty, expected a mapping"),
            ("- a\n- b\n", "p.yaml:1:1: expected a mapping, got a list"),
            ("\n\nhello", "p.yaml:3:1: expected a mapping, got a single value"),
            ("a:\n\tb: 1", "p.yaml:2:1: a tab stands where spaces are expected"),
            (b"a: 1\nb: \xff", "p.yaml:2:4: byte 0xff is not UTF-8"),
            ("a: \x01", "p.yaml:1:4: character U+0001 is not allowed in YAML"),
            ("a: 1\n---\nb: 2", "p.yaml:2:1: a second document starts here, expected one per file"),
            ("a: *x", "p.yaml:1:4: found undefined alias `x`"),
            ("a: !own 3", "p.yaml:1:4: tag `!own` is not supported here"),
            ("? [a]\n: 1", "p.yaml:1:3: a key is a list or mapping, expected text"),
            ("a: &a 1\n<<: *a", "p.yaml:1:4: `<<` takes a mapping or a list of them"),
        ],
    )
    def test_names_place_and_cause(self, text: str | bytes, error: str) -> None:
        """What is not a mapping in YAML is refused with its place and cause."""
        assert ("config.syntax", error) == (fault(text).code, str(fault(text)))

    def test_deep_nesting(self) -> None:
        """Nesting without end is a fault of the file, not a crash."""
        assert "lists or mappings are nested too deeply" == fault("[" * 5000).message

    def test_braces_hint(self) -> None:
        """A variable inside braces, where YAML needs quotes, says so."""
        assert 'put quotes around a value with braces: "${NAME}"' == fault("a: {b: ${X}}").hint

    def test_byte_order_mark(self) -> None:
        """A byte order mark is not part of the first key."""
        assert {"a": 1} == read("\ufeffa: 1".encode()).data

    def test_duplicate_keys(self) -> None:
        """A key that stands twice is reported at its second place, and names its first."""
        (found,) = read("a: 1\nb:\n  c: 1\n  c: 2\n").faults

        assert "p.yaml:4:3: key `b.c` stands twice, first in line 3" == str(found)
        assert "config.duplicate_key" == found.code


class TestReading:
    def test_missing_file(self, tmp_path: Path) -> None:
        """A missing file is reported with the nearest file of its folder."""
        (tmp_path / "pipeline.yaml").write_text("a: 1")

        with pytest.raises(ConfigError) as caught:
            read_document(tmp_path / "pipline.yaml")

        assert "config.unreadable" == caught.value.code
        assert "did you mean `pipeline.yaml`?" == caught.value.hint

    def test_folder(self, tmp_path: Path) -> None:
        """A folder is not a file."""
        with pytest.raises(ConfigError, match="is a folder, expected a file"):
            read_document(tmp_path)

    def test_null_byte_in_name(self) -> None:
        """A name no file can have is unreadable, not a crash."""
        with pytest.raises(ConfigError) as caught:
            read_document("a\0b")

        assert "config.unreadable" == caught.value.code
