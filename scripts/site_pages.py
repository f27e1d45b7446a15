"""What the documentation site adds to Sphinx: its navigation, and links that leave the site.

The pages are plain Markdown, which a code host shows as it is; so the tree of pages is in
`docs/conf.py` (`site_navigation`) and not in the pages.
"""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform


def add_navigation(app: Sphinx, docname: str, source: list[str]) -> None:
    """Append to *docname* the tree of pages that `site_navigation` has for it."""
    parts = app.config.site_navigation.get(docname, [])
    taken = {_titled(entry)[1] for _, entries in parts for entry in entries} | {docname}
    for caption, entries in parts:
        pages = list(_pages(app.env.found_docs, entries, taken))
        if pages:
            title = [f":caption: {caption}"] if caption else []
            # On a page of its own the list is its content; on the front page the sidebar has it.
            hidden = [":hidden:"] if caption else []
            lines = ["```{toctree}", ":maxdepth: 1", *hidden, *title, "", *pages, "```"]
            source[0] += "\n\n" + "\n".join(lines) + "\n"


def renew_navigation(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """Return the pages to be read anew because others came or went."""
    if not added and not removed:
        return []
    return [name for name in app.config.site_navigation if name in env.found_docs]


def _pages(found: set[str], entries: list[str], taken: set[str]) -> list[str]:
    """Return the pages that there are: those named in their order, then those of a pattern."""
    pages: list[str] = []
    for entry in entries:
        title, page = _titled(entry)
        if "*" in page:
            named = {each for each in found if fnmatch.fnmatch(each, page)}
            pages += [f"/{each}" for each in sorted(named - taken)]
        elif page in found:
            pages.append(f"{title} </{page}>" if title else f"/{page}")
    return pages


def _titled(entry: str) -> tuple[str, str]:
    """Return title and page of `TITLE <PAGE>`; of a page alone, no title."""
    title, angle, page = entry.rpartition(" <")
    return (title, page.removesuffix(">")) if angle else ("", entry)


class LinksToRepository(SphinxTransform):
    """Links to files and folders that are no pages lead to the repository."""

    default_priority = 5

    def apply(self, **_: Any) -> None:
        """Replace each such link; one that leads nowhere stays, and Sphinx warns of it."""
        for node in list(self.document.findall(_leaves_the_site)):
            path = self._path(str(node["reftarget"]))
            if path is None:
                continue
            reference = nodes.reference("", "", refuri=self._address(path), internal=False)
            reference += list(node.children[0].children) or [nodes.Text(node["reftarget"])]
            node.replace_self(reference)

    def _path(self, target: str) -> Path | None:
        """Return where *target* leads, relative to the repository; None if nowhere in it."""
        root = Path(self.env.srcdir).resolve()
        place = target.partition("#")[0]
        if not place:
            return None
        path = (root / f"{self.env.docname}.md").parent.joinpath(place).resolve()
        return path.relative_to(root) if path.exists() and path.is_relative_to(root) else None

    def _address(self, path: Path) -> str:
        kind = "tree" if (Path(self.env.srcdir) / path).is_dir() else "blob"
        return f"{self.config.site_repository}/{kind}/{self.config.site_branch}/{path.as_posix()}"


def _leaves_the_site(node: nodes.Node) -> bool:
    if isinstance(node, addnodes.download_reference):
        return True
    return (
        isinstance(node, addnodes.pending_xref)
        and node.get("reftype") == "myst"
        and node.get("refdomain") is None
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_config_value("site_navigation", {}, "env", dict)
    app.add_config_value("site_repository", "", "env", str)
    app.add_config_value("site_branch", "main", "env", str)
    app.connect("source-read", add_navigation)
    app.connect("env-get-outdated", renew_navigation)
    app.add_transform(LinksToRepository)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
