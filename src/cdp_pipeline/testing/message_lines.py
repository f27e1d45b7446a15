"""Messages as lines of JSON: read those that people write, and those that commands print.

A line with the members of a message (`type`, `payload`, perhaps `id` and `metadata`, no others)
is one. Any other JSON value is a payload, whose type must be told.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence

from cdp_pipeline.connectors.sources.byte_stream import STDIN, ByteStream
from cdp_pipeline.connectors.sources.json_rows import JsonRowReader, LineInvalid
from cdp_pipeline.connectors.sources.text_lines import Line, LineCutter
from cdp_pipeline.errors import ConfigError, UsageError
from cdp_pipeline.testing.asking import singles
from cdpplugin import Batch, SourceInfo

_LONGEST_LINE_BYTES = 100_000_000


async def read_messages(path: str, type: str = "") -> AsyncIterator[Batch]:  # noqa: A002
    """Yield the messages in *path* (`-`: standard input) one by one, as soon as they come.

    Args:
        path: The file.
        type: The type of payloads.

    Raises:
        ConfigError: config.unreadable.
        UsageError: A line is no JSON, or a payload whose type nobody told; its `where` names it.
    """
    name = "stdin" if path == STDIN else path
    lines = LineCutter(name, max_line_bytes=_LONGEST_LINE_BYTES)
    reader = JsonRowReader("either", type=type)
    source = SourceInfo(name="messages")
    stream = ByteStream(path)
    try:
        while chunk := await stream.read():
            for single in _messages(lines.feed(chunk), reader, name, source):
                yield single
        for single in _messages(lines.finish(), reader, name, source):
            yield single
    except OSError as error:
        raise ConfigError(
            f"`{path}` cannot be read: {error.strerror}", code="config.unreadable", where=path
        ) from error
    except LineInvalid as error:
        raise _refused(error, name) from error
    finally:
        await stream.close()


def _messages(
    lines: Sequence[Line], reader: JsonRowReader, name: str, source: SourceInfo
) -> Iterator[Batch]:
    """Yield the messages in *lines*, up to the first that cannot be used."""
    rows = reader.read(lines, name)
    for row, single in enumerate(singles(rows.batch(source))):
        if not rows.types[row]:
            raise _without_type(f"{name}:{rows.numbers[row]}")
        yield single
    if rows.error is not None:
        raise rows.error


def _refused(error: LineInvalid, name: str) -> UsageError:
    where = f"{name}:{error.line}"
    message = error.message.removeprefix(f"{where}: ")
    return UsageError(
        message, code=error.code, where=where, hint="write one JSON value on each line"
    )


def _without_type(where: str) -> UsageError:
    return UsageError(
        "expected a message of `type` and `payload`, got a payload, and nobody says its type",
        code="usage.type_missing",
        where=where,
        hint='add `--type TYPE`, or write `{"type": ..., "payload": ...}`',
    )
