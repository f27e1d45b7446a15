"""The documentation site: pages of the repository, read where they are, as HTML.

The source folder is the repository itself, so a relative link from page to page is the same on
a code host and here, and a warning names the file to mend. What the site does not hold (source,
examples) becomes a link to the repository. Nothing is loaded from elsewhere: the site works
without a network.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "src"), str(ROOT / "sdk/python")]

project = "CDP Pipeline"
author = "the CDP Pipeline authors"
copyright = author  # noqa: A001 - Sphinx's name
language = "en"

extensions = ["myst_parser", "site_pages"]
root_doc = "docs/index"
include_patterns = [
    "docs/**.md",
    "sdk/*/README.md",
    "spec/*.md",
    "bench/results/README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "RATIONALE.md",
    "SECURITY.md",
]
# These are not walked at all: they are large, and hold no pages.
exclude_patterns = [".*", "build", "dist", "target", "tests", "examples", "src", "**/node_modules"]
site_repository = "https://github.com/withObsrvr/cdp-pipeline-workflow"
site_branch = "main"
site_navigation = {
    "docs/index": [
        ("Begin", ["docs/first-pipeline", "docs/concepts", "docs/tutorials/index"]),
        (
            "Guides",
            [
                "docs/guides/choosing-a-runtime",
                "docs/guides/developing-plugins",
                "docs/guides/packaging",
                "docs/guides/state",
                "docs/guides/errors-and-retries",
                "docs/guides/testing",
                "docs/guides/limits",
                "docs/guides/hot-reload",
                "docs/guides/operating",
                "docs/guides/*",
            ],
        ),
        (
            "SDKs",
            [
                "Python <sdk/python/README>",
                "Go <sdk/go/README>",
                "Node <sdk/node/README>",
                "Rust <sdk/rust/README>",
                "C and C++ <sdk/c/README>",
            ],
        ),
        (
            "Reference",
            [
                "docs/reference/cli",
                "docs/reference/configuration",
                "docs/reference/manifest",
                "docs/reference/components",
                "docs/reference/metrics",
                "docs/reference/*",
            ],
        ),
        ("Specifications", ["spec/handshake", "spec/wasm-abi", "spec/*"]),
        (
            "Project",
            [
                "ARCHITECTURE",
                "Why ...? <RATIONALE>",
                "Measurements <bench/results/README>",
                "CHANGELOG",
                "CONTRIBUTING",
                "SECURITY",
            ],
        ),
    ],
    "docs/tutorials/index": [("", ["docs/tutorials/*"])],
}

myst_heading_anchors = 4
myst_linkify_fuzzy_links = False
highlight_language = "none"
nitpicky = True

html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["_root"]
html_copy_source = False
html_show_sphinx = False
html_permalinks_icon = "#"
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "github-dark"
html_theme_options = {
    "top_of_page_buttons": [],
    "light_css_variables": {"color-code-background": "#f4f5f7"},
}
