"""What an author raises is an instruction to the host, and costs its own row only."""

from __future__ import annotations

from cdpplugin.errors import Fatal, PluginError, Retry
from cdpplugin.testing.asking import ECHO, ask, do
from cdpplugin.testing.bench import Bench
from cdpplugin.testing.case import case, equal, require
from cdpplugin.testing.samples import TEXTS


def _plain(error: PluginError) -> None:
    kind = type(error).__name__
    require(not isinstance(error, Retry | Fatal), f"a plain error came as {kind}: {error}")


@case("processor", reference=True)
async def told(bench: Bench) -> None:
    """An error arrives with its code, its message and its hint."""
    texts = {"message": "no such account é", "code": "reference.test", "hint": "make it `é` first"}
    answer = await ask(bench, do("fail", **texts), do("fail"))
    error = answer.error(0)
    _plain(error)
    got = {"message": str(error), "code": error.code, "hint": error.hint}
    equal(texts, got, "the error")
    bare = answer.error(1)
    equal(("failed", PluginError.code, ""), (str(bare), bare.code, bare.hint), "a bare error")


@case("processor", reference=True)
async def row_only(bench: Bench) -> None:
    """A bad row among good ones costs no other, wherever it stands."""
    for bad in (0, 3, 6):
        payloads = [do("fail") if row == bad else {"do": "echo", "row": row} for row in range(7)]
        answer = await ask(bench, *payloads)
        equal([bad], list(answer.errors), "the rows that failed")
        good = [row for row in range(7) if row != bad]
        equal(good, [answer.one(row).payload["row"] for row in good], "the others")


@case("processor", reference=True)
async def every_row(bench: Bench) -> None:
    """Where every row fails, every row has its own error."""
    answer = await ask(bench, *(do("fail", message=f"row {row}") for row in range(50)))
    equal([f"row {row}" for row in range(50)], [str(answer.error(r)) for r in range(50)], "errors")


@case("processor", reference=True)
async def retry(bench: Bench) -> None:
    """A retry arrives as one, with the wait its author asks for."""
    answer = await ask(bench, do("retry", after_s=1.25), do("retry"), ECHO)
    for row, expected in enumerate((1.25, None)):
        error = answer.error(row)
        require(isinstance(error, Retry), f"row {row} came as {type(error).__name__}")
        assert isinstance(error, Retry)
        equal(expected, error.after_s, f"the wait of row {row}")
        equal("busy", str(error), f"the message of row {row}")
    answer.one(2)


@case("processor", reference=True)
async def fatal(bench: Bench) -> None:
    """A fatal error arrives as one, with its code, message and hint."""
    wanted = do("fatal", message="the ledger is gone", code="reference.gone", hint="restore it")
    answer = await ask(bench, ECHO, wanted)
    error = answer.error(1)
    require(isinstance(error, Fatal), f"it came as {type(error).__name__}")
    expected = ("the ledger is gone", "reference.gone", "restore it")
    equal(expected, (str(error), error.code, error.hint), "the error")


@case("processor", reference=True)
async def panic(bench: Bench) -> None:
    """An exception that is no instruction fails its row with its text; the plugin works on."""
    answer = await ask(bench, ECHO, do("panic", message="index out of é"), ECHO)
    error = answer.error(1)
    _plain(error)
    require("index out of é" in str(error), f"the text is lost: {error}")
    require(error.code.startswith("plugin."), f"the code is `{error.code}`")
    equal([1, 0, 1], answer.counts, "the number of outputs a row")
    equal([1], (await ask(bench, ECHO)).counts, "the outputs of the next batch")


@case("processor", reference=True)
async def unknown(bench: Bench) -> None:
    """An action that nobody knows fails its row with the code `reference.unknown`."""
    answer = await ask(bench, do("somersault"), ECHO)
    equal("reference.unknown", answer.error(0).code, "the code")
    require("somersault" in str(answer.error(0)), "the message does not name the action")


@case("processor", reference=True)
async def texts(bench: Bench) -> None:
    """Messages and hints may hold any text."""
    wanted = [text for text in TEXTS if text]
    answer = await ask(bench, *(do("fail", message=text, hint=text) for text in wanted))
    for row, text in enumerate(wanted):
        error = answer.error(row)
        equal((text, text), (str(error), error.hint), f"message and hint of row {row}")


@case("processor", reference=True)
async def long_text(bench: Bench) -> None:
    """A message of 100,000 characters arrives, cut perhaps, from its beginning."""
    answer = await ask(bench, do("fail", message="begin " + "x" * 100_000), ECHO)
    require(str(answer.error(0)).startswith("begin xxxx"), f"it is `{str(answer.error(0))[:50]}`")
    answer.one(1)
