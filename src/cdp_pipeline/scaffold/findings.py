"""What became of a file of the ancestor's: each part that was converted, and each that was not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cdp_pipeline.config.locations import KeyPath, Locations
from cdp_pipeline.errors import ConfigError, ExitCode
from cdp_pipeline.scaffold.documents import OldComponent


class NotConvertible(ConfigError):
    """A part of an ancestor's pipeline has no counterpart; the rest was converted."""

    code = "config.not_convertible"
    exit_code = ExitCode.FAILED


@dataclass(slots=True)
class Converted:
    """A component that has a counterpart.

    Attributes:
        old: Its type.
        kind: `source`, `processor` or `consumer`.
        where: `file:line:column`.
        new: The components it became; none where it did nothing.
        notes: What differs, and what was left out.
    """

    old: str
    kind: str
    where: str
    new: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Findings:
    """Collects what became of one pipeline.

    Attributes:
        locations: Where everything stands in the old file.
        converted: What has a counterpart.
        faults: What has none, with place and hint.
    """

    locations: Locations
    converted: list[Converted] = field(default_factory=list)
    faults: list[NotConvertible] = field(default_factory=list)

    def begin(self, component: OldComponent) -> Converted:
        """Note that *component* has a counterpart, and return the note to complete."""
        found = Converted(component.type, component.kind, self._where(component.at))
        self.converted.append(found)
        return found

    def lacking(self, subject: str, message: str, at: KeyPath, hint: str) -> str:
        """Note what has no counterpart, and return a comment that says so."""
        fault = NotConvertible(f"{subject}: {message}", where=self._where(at), hint=hint)
        self.faults.append(fault)
        return f"NO COUNTERPART: {subject}: {message} ({fault.where}). {hint[:1].upper()}{hint[1:]}"

    def lacking_component(self, component: OldComponent, message: str, hint: str) -> str:
        """Note a whole component without a counterpart."""
        subject = f"{component.kind} `{component.type or '?'}`"
        return self.lacking(subject, message, component.at, hint)

    def lacking_option(
        self, component: OldComponent, option: str, hint: str, message: str = ""
    ) -> str:
        """Note an option without a counterpart."""
        subject = f"`{component.type}`, option `{option}`"
        place = component.place(option)
        return self.lacking(subject, message or "has no counterpart", place, hint)

    def _where(self, path: KeyPath) -> str:
        is_option = path in self.locations.keys and (not path or path[-1] != "type")
        return self.locations.where_key(path) if is_option else self.locations.where(path)

    def as_json(self) -> dict[str, Any]:
        """Return both lists as plain data."""
        return {
            "converted": [
                {
                    "kind": each.kind,
                    "type": each.old,
                    "where": each.where,
                    "became": each.new,
                    "notes": each.notes,
                }
                for each in self.converted
            ],
            "not_convertible": [
                {"code": each.code, "message": each.message, "where": each.where, "hint": each.hint}
                for each in self.faults
            ],
        }
