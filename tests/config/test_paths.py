from __future__ import annotations

from pathlib import Path

import pytest

from cdp_pipeline.config.paths import (
    cache_folder,
    config_folder,
    data_folder,
    resolve_path,
    state_folder,
)

HOME = {"HOME": "/home/ann"}


class TestFolders:
    def test_defaults(self) -> None:
        """Without XDG variables the folders are those of the specification."""
        assert Path("/home/ann/.local/state/cdp/p") == state_folder("p", HOME)
        assert Path("/home/ann/.cache/cdp") == cache_folder(HOME)
        assert Path("/home/ann/.config/cdp") == config_folder(HOME)
        assert Path("/home/ann/.local/share/cdp") == data_folder(HOME)

    def test_chosen(self) -> None:
        """An XDG variable moves its folder."""
        assert Path("/s/cdp/p") == state_folder("p", {**HOME, "XDG_STATE_HOME": "/s"})

    def test_relative_is_ignored(self) -> None:
        """A relative XDG path is ignored, as the specification says."""
        assert cache_folder(HOME) == cache_folder({**HOME, "XDG_CACHE_HOME": "cache"})


class TestResolve:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("x", "/base/x"),
            ("./x/../y", "/base/y"),
            ("../x", "/x"),
            ("/x", "/x"),
            ("~", "/home/ann"),
            ("~/x", "/home/ann/x"),
            ("~bob/x", "/base/~bob/x"),
            ("s3://bucket/x", "s3://bucket/x"),
            ("https://h/x", "https://h/x"),
            ("unix:/run/x.sock", "unix:/run/x.sock"),
            ("2024-01-01T00:00:00", "/base/2024-01-01T00:00:00"),
            ("-", "-"),
            ("", ""),
        ],
    )
    def test_rules(self, text: str, expected: str) -> None:
        """Paths resolve against the file's folder; `~`, addresses and `-` are understood."""
        assert expected == resolve_path(text, Path("/base"), HOME)
