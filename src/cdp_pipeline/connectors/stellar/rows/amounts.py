"""Turns stroops (1e-7 of a unit, int64) and prices into the numbers rows hold."""

from __future__ import annotations

STROOPS_PER_UNIT = 10_000_000


def units(stroops: str | int) -> float:
    """Return an amount in whole units, the float nearest to the exact value."""
    return int(stroops) / STROOPS_PER_UNIT


def decimal(stroops: str | int) -> str:
    """Return an amount in whole units as text with seven decimals."""
    value = int(stroops)
    sign = "-" if value < 0 else ""
    whole, fraction = divmod(abs(value), STROOPS_PER_UNIT)
    return f"{sign}{whole}.{fraction:07d}"


def price(numerator: int, denominator: int) -> float | None:
    """Return a price rounded to seven decimals, half away from zero; None when it is undefined."""
    if denominator == 0:
        return None
    sign = -1 if (numerator < 0) != (denominator < 0) else 1
    top, bottom = abs(numerator) * STROOPS_PER_UNIT, abs(denominator)
    return sign * ((2 * top + bottom) // (2 * bottom)) / STROOPS_PER_UNIT
