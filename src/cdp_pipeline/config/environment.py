"""Fill environment variables into a document's text values; keys are never touched.

A value that is one variable and nothing else (`${START}`) is read as the YAML scalar it
would be if it stood there; where that does not fit what is expected, but its text does, it
is its text (and the other way round for quoted values). So `start: ${START}` gives an
integer, and an all-digit `password: ${PASSWORD}` still a text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cdp_pipeline.config.document import Document
from cdp_pipeline.config.locations import KeyPath, Locations, dotted
from cdp_pipeline.config.scalars import Scalar, read_scalar
from cdp_pipeline.config.secrecy import Secrets, says_secret, secret_texts
from cdp_pipeline.config.suggest import nearest
from cdp_pipeline.config.template import Filled, TemplateInvalid, fill
from cdp_pipeline.errors import ConfigError


@dataclass(frozen=True, slots=True)
class FilledDocument:
    """A document whose variables have been filled in.

    Attributes:
        data: Mappings, lists and scalars; the root is a mapping.
        locations: Where each of them stands.
        secrets: What of it must not be shown.
        readings: The other reading of values that were one variable: text or scalar.
        faults: Faults found so far.
        unknown: Paths whose value is not known, since it was at fault.
        from_outside: Paths whose text begins with what a variable held: a relative path
            there was typed in the current folder, not written in the file.
    """

    data: dict[str, Any] = field(repr=False)
    locations: Locations
    secrets: Secrets = field(default_factory=Secrets)
    readings: Mapping[KeyPath, Scalar] = field(default_factory=dict, repr=False)
    faults: tuple[ConfigError, ...] = ()
    unknown: frozenset[KeyPath] = frozenset()
    from_outside: frozenset[KeyPath] = frozenset()

    @property
    def file(self) -> str:
        """The file as the user named it."""
        return self.locations.file

    def folder_of(self, path: KeyPath) -> Path:
        """Return the folder against which a relative path at *path* resolves."""
        return Path.cwd() if path in self.from_outside else Path(self.file).parent.absolute()

    def at(self, path: KeyPath) -> Any:
        """Return the value at *path*, or None where there is none."""
        value: Any = self.data
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value


def fill_document(document: Document, environ: Mapping[str, str]) -> FilledDocument:
    """Return *document* with the variables of *environ*; what is missing is among its faults."""
    filler = _DocumentFiller(document, environ)
    data = filler.value(document.data, ())
    secrets = Secrets(variables=filler.variables)
    return FilledDocument(
        data=data,
        locations=document.locations,
        secrets=secrets.including([*filler.secret_values, *secret_texts(data)]),
        readings=filler.readings,
        faults=(*document.faults, *filler.faults),
        unknown=frozenset(filler.unknown),
        from_outside=frozenset(filler.from_outside),
    )


def with_values(
    filled: FilledDocument, values: Mapping[KeyPath, str], names: Mapping[KeyPath, str]
) -> FilledDocument:
    """Return *filled* with texts from elsewhere laid over it; *names* says where they came from."""
    data = _copied(filled.data)
    readings = dict(filled.readings)
    for path, text in values.items():
        _put(data, path, read_scalar(text) if text else text)
        readings[path] = text
    locations = replace(filled.locations, named={**filled.locations.named, **names})
    return replace(filled, data=data, locations=locations, readings=readings)


class _DocumentFiller:
    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self.variables: dict[KeyPath, tuple[str, ...]] = {}
        self.readings: dict[KeyPath, Scalar] = {}
        self.secret_values: list[str] = []
        self.faults: list[ConfigError] = []
        self.unknown: set[KeyPath] = set()
        self.from_outside: set[KeyPath] = set()
        self._document = document
        self._environ = environ

    def value(self, value: Any, path: KeyPath) -> Any:
        if isinstance(value, dict):
            return {key: self.value(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item, (*path, index)) for index, item in enumerate(value)]
        return self._text(value, path) if isinstance(value, str) and "$" in value else value

    def _text(self, text: str, path: KeyPath) -> Scalar:
        try:
            filled = fill(text, self._environ)
        except TemplateInvalid:
            self._fault(path, self._malformed(path))
            return text
        if not filled.variables:
            return filled.text
        self._note(path, filled)
        if any(value and _begins_with(text, name) for name, value in filled.values.items()):
            self.from_outside.add(path)
        return self._reading(path, filled) if filled.whole else filled.text

    def _note(self, path: KeyPath, filled: Filled) -> None:
        self.variables[path] = filled.variables
        for name in dict.fromkeys(filled.missing):
            self._fault(path, self._missing(name, path))
        for name, value in filled.values.items():
            if says_secret(name):
                self.secret_values.append(value)

    def _reading(self, path: KeyPath, filled: Filled) -> Scalar:
        if not filled.text:
            return ""
        scalar = read_scalar(filled.text)
        if isinstance(scalar, str):
            return scalar
        quoted = path in self._document.quoted
        self.readings[path] = scalar if quoted else filled.text
        return filled.text if quoted else scalar

    def _fault(self, path: KeyPath, fault: ConfigError) -> None:
        self.faults.append(fault)
        self.unknown.add(path)

    def _missing(self, name: str, path: KeyPath) -> ConfigError:
        near = nearest(name, self._environ)
        meant = f" (did you mean `{near}`?)" if near else ""
        return ConfigError(
            f"environment variable `{name}` is not set, needed by `{dotted(path)}`",
            code="config.env_missing",
            where=self._document.locations.where(path),
            hint=f"set `{name}`{meant} or give a default: `${{{name}:-value}}`",
        )

    def _malformed(self, path: KeyPath) -> ConfigError:
        return ConfigError(
            f"`{dotted(path)}`: expected `${{NAME}}` or `${{NAME:-default}}` after `$`",
            code="config.value_invalid",
            where=self._document.locations.where(path),
            hint="write `$$` for a dollar sign",
        )


def _begins_with(text: str, variable: str) -> bool:
    return text.startswith(("${" + variable + "}", "${" + variable + ":-"))


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return list(map(_copied, value)) if isinstance(value, list) else value


def _put(data: Any, path: KeyPath, value: Any) -> None:
    for part in path[:-1]:
        if not isinstance(data.get(part), dict):
            data[part] = {}
        data = data[part]
    data[path[-1]] = value
