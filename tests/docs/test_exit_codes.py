"""The page of exit codes is the code's own table, and nothing ends with another number."""

from __future__ import annotations

import re

from cdp_pipeline.errors import CdpError, ExitCode
from tests.conftest import ROOT

PAGE = (ROOT / "docs/reference/exit-codes.md").read_text()
_NUMBER = re.compile(r"(?:typer\.Exit|sys\.exit|os\._exit)\((\d+)\)|exit_code = (\d+)")


def test_every_code_is_explained() -> None:
    """Each member has a row that says when."""
    for code in ExitCode:
        assert re.search(rf"^\| {code.value} \| `{code.name}` \| \w.+ \|$", PAGE, re.MULTILINE)


def test_every_error_ends_with_a_code_of_the_table() -> None:
    """Whatever class an error is of, its exit code is a member."""
    classes = [CdpError]
    for each in classes:
        classes += each.__subclasses__()
        assert isinstance(each.exit_code, ExitCode), each


def test_no_command_ends_with_a_bare_number() -> None:
    """Commands name the member; only the first lines of the program cannot import it."""
    for folder in ("cli", "host", "manager", "scaffold", "testing"):
        for path in (ROOT / "src/cdp_pipeline" / folder).rglob("*.py"):
            if path.name != "entry.py" and "templates" not in path.parts:
                assert [] == _NUMBER.findall(path.read_text()), path
