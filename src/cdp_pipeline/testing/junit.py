"""Results of cases in the form that build servers read.

Source: the JUnit XML format as Jenkins' xUnit plugin and GitLab take it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from xml.etree import ElementTree as Xml  # writes only: nothing foreign is read

from cdp_pipeline.testing.case_runs import CaseResult

_CONTROL = dict.fromkeys((*range(9), 11, 12, *range(14, 32)), "�")


def write_junit(path: Path, results: Sequence[CaseResult]) -> None:
    """Write *results* to *path*, a suite a file."""
    root = Xml.Element("testsuites", name="flowctl test")
    for file, found in groupby(results, key=lambda result: result.file):
        cases = list(found)
        failed = sum(case.has_failed for case in cases)
        suite = Xml.SubElement(
            root,
            "testsuite",
            name=file,
            tests=str(len(cases)),
            failures=str(failed),
            skipped=str(sum(bool(case.skipped) for case in cases)),
            time=f"{sum(case.elapsed_s for case in cases):.4f}",
        )
        for case in cases:
            element = Xml.SubElement(
                suite,
                "testcase",
                classname=file,
                name=case.name.translate(_CONTROL),
                time=f"{case.elapsed_s:.4f}",
            )
            if case.skipped:
                Xml.SubElement(element, "skipped", message=case.skipped.translate(_CONTROL))
            elif case.has_failed:
                text = "\n".join(case.mismatches).translate(_CONTROL)
                failure = Xml.SubElement(element, "failure", message=text.splitlines()[0])
                failure.text = text
    path.parent.mkdir(parents=True, exist_ok=True)
    Xml.indent(root)
    Xml.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
