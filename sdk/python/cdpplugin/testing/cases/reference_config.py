"""The configuration reaches the code of a plugin whole, and what does not fit is refused."""

from __future__ import annotations

from typing import Any

from cdpplugin.errors import ConfigInvalid, Fatal, PluginError, Retry
from cdpplugin.testing.asking import ask_on, do
from cdpplugin.testing.bench import CONTEXT, Bench
from cdpplugin.testing.case import Failed, case, equal, fail, require
from cdpplugin.testing.cases.config import UNKNOWN_KEY
from cdpplugin.testing.samples import AWKWARD


async def _refusal(bench: Bench, config: dict[str, Any]) -> ConfigInvalid:
    """Return how *config* is refused.

    Raises:
        Failed: It is not, or not with `ConfigInvalid`.
    """
    async with bench.instance() as handle:
        try:
            await handle.configure(config)
        except ConfigInvalid as error:
            return error
        except Exception as error:
            fail(f"expected ConfigInvalid, got {type(error).__name__}: {error}")
    raise Failed("the configuration was taken")


@case("processor", reference=True)
async def reaches(bench: Bench) -> None:
    """The function sees the configuration as it was given, exact in every value."""
    async with bench.life(greeting="grüß", extra=AWKWARD) as handle:
        answer = await ask_on(handle, bench, do("config"))
        equal({"greeting": "grüß", "extra": AWKWARD}, answer.one().payload, "the configuration")


@case("processor", reference=True)
async def empty(bench: Bench) -> None:
    """An empty configuration reaches the function as an empty object."""
    async with bench.life() as handle:
        answer = await ask_on(handle, bench, do("config"))
        equal({}, answer.one().payload, "the configuration")


@case(reference=True)
async def refused(bench: Bench) -> None:
    """An unknown key is refused; the message names it, the hint says what to do."""
    async with bench.folder() as folder:
        error = await _refusal(bench, bench.config(folder, **{UNKNOWN_KEY: 1}))
    require(UNKNOWN_KEY in str(error), f"the message does not name the key: {error}")
    require(error.hint, "the refusal has no hint")
    equal(ConfigInvalid.code, error.code, "the code of the refusal")


@case("processor", reference=True)
async def wrong_type(bench: Bench) -> None:
    """A value of the wrong type is refused; the message names its key."""
    error = await _refusal(bench, {"greeting": 5})
    require("greeting" in str(error), f"the message does not name the key: {error}")


@case("processor", reference=True)
async def start_fails(bench: Bench) -> None:
    """A start that fails tells why, as the instruction it is, and the plugin stops after it."""
    for instruction, kind in (("fail", PluginError), ("retry", Retry), ("fatal", Fatal)):
        error = await _failed_start(bench, instruction)
        require(isinstance(error, kind), f"`{instruction}` came as {type(error).__name__}: {error}")
        equal("reference.start", error.code, f"the code of `{instruction}`")
        require("cannot start" in str(error), f"the message of `{instruction}` is `{error}`")
        equal("start it otherwise", error.hint, f"the hint of `{instruction}`")


@case("processor", reference=True)
async def start_panics(bench: Bench) -> None:
    """A start that raises anything else fails with its text, and is no instruction."""
    error = await _failed_start(bench, "panic")
    require("start panicked" in str(error), f"the message is `{error}`")
    require(not isinstance(error, Retry | Fatal), f"it came as {type(error).__name__}")


async def _failed_start(bench: Bench, start: str) -> PluginError:
    async with bench.instance() as handle:
        await handle.configure({"start": start})
        try:
            await handle.start(CONTEXT)
        except Exception as error:
            await handle.stop()
            return error if isinstance(error, PluginError) else PluginError(str(error))
    raise Failed(f"it started with `start: {start}`")
