"""Keep secrets out of everything a person or a log sees.

Secret are: values under keys whose name says so (`password`, `api_token`, `dsn` ...),
values under keys that a JSON Schema marks (`"secret": true`, `"writeOnly": true` or
`"format": "password"`), values of environment variables whose name says so, and the
password in any URL. Every other value that came from the environment is shown as the
variable it came from, never as what it held, wherever configuration is shown; in free
text (log lines, messages of drivers) it stays, since there it is most often a path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

from cdp_pipeline.config.locations import KeyPath

MASK = "***"
_SECRET_NAME = re.compile(
    r"(password|passwd|pwd|secret|token|dsn|credentials?|authorization"
    r"|(api|access|private|secret|signing|account)[_.-]?key)$",
    re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#@:]*:([^\s/?#@]+)@")
_LEAST_CHARACTERS = 4
"""A shorter secret is not looked for in free text: it would blot out half of every line."""


def says_secret(name: str) -> bool:
    """Return whether a key or variable called *name* holds a secret."""
    return _SECRET_NAME.search(name) is not None


@dataclass(frozen=True, slots=True)
class Secrets:
    """What must not be shown.

    Attributes:
        texts: Secret texts, looked for in everything that is shown.
        variables: For each value that came from the environment, the variables it came from.
    """

    texts: frozenset[str] = field(default=frozenset(), repr=False)
    variables: Mapping[KeyPath, tuple[str, ...]] = field(default_factory=dict)

    def including(self, texts: Iterable[str]) -> Secrets:
        """Return these secrets and *texts*, with the passwords of URLs among them."""
        found = set(self.texts)
        for text in texts:
            found.update(_forms(text))
        return replace(self, texts=frozenset(found))

    def masked(self, value: Any, path: KeyPath | None = None) -> Any:
        """Return *value* fit to be shown, its secrets replaced.

        Args:
            value: A text, or plain data such as a component's configuration.
            path: Where *value* stands in the file; values from the environment are then
                shown as their variables.
        """
        if path is not None and path in self.variables:
            return shown_variables(self.variables[path])
        if isinstance(value, Mapping):
            return {key: self._entry(str(key), item, path) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [
                self.masked(item, None if path is None else (*path, index))
                for index, item in enumerate(value)
            ]
        return self._text(value) if isinstance(value, str) else value

    def _entry(self, key: str, value: Any, path: KeyPath | None) -> Any:
        inside = None if path is None else (*path, key)
        if inside in self.variables:
            return self.masked(value, inside)
        if says_secret(key) and value is not None:
            return MASK
        return self.masked(value, inside)

    def _text(self, text: str) -> str:
        for secret in sorted(self.texts, key=len, reverse=True):
            if len(secret) >= _LEAST_CHARACTERS or text == secret:
                text = text.replace(secret, MASK)
        return _URL_PASSWORD.sub(lambda found: found[0].replace(f":{found[1]}@", f":{MASK}@"), text)


def shown_variables(names: Iterable[str]) -> str:
    """Return the variables *names* as they are written: ``${START}``."""
    return " ".join(f"${{{name}}}" for name in names)


def secret_texts(data: Any) -> Iterator[str]:
    """Yield the secrets that plain *data* holds by the names of its keys, and URL passwords."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            if says_secret(str(key)) and not isinstance(value, (Mapping, list)):
                yield from _scalar_texts(value)
            else:
                yield from secret_texts(value)
    elif isinstance(data, list):
        for item in data:
            yield from secret_texts(item)
    elif isinstance(data, str):
        yield from _URL_PASSWORD.findall(data)


def _scalar_texts(value: Any) -> Iterator[str]:
    if value is not None and not isinstance(value, bool):
        yield str(value)


def _forms(text: str) -> Iterator[str]:
    """Yield *text* and the parts of it that a driver might repeat."""
    if text:
        yield text
    for password in _URL_PASSWORD.findall(text):
        yield password
        yield unquote(password)
