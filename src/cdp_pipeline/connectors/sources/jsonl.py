"""`jsonl`: read messages from files or standard input, one JSON value a line.

Positions are line numbers over all files in the order of their names, from 1; blank lines
count. An id is `file:line` (the file relative to the folder that all have in common), the
line's own `id`, or a field of the payload. A file that was cut or replaced between two runs,
or while it is followed, is noticed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, model_validator

from cdpplugin import (
    Base,
    Context,
    HealthStatus,
    PluginMetadata,
    Resume,
    SourceBatch,
    SourceDescription,
    SourceInfo,
)

from ..settings import DurationS, Settings, SizeBytes, settings_of
from .byte_stream import STDIN, ByteStream
from .file_set import FileSet, Token, decode_token, name_digest
from .json_rows import Format, JsonRowReader, JsonRows
from .line_file import FileUnreadable, LineFile, Place
from .text_lines import Line, LineCutter

# The host installs the handler, which shows the fields given as `extra`.
_log = logging.getLogger(__name__)
_LOGGED_SKIPS = 10


class JsonLinesSettings(Settings):
    """Settings of `jsonl`."""

    path: str = Field(
        description="File, glob (`*`, `?`, `[...]`, `**` for folders in folders) or `-` for "
        "standard input. Several files are read in the order of their names.",
        examples=["payments.jsonl", "export/2024-*/*.jsonl"],
        json_schema_extra={"format": "path"},
    )
    format: Format = Field(
        default="payload",
        description="What a line holds: `payload`, any JSON value; or `message`, an object of "
        "`payload` and, if there, `id`, `type` and `metadata`, as `save-to-jsonl` writes them.",
    )
    type_: str = Field(
        default="json",
        alias="type",
        min_length=1,
        description="Message type of lines that tell none.",
    )
    id_field: str = Field(
        default="",
        description="Payload field whose value is the message's id, a dotted path. "
        "By default the id is `file:line`.",
        examples=["id", "transaction.hash"],
    )
    network: str | None = Field(
        default=None,
        description="Stellar network of the messages: `mainnet`, `pubnet`, `testnet`, "
        "`futurenet` or a passphrase; by default the pipeline's, or none.",
    )
    follow: bool = Field(
        default=False,
        description="Go on at the end: wait for lines to be added, and for files whose names "
        "sort behind the others. A last line without its end waits until it has one.",
    )
    poll_interval: DurationS = Field(
        default=0.5, description="With `follow`: wait between two looks at the file."
    )
    on_invalid: Literal["fail", "skip"] = Field(
        default="fail",
        description="What happens at a line that is not valid: `fail` stops the pipeline there, "
        "`skip` leaves it out; the log tells how many were, and the first of them.",
    )
    batch_rows: int = Field(default=1000, ge=1, description="Lines passed on at once.")
    batch_bytes: SizeBytes = Field(
        default=4_000_000, description="Bytes after which lines are passed on at once."
    )
    max_line: SizeBytes = Field(default=100_000_000, description="Longest line accepted, in bytes.")

    @model_validator(mode="after")
    def _fits(self) -> JsonLinesSettings:
        if self.format == "message" and self.id_field:
            raise ValueError("`id_field` is for `format: payload`; a message has its own `id`")
        return self


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines of one file that were read at once, and where to go on after them."""

    lines: list[Line]
    name: str
    lines_before: int
    token: bytes = b""


class JsonLines(Base):
    """Source of type `jsonl`."""

    def __init__(self) -> None:
        self._settings = JsonLinesSettings(path=STDIN)
        self._reader = JsonRowReader("payload", type="json")
        self._source = SourceInfo()
        self._skipped = 0

    def metadata(self) -> PluginMetadata:
        return PluginMetadata(
            name="jsonl",
            version="0.1.0",
            type="source",
            description="Messages from files or standard input, one JSON value a line",
            config_schema=JsonLinesSettings.model_json_schema(),
        )

    async def configure(self, config: Mapping[str, Any]) -> None:
        settings = settings_of(JsonLinesSettings, config)
        self._settings = settings
        self._reader = JsonRowReader(
            settings.format,
            type=settings.type_,
            id_field=settings.id_field.split(".") if settings.id_field else (),
            skip_invalid=settings.on_invalid == "skip",
        )
        self._source = self._source_info(settings.network or "")

    async def start(self, context: Context) -> None:
        if not self._settings.network:
            self._source = self._source_info(context.network)
        if self._settings.path != STDIN:
            names = await asyncio.to_thread(FileSet(self._settings.path).names)
            if not names and not self._settings.follow:
                raise FileUnreadable(
                    f"no file found by `{self._settings.path}`",
                    hint="check `path`, or set `follow: true` to wait for one",
                )

    def _source_info(self, network: str) -> SourceInfo:
        passphrase = ""
        if network:
            from ..stellar.networks import resolve_network

            passphrase = resolve_network(network).passphrase
        place = "stdin" if self._settings.path == STDIN else self._settings.path
        return SourceInfo("jsonl", passphrase, place)

    async def stop(self) -> None:
        if self._skipped:
            _log.warning("invalid lines skipped", extra={"lines": self._skipped})

    async def describe(self) -> SourceDescription:
        """Name the stream by its files' names, not by the folder they are in."""
        path = self._settings.path
        name = path if path == STDIN else FileSet(path).pattern
        return SourceDescription(
            identity=f"jsonl:{name}", network=self._source.network, unit="lines", first=1
        )

    async def health(self) -> HealthStatus:
        if not self._skipped:
            return HealthStatus()
        return HealthStatus("degraded", f"{self._skipped} invalid lines skipped")

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        """Yield the lines after *after*; standard input begins at line 1 in every run."""
        done = after.position if after else 0
        blocks = self._stream() if self._settings.path == STDIN else self._files(after)
        async with aclosing(blocks):
            async for block in blocks:
                last = block.lines_before + block.lines[-1].number
                if last <= done:
                    continue
                fresh = [line for line in block.lines if block.lines_before + line.number > done]
                rows = await asyncio.to_thread(self._reader.read, fresh, block.name)
                yield self._source_batch(block, rows, last)
                if rows.error is not None:
                    raise rows.error

    def _source_batch(self, block: _Block, rows: JsonRows, last: int) -> SourceBatch:
        for skipped in rows.skipped:
            self._skipped += 1
            if self._skipped <= _LOGGED_SKIPS:
                _log.warning("line skipped", extra={"error": skipped.message})
        positions = [block.lines_before + number for number in rows.numbers]
        token = block.token
        if rows.error is not None:
            last, token = block.lines_before + rows.error.line - 1, b""
        return SourceBatch(rows.batch(self._source), positions, last, token)

    async def _stream(self) -> AsyncGenerator[_Block, None]:
        settings = self._settings
        stream = ByteStream(STDIN)
        cutter = LineCutter("stdin", max_line_bytes=settings.max_line)
        try:
            while chunk := await self._chunk(stream):
                lines = await asyncio.to_thread(cutter.feed, chunk)
                for at in range(0, len(lines), settings.batch_rows):
                    yield _Block(lines[at : at + settings.batch_rows], "stdin", 0)
            if lines := cutter.finish():
                yield _Block(lines, "stdin", 0)
        finally:
            await stream.close()

    async def _chunk(self, stream: ByteStream) -> bytes:
        try:
            return await stream.read()
        except OSError as error:
            raise FileUnreadable(f"cannot read standard input: {error.strerror}") from error

    async def _files(self, after: Resume | None) -> AsyncGenerator[_Block, None]:
        files = FileSet(self._settings.path)
        token = decode_token(after.token) if after else None
        while token is None:
            names = await asyncio.to_thread(files.names)
            if names:
                token = Token(names[0], Place())
            elif self._settings.follow:
                await asyncio.sleep(self._settings.poll_interval)
            else:
                return
        following: Token | None = token
        while following is not None:
            token, following = following, None
            async with aclosing(self._file(files, token)) as blocks:
                async for block in blocks:
                    if isinstance(block, Token):
                        following = block
                    else:
                        yield block

    async def _file(self, files: FileSet, token: Token) -> AsyncGenerator[_Block | Token, None]:
        """Yield the lines of one file, then a token for the next one, if there is one."""
        settings = self._settings
        limit = settings.max_line
        path = files.path_of(token.file)
        file = await asyncio.to_thread(LineFile, path, token.place, max_line_bytes=limit)
        try:
            later: list[str] = []
            while True:
                unfinished = bool(later) or not settings.follow
                block = await asyncio.to_thread(self._block, file, token, unfinished)
                if block.lines:
                    yield block
                elif later or not settings.follow:
                    break
                else:
                    await asyncio.to_thread(file.check_kept)
                    later = await asyncio.to_thread(files.after, token.file, token.done)
                    if not later:
                        await asyncio.sleep(settings.poll_interval)
            later = later or await asyncio.to_thread(files.after, token.file, token.done)
            if later:
                done = (*token.done, name_digest(token.file))
                yield Token(later[0], Place(), token.lines_before + file.place.line, done)
        finally:
            file.close()

    def _block(self, file: LineFile, token: Token, unfinished: bool) -> _Block:
        settings = self._settings
        lines = file.read(
            max_lines=settings.batch_rows, max_bytes=settings.batch_bytes, unfinished=unfinished
        )
        if not lines:
            return _Block([], token.file, token.lines_before)
        here = Token(token.file, file.marked(), token.lines_before, token.done)
        return _Block(lines, token.file, token.lines_before, here.encode())
