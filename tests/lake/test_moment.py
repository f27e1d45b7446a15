"""Points in time as people write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cdp_pipeline.connectors.stellar.lake.moment import MomentInvalid, parse_moment

NOW = datetime(2024, 3, 31, 12, 0, tzinfo=UTC)


class TestParse:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("2024-01-01T00:00:00Z", datetime(2024, 1, 1, tzinfo=UTC)),
            ("2024-01-01T02:00:00+02:00", datetime(2024, 1, 1, tzinfo=UTC)),
            ("2024-01-01T00:00:00", datetime(2024, 1, 1, tzinfo=UTC)),
            ("2024-01-01", datetime(2024, 1, 1, tzinfo=UTC)),
            ("30s", datetime(2024, 3, 31, 11, 59, 30, tzinfo=UTC)),
            ("15min", datetime(2024, 3, 31, 11, 45, tzinfo=UTC)),
            ("12h", datetime(2024, 3, 31, tzinfo=UTC)),
            ("3d", datetime(2024, 3, 28, 12, tzinfo=UTC)),
            ("2w ago", datetime(2024, 3, 17, 12, tzinfo=UTC)),
            ("1mo", datetime(2024, 2, 29, 12, tzinfo=UTC)),
            ("6mo", datetime(2023, 9, 30, 12, tzinfo=UTC)),
            ("1y", datetime(2023, 3, 31, 12, tzinfo=UTC)),
        ],
    )
    def test_forms(self, text: str, expected: datetime) -> None:
        """Dates, times with and without offset, and times ago; months are the calendar's."""
        assert expected == parse_moment(text, NOW)

    @pytest.mark.parametrize("text", ["", "yesterday", "3", "3m", "-3d", "99999y", "2024-13-01"])
    def test_refuses_anything_else(self, text: str) -> None:
        """What names no point in time is refused, showing what can be written."""
        with pytest.raises(MomentInvalid) as caught:
            parse_moment(text, NOW)

        assert "`3d`" in caught.value.hint
