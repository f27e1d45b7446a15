"""Errors are instructions to the host: they carry a code, a message and a hint, everywhere."""

from __future__ import annotations

import copy
import pickle

import pytest

from cdpplugin import (
    ConfigInvalid,
    Drop,
    Fatal,
    PayloadInvalid,
    PluginError,
    Retry,
    UnsupportedEncoding,
)
from cdpplugin.function import as_plugin_error

CODES = {
    PluginError: "plugin.failed",
    ConfigInvalid: "plugin.config_invalid",
    UnsupportedEncoding: "plugin.encoding_unsupported",
    PayloadInvalid: "message.payload_invalid",
    Retry: "plugin.retry",
    Fatal: "plugin.fatal",
}


@pytest.mark.parametrize(("kind", "code"), CODES.items())
def test_codes_are_stable(kind: type[PluginError], code: str) -> None:
    """Each class has the code that the documentation says."""
    assert (code, "", "why") == (kind("why").code, kind("why").hint, str(kind("why")))


def test_drop_is_known_by_its_reason() -> None:
    """The reason is what is counted."""
    assert ("plugin.drop", "too small") == (Drop("too small").code, Drop("too small").reason)
    assert "dropped" == Drop().reason


def test_an_instance_may_narrow_its_code_and_hint() -> None:
    """The class keeps its own."""
    error = Fatal("gone", code="lake.gone", hint="look for it")

    assert ("lake.gone", "look for it") == (error.code, error.hint)
    assert ("plugin.fatal", "") == (Fatal.code, Fatal.hint)


def test_a_subclass_may_have_a_code_of_its_own() -> None:
    """Authors narrow by deriving, too."""

    class Gap(Retry):
        code = "lake.gap"

    error = Gap("ledger 7 is missing", after_s=2.0)
    assert ("lake.gap", 2.0) == (error.code, error.after_s)


@pytest.mark.parametrize(
    "error",
    [
        PluginError("a", code="x.y", hint="h"),
        Retry("b", after_s=1.5, hint="h"),
        Retry(),
        Drop("c"),
        Fatal("d", code="x.z"),
    ],
    ids=repr,
)
def test_errors_survive_copies_and_pickles(error: PluginError) -> None:
    """What crosses to another process says the same there."""
    for same in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(error) is type(same)
        assert vars(error) == vars(same)
        assert str(error) == str(same)


def test_foreign_exceptions_keep_their_name_text_and_cause() -> None:
    """An author's own exception is not hidden behind the contract's."""
    foreign = KeyError("amount")
    error = as_plugin_error(foreign)

    assert "KeyError: 'amount'" == str(error)
    assert foreign is error.__cause__


def test_the_contracts_own_errors_are_left_as_they_are() -> None:
    """An instruction is not wrapped."""
    retry = Retry("later")

    assert retry is as_plugin_error(retry)
