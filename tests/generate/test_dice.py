"""The choices that a seed fixes."""

from __future__ import annotations

from cdp_pipeline.connectors.stellar.generate.dice import Dice


def test_choices_are_the_same_everywhere() -> None:
    """The sequence of a seed is pinned: it must not depend on Python's version."""
    dice = Dice(1)
    got = [dice.below(1000), dice.between(5, 7), dice.pick("abcdef"), dice.octets(2).hex()]
    assert [134, 7, "e", "417e"] == got


def test_amounts_stay_in_their_decades() -> None:
    """Amounts start at 0.1 and end below ten to the number of decades minus one units."""
    dice = Dice(3)
    amounts = [dice.amount(4) for _ in range(5000)]
    assert min(amounts) >= 10**6
    assert max(amounts) < 10**10
    assert any(amount < 10**7 for amount in amounts)
    assert any(amount >= 10**9 for amount in amounts)


def test_chances() -> None:
    """A chance of 0 never happens, a chance of 1 always."""
    dice = Dice(5)
    assert not any(dice.chance(0) for _ in range(100))
    assert all(dice.chance(1) for _ in range(100))
