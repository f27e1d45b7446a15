"""Read a point in time as people write it: a date, a time, or how long ago."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta

from cdpplugin import ConfigInvalid

_AGO = re.compile(r"(\d{1,6})\s*(s|min|h|d|w|mo|y)(?:\s+ago)?")
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


class MomentInvalid(ConfigInvalid):
    """A text that names no point in time."""

    code = "lake.time_invalid"


def parse_moment(text: str, now: datetime | None = None) -> datetime:
    """Return the point in time that *text* names, in UTC.

    `2024-01-01T00:00:00Z` (without an offset: UTC), `2024-01-01` (its first
    second), or a time ago: a number and `s`, `min`, `h`, `d`, `w`, `mo` or `y`,
    such as `3d`, `6mo`, `1y`. Months and years are those of the calendar.

    Args:
        text: What the user wrote.
        now: The moment that times ago count from; None for the clock.

    Raises:
        MomentInvalid: *text* is none of these.
    """
    now = datetime.now(UTC) if now is None else now
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago is not None:
            return _before(now, int(ago[1]), ago[2])
        moment = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError) as error:
        raise MomentInvalid(
            f"a time expected, got `{text}`",
            hint="write `2024-01-01T00:00:00Z`, `2024-01-01`, or a time ago such as `3d`, "
            "`6mo` or `1y`",
        ) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _before(now: datetime, count: int, unit: str) -> datetime:
    if unit in _SECONDS:
        return now - timedelta(seconds=count * _SECONDS[unit])
    months = now.year * 12 + now.month - 1 - count * (12 if unit == "y" else 1)
    year, month = months // 12, months % 12 + 1
    # A month before 31 March is the last day of February.
    day = min(now.day, calendar.monthrange(year, month)[1])
    return now.replace(year=year, month=month, day=day)
