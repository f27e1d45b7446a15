"""The type table: fresh, and named as others name the types."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import stellar_sdk.xdr

from cdp_pipeline.connectors.stellar.xdr import XdrError, type_names
from cdp_pipeline.connectors.stellar.xdr.schema import Schema, load_schema

REPOSITORY = Path(__file__).parents[2]
DATA = Path(os.environ.get("CDP_TEST_DATA", REPOSITORY / "../shared/data"))
DEFINITIONS = DATA / "xdr/py-stellar-base_xdr"


@pytest.mark.skipif(not DEFINITIONS.exists(), reason=f"no XDR files in {DEFINITIONS}")
def test_is_made_from_the_definitions() -> None:
    """The committed table is what the generator makes of the `.x` files of protocol 27."""
    script = REPOSITORY / "scripts/xdr_schema.py"
    command = [sys.executable, str(script), str(DEFINITIONS), "--check"]

    assert 0 == subprocess.run(command, check=False).returncode


class TestTypeNames:
    def test_are_those_of_stellar_sdk(self) -> None:
        """Nested anonymous types too have the names that other libraries give them."""
        known = {name.lower() for name in dir(stellar_sdk.xdr)}

        assert [] == [name for name in type_names() if name.lower() not in known]

    def test_are_all_found(self) -> None:
        schema = load_schema()

        assert list(type_names()) == [schema.names[schema.number(n)] for n in type_names()]

    def test_unknown_name_is_refused(self) -> None:
        with pytest.raises(XdrError, match="`Ledger` is not an XDR type"):
            load_schema().number("Ledger")


def test_other_file_is_refused() -> None:
    """A file that is not a type table is not interpreted as one."""
    with pytest.raises(ValueError, match=r"schema\.bin"):
        Schema(b"something else")
