"""The guide to hot reload shows what is true."""

from __future__ import annotations

import re
from pathlib import Path

from cdp_pipeline.artifacts.cases import CaseAnswer
from cdp_pipeline.artifacts.self_test import FILE_NAME, cases_for
from cdpplugin import Batch, OutputPart, Outputs, PluginError

PAGE = Path(__file__).parents[2] / "docs/guides/hot-reload.md"


def test_its_cases(tmp_path: Path) -> None:
    """The file that it shows is read, and its three cases tell good answers from bad ones."""
    [text] = re.findall(r"```yaml\n(test_cases:.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / FILE_NAME).write_text(text)
    marked, dropped, refused = cases_for(tmp_path, {}, {})
    payment = Batch.of("Payment", [{"amount": 1000}], metadata=[{"large": True}])
    good = Outputs([OutputPart(payment, [0])])
    wrong = Outputs(errors={0: PluginError("no amount", code="amount.missing")})
    for case, answer in ((marked, good), (dropped, Outputs()), (refused, wrong)):
        found = [list(case.mismatches(CaseAnswer.of(each))) for each in (good, Outputs(), wrong)]
        assert [] == list(case.mismatches(CaseAnswer.of(answer)))
        assert 1 == found.count([])
