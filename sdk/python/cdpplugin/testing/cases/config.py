"""The configuration is taken, or refused in a way that helps."""

from __future__ import annotations

from collections.abc import Mapping

from cdpplugin.errors import ConfigInvalid
from cdpplugin.testing.bench import Bench
from cdpplugin.testing.case import Skipped, case, fail, require

UNKNOWN_KEY = "conformance-unknown-key"


@case()
async def accepted(bench: Bench) -> None:
    """A configuration that fits is taken, in every new instance."""
    for _ in range(2):
        async with bench.instance() as handle, bench.folder() as folder:
            await bench.configure(handle, folder)


@case()
async def unknown_key(bench: Bench) -> None:
    """A key that the schema forbids is refused with `ConfigInvalid` and a message."""
    schema = bench.metadata.config_schema
    if schema.get("additionalProperties") is not False:
        raise Skipped("the schema forbids no key")
    async with bench.instance() as handle, bench.folder() as folder:
        try:
            await handle.configure(bench.config(folder, **{UNKNOWN_KEY: 1}))
        except ConfigInvalid as error:
            require(str(error).strip(), "the refusal has no message")
            return
        except Exception as error:
            fail(f"expected ConfigInvalid, got {type(error).__name__}: {error}")
    raise Skipped("left to the host, which checks the schema before it configures")


@case()
async def untouched(bench: Bench) -> None:
    """The configuration that was handed over is not changed by the plugin."""
    async with bench.instance() as handle, bench.folder() as folder:
        await bench.configure(handle, folder)
        given: Mapping[str, object] = bench.config(folder)
        before = repr(given)
        await handle.configure(given)
        require(before == repr(given), f"it was changed to {given!r}")
