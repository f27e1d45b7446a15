"""The plugin as a host runs it: `start_test_plugin` comes with flowctl."""

from pathlib import Path

FOLDER = Path(__file__).parent


def test_it_counts_as_far_as_it_is_told(start_test_plugin):
    reading = start_test_plugin(FOLDER, config={"count": 3}).read(10)
    assert [message.payload["square"] for message in reading.messages] == [1, 4, 9]
    assert reading.ended


def test_it_gives_the_same_at_every_run(start_test_plugin):
    first, second = (start_test_plugin(FOLDER).read(10) for _ in range(2))
    payloads = [message.payload for message in first.messages]
    assert payloads == [message.payload for message in second.messages]
    assert len(payloads) == 10
