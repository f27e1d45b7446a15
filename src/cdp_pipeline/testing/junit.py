"""Results of cases in the form that build servers read.

Source: the JUnit XML format as Jenkins' xUnit plugin and GitLab take it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from xml.etree import ElementTree as Xml  # writes only: nothing foreign is read

from cdp_pipeline.testing.case_runs import CaseResult

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(path: Path, results: Sequence[CaseResult]) -> None:
    """Write *results* to *path*, a suite a file."""
    root = Xml.Element("testsuites", name="flowctl test")
    for file, found in groupby(results, key=lambda result: result.file):
        cases = list(found)
        failed = sum(case.has_failed for case in cases)
        suite = Xml.SubElement(
            root,
            "testsuite",
            name=_plain(file),
            tests=str(len(cases)),
            failures=str(failed),
            skipped=str(sum(bool(case.skipped) for case in cases)),
            time=f"{sum(case.elapsed_s for case in cases):.4f}",
        )
        for case in cases:
            element = Xml.SubElement(
                suite,
                "testcase",
                classname=_plain(file),
                name=_plain(case.name),
                time=f"{case.elapsed_s:.4f}",
            )
            if case.skipped:
                Xml.SubElement(element, "skipped", message=_plain(case.skipped))
            elif case.has_failed:
                text = _plain("\n".join(case.mismatches))
                failure = Xml.SubElement(element, "failure", message=text.splitlines()[0])
                failure.text = text
    path.parent.mkdir(parents=True, exist_ok=True)
    Xml.indent(root)
    Xml.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _plain(text: str) -> str:
    """Return *text* with what XML has no form for replaced."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
