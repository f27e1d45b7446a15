"""Which of a plugin's own cases hold for an instance that runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp_pipeline.artifacts.self_test import FILE_NAME, cases_for
from cdp_pipeline.errors import ConfigError

CASES = "test_cases:\n- {name: one, input: {type: T}, expect: drop}\n"


def names(folder: Path, text: str, environ: dict[str, str], config: dict[str, int]) -> list[str]:
    (folder / FILE_NAME).write_text(text + CASES)
    return [case.name for case in cases_for(folder, environ, config)]


def test_of_a_configuration(tmp_path: Path) -> None:
    """Cases for a configuration hold with that one only; those without one with any."""
    assert ["one"] == names(tmp_path, "", {}, {"n": 1})
    assert ["one"] == names(tmp_path, "config: {n: 1}\n", {}, {"n": 1})
    assert [] == names(tmp_path, "config: {n: 1}\n", {}, {"n": 2})
    assert [] == names(tmp_path, "config: {}\n", {}, {"n": 1})
    assert ["one"] == names(tmp_path, "config:\n  n: ${N}\n", {"N": "1"}, {"n": 1})


def test_of_variables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Cases are ignored where a variable is missing that they require, and a line says so."""
    text = "requires_env: [CASES_N]\nconfig:\n  n: ${CASES_N}\n"
    assert [] == names(tmp_path, text, {}, {"n": 1})
    said = capsys.readouterr()
    assert "CASES_N not set" in said.out + said.err
    assert ["one"] == names(tmp_path, text, {"CASES_N": "1"}, {"n": 1})


def test_none(tmp_path: Path) -> None:
    """A plugin need not bring any; a file with faults is refused."""
    assert [] == list(cases_for(tmp_path, {}, {}))
    with pytest.raises(ConfigError, match=r"config\.n"):
        names(tmp_path, "config:\n  n: ${N}\n", {}, {})


def test_of_a_folder_for_the_cases(tmp_path: Path) -> None:
    """A configuration that names the folder of the cases is none that a plugin runs with."""
    assert [] == names(tmp_path, 'config: {n: "${FOLDER}"}\n', {}, {"n": 1})
