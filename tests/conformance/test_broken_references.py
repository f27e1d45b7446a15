"""A reference processor that loses part of the contract fails the case of that part."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from cdp_pipeline.runtimes.discovery import load_file
from cdpplugin import Batch, Context, HealthStatus, Message, Outputs, PluginError
from cdpplugin.function import FunctionProcessor, as_plugin_error

from .conftest import PLUGINS, Run

Processor: Any = type(load_file(f"{PLUGINS / 'reference-python' / 'plugin.py'}:ReferenceProcessor"))
Payload = dict[str, Any]


class RoundsIntegers(Processor):
    """Reads every number as a float."""

    def do_rewrite(self, message: Message, payload: Payload) -> Any:
        message.payload = json.loads(json.dumps(payload | {"rewritten": True}), parse_int=float)
        return message


class LosesTextMarks(Processor):
    """Writes text in ASCII."""

    def do_rewrite(self, message: Message, payload: Payload) -> Any:
        text = json.dumps(payload | {"rewritten": True}, ensure_ascii=False)
        message.payload = json.loads(text.encode("ascii", "replace"))
        return message


class MakesTruthsNumbers(Processor):
    """Writes true as 1 in metadata."""

    def do_metadata(self, message: Message, payload: Payload) -> Any:
        super().do_metadata(message, payload)
        for name, value in message.metadata.items():
            message.metadata[name] = int(value) if isinstance(value, bool) else value
        return message


class HidesSource(Processor):
    """Does not see where a message came from."""

    def do_describe(self, message: Message, payload: Payload) -> Any:
        super().do_describe(message, payload)
        message.payload["source"]["uri"] = ""
        return message


class LosesHint(Processor):
    """Tells errors without their hint."""

    def work(self, message: Message) -> Any:
        try:
            return super().work(message)
        except PluginError as error:
            error.hint = ""
            raise


class RetriesPlainly(Processor):
    """Asks for a retry as if it were any error."""

    def work(self, message: Message) -> Any:
        try:
            return super().work(message)
        except PluginError as error:
            raise PluginError(str(error), code=error.code, hint=error.hint) from error


class PanicsWholly(FunctionProcessor):
    """Lets a panic cost the whole batch."""

    def __init__(self) -> None:
        inner = Processor()
        super().__init__(inner.metadata(), inner.work)
        self.process_batch = self._whole

    def _whole(self, batch: Batch) -> Outputs:
        outputs = self._messages(batch)
        if any("RuntimeError" in str(error) for error in outputs.errors.values()):
            error = as_plugin_error(RuntimeError("index out of é"))
            return Outputs(errors=dict.fromkeys(range(len(batch)), error))
        return outputs


class ReversesOutputs(Processor):
    """Gives several outputs in the wrong order."""

    def do_many(self, message: Message, payload: Payload) -> Any:
        return list(reversed(super().do_many(message, payload)))


class InventsIds(Processor):
    """Gives new messages ids of its own."""

    def do_many(self, message: Message, payload: Payload) -> Any:
        outputs = super().do_many(message, payload)
        for output in outputs:
            output.id = output.id or f"id-{id(output)}"
        return outputs


class DropsReasons(Processor):
    """Drops messages without their reason."""

    def do_drop(self, message: Message, payload: Payload) -> Any:
        return None


class CutsBigOutputs(Processor):
    """Cuts what is longer than 4 MB."""

    def do_big(self, message: Message, payload: Payload) -> Any:
        message.payload = {"text": "x" * min(payload["size_bytes"], 4_000_000)}
        return message


class CountsTogether(Processor):
    """Shares its count with every other instance."""

    total = 0

    def do_count(self, message: Message, payload: Payload) -> Any:
        CountsTogether.total += 1
        message.payload = {"count": CountsTogether.total}
        return message


class ForgetsCount(Processor):
    """Hands over a state, and does not take it."""

    async def import_state(self, state: bytes) -> None:
        return


class LosesConfig(Processor):
    """Loses what it does not know of its configuration."""

    async def configure(self, config: Mapping[str, Any]) -> None:
        await super().configure(config)
        self.config = {name: value for name, value in config.items() if name != "extra"}


class TakesAnything(Processor):
    """Takes every configuration."""

    async def configure(self, config: Mapping[str, Any]) -> None:
        await super().configure({})


class LosesSchemas(Processor):
    """Forgets the schemas that it was told."""

    async def start(self, context: Context) -> None:
        await super().start(Context(context.pipeline, context.stage, context.network))


class AlwaysHealthy(Processor):
    """Is healthy, whatever happens."""

    async def health(self) -> HealthStatus:
        return HealthStatus()


class StopsTwice(Processor):
    """Closes what it has opened twice."""

    async def stop(self) -> None:
        await super().stop()
        await super().stop()


FAULTS: list[tuple[Callable[[], Any], str]] = [
    (RoundsIntegers, "reference.values.integers"),
    (LosesTextMarks, "reference.values.texts"),
    (MakesTruthsNumbers, "reference.values.metadata_set"),
    (HidesSource, "reference.values.seen"),
    (LosesHint, "reference.errors.told"),
    (RetriesPlainly, "reference.errors.retry"),
    (RetriesPlainly, "reference.errors.fatal"),
    (PanicsWholly, "reference.errors.panic"),
    (ReversesOutputs, "reference.outputs.many"),
    (InventsIds, "reference.outputs.ids"),
    (DropsReasons, "reference.outputs.dropped"),
    (CutsBigOutputs, "reference.outputs.big"),
    (CountsTogether, "reference.state.own"),
    (ForgetsCount, "reference.state.handed_over"),
    (LosesConfig, "reference.config.reaches"),
    (TakesAnything, "reference.config.refused"),
    (LosesSchemas, "reference.context.reaches"),
    (AlwaysHealthy, "reference.context.health"),
    (StopsTwice, "reference.context.life_once"),
]


@pytest.mark.parametrize(("broken", "case"), FAULTS, ids=lambda each: getattr(each, "__name__", ""))
def test_it_fails(broken: Callable[[], Any], case: str, run: Run) -> None:
    """The case of the part that is lost fails, and says why."""
    [result] = run(broken, case, bound_s=10.0).results
    assert ("failed", case) == (result.outcome, result.case)
    assert result.reason
