from __future__ import annotations

from cdp_pipeline.config import hint_of, nearest, unknown_name


class TestNearest:
    def test_misspelt(self) -> None:
        """A misspelt name finds the one that was meant."""
        assert "galexie" == nearest("galaxie", ["stdin", "galexie", "jsonl"])

    def test_case_and_dashes(self) -> None:
        """Case, dashes and underscores make no difference."""
        assert "save-to-parquet" == nearest("Save_To_Parquet", ["save-to-jsonl", "save-to-parquet"])

    def test_nothing_near(self) -> None:
        """A name like none of the known ones suggests none."""
        assert nearest("xyz", ["galexie", "stdin"]) is None


class TestHint:
    def test_lists_all(self) -> None:
        """Without a near name the known ones are listed, many of them shortened."""
        assert "known are `a1`, `b2`" == hint_of("xyz", ["a1", "b2"])
        assert hint_of("xyz", [f"n{n}" for n in range(20)]).endswith("`n11` and 8 more")

    def test_unknown_name(self) -> None:
        """The error of an unknown name carries place, code and hint."""
        error = unknown_name("source", "galaxie", ["galexie"], "p.yaml:3:9")

        assert "p.yaml:3:9: unknown source `galaxie`" == str(error)
        assert ("config.unknown_name", "did you mean `galexie`?") == (error.code, error.hint)
