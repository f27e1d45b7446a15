from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from cdp_pipeline.config import PipelineConfig, Secrets, check_component, secrets_of
from cdp_pipeline.config.secrecy import says_secret
from cdp_pipeline.errors import ConfigError

SECRET = "correct-horse-battery"
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "dsn": {"type": "integer"},
        "pin": {"type": "integer", "secret": True},
        "url": {"type": "integer"},
        "plain": {"type": "integer"},
        "level": {"enum": ["low", "high"]},
        "choice": {"type": "string", "pattern": "^x"},
        "many": {"type": "array", "maxItems": 1, "uniqueItems": True},
    },
}
FILE = """
name: n
source:
  type: s
  config:
    dsn: postgresql://ann:{secret}@host/db
    pin: {secret}
    url: https://ann:{secret}@host/
    plain: ${{PLAIN}}
    level: ${{PLAIN}}
    choice: "a ${{API_TOKEN}}"
    many: [${{PLAIN}}, ${{PLAIN}}]
    ${{PLAIN}}: 1
pipeline: [t]
"""


class TestNames:
    @pytest.mark.parametrize(
        "name",
        ["password", "PGPASSWORD", "api_token", "dsn", "AWS_SECRET_ACCESS_KEY", "client-secret"],
    )
    def test_secret(self, name: str) -> None:
        """Names that end in a word for a secret name one."""
        assert says_secret(name)

    @pytest.mark.parametrize(
        "name", ["token_transfers", "password_file", "key", "passphrase", "partition_key"]
    )
    def test_public(self, name: str) -> None:
        """Names that merely contain such a word do not."""
        assert not says_secret(name)


class TestErrors:
    def test_never_shown(self, load: Callable[..., PipelineConfig]) -> None:
        """No fault of any kind shows a secret or a value from the environment."""
        text = FILE.format(secret=SECRET).replace("[${PLAIN}, ${PLAIN}]", '["${PLAIN}", 1]')
        pipeline = load(text, PLAIN=SECRET, API_TOKEN=SECRET)

        with pytest.raises(ConfigError) as caught:
            check_component(pipeline.document, (("source", "config"),), SCHEMA)

        shown = f"{caught.value} {caught.value!r} {caught.value.hint}"
        assert SECRET not in shown
        assert "got text (a secret, not shown)" in shown
        assert "got text from `${PLAIN}`" in shown
        assert "https://ann:***@host/" in shown

    def test_never_in_a_representation(self, load: Callable[..., PipelineConfig]) -> None:
        """Printing the whole configuration object shows no component's configuration."""
        pipeline = load(
            FILE.format(secret=SECRET).replace("[${PLAIN}, ${PLAIN}]", "[]"),
            PLAIN=SECRET,
            API_TOKEN=SECRET,
        )

        assert SECRET not in f"{pipeline!r} {pipeline} {pipeline.document!r} {pipeline.secrets!r}"


class TestMasked:
    def test_text(self, load: Callable[..., PipelineConfig]) -> None:
        """Secrets are blotted out of free text, whatever part of them a driver repeats."""
        pipeline = load(
            FILE.format(secret=SECRET).replace("[${PLAIN}, ${PLAIN}]", "[]"),
            PLAIN="/data/out",
            API_TOKEN="t0ken-value",
        )
        message = f"password {SECRET} of ann refused for /data/out with t0ken-value"

        assert "password *** of ann refused for /data/out with ***" == pipeline.secrets.masked(
            message
        )

    def test_configuration(self, load: Callable[..., PipelineConfig]) -> None:
        """Shown configuration has secrets masked, and variables in place of their values."""
        text = (
            "name: n\nsource: {type: s, config: {password: x, path: '${OUT}', n: 1}}\npipeline: [t]"
        )
        pipeline = load(text, OUT="/data/out")

        assert {"password": "***", "path": "${OUT}", "n": 1} == pipeline.secrets.masked(
            pipeline.source.config, ("source", "config")
        )

    def test_numbers_and_lists(self) -> None:
        """Only texts are changed."""
        assert [1, None, True, ["***"]] == Secrets(frozenset({"hush"})).masked(
            [1, None, True, ["hush"]]
        )

    def test_short_secrets(self) -> None:
        """A secret of a few characters is masked alone, but does not blot out every line."""
        secrets = Secrets(frozenset({"cdp"}))

        assert ("***", "cdp runs") == (secrets.masked("cdp"), secrets.masked("cdp runs"))

    def test_url_password(self) -> None:
        """A password in a URL is masked, also one that was never registered."""
        assert "at s3://key:***@host/x" == Secrets().masked("at s3://key:pw@host/x")


class TestSchemaMarks:
    def test_marked_by_schema(self) -> None:
        """What a component's schema marks as secret is secret, wherever it stands."""
        schema = {
            "properties": {
                "hooks": {"type": "array", "items": {"$ref": "#/$defs/hook"}},
                "url": {"anyOf": [{"type": "string", "format": "password"}, {"type": "null"}]},
            },
            "$defs": {"hook": {"properties": {"sign": {"type": "string", "secret": True}}}},
        }
        secrets = secrets_of({"hooks": [{"sign": "hush-hush"}], "url": "open-sesame"}, schema)

        assert {"hush-hush", "open-sesame"} == secrets.texts


def test_nothing_is_logged(
    load: Callable[..., PipelineConfig], caplog: pytest.LogCaptureFixture
) -> None:
    """Loading writes no log line at all."""
    with caplog.at_level(logging.DEBUG):
        load("name: n\nsource: s\npipeline: [t]".replace("source: s", "source: {type: s}"))

    assert [] == caplog.records
