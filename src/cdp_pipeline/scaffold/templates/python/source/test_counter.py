"""The work alone; `flowctl test .` tries the whole plugin."""

from counter import Counter


def test_it_counts_as_far_as_it_is_told() -> None:
    counter = Counter()
    counter.configure({"count": 3})
    assert [message.payload["square"] for message in counter.read()] == [1, 4, 9]


def test_it_gives_the_same_at_every_run() -> None:
    counter = Counter()
    first, second = ([message.payload for message in counter.read()] for _ in range(2))
    assert first == second
    assert len(first) == 10
