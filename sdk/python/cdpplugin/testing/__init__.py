"""Tests of plugins: one by itself in a unit test, and the conformance suite.

    with testing.start_test_plugin(large_payments, config={"least": 10}) as plugin:
        assert plugin.process({"type": "Payment", "payload": {"amount": 5}}) is None

The suite says what a plugin is, as cases that any plugin can be tried on:

    subject = testing.Subject(name="mine", launch=launch)
    report = asyncio.run(testing.run(subject))
    assert report.conforms, report.of("failed")

The cases know a plugin only through the protocols of `cdpplugin.protocols`, so that they
hold for every runtime and every language; what launches it is the caller's. They need no
test framework. `spec/conformance.md` says what each group is about, and what a reference
plugin does.
"""

from cdpplugin.testing.bench import FOLDER, Bench, Launch, Subject
from cdpplugin.testing.case import CONFORMANCE_VERSION, Case, Failed, Skipped, all_cases
from cdpplugin.testing.plugin import Answer, Reading, TestPlugin
from cdpplugin.testing.report import Report, Result
from cdpplugin.testing.runner import UnknownCase, run
from cdpplugin.testing.starting import start_test_plugin

__all__ = [
    "CONFORMANCE_VERSION",
    "FOLDER",
    "Answer",
    "Bench",
    "Case",
    "Failed",
    "Launch",
    "Reading",
    "Report",
    "Result",
    "Skipped",
    "Subject",
    "TestPlugin",
    "UnknownCase",
    "all_cases",
    "run",
    "start_test_plugin",
]
