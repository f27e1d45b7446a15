"""Which fields a payload keeps, loses and renames, in this order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import field_path
from .field_path import FieldExists, FieldNotObject, FieldPath


@dataclass(frozen=True, slots=True)
class PayloadShape:
    """A change of a payload's fields.

    Attributes:
        keep: The only fields to keep, in this order; empty keeps all.
        remove: Fields to leave out; one that is not there is fine.
        rename: Old and new names, changed all at once, so that two can be swapped.
    """

    keep: Sequence[FieldPath] = ()
    remove: Sequence[FieldPath] = ()
    rename: Sequence[tuple[FieldPath, FieldPath]] = ()

    @property
    def changes(self) -> bool:
        """Whether it changes anything."""
        return bool(self.keep or self.remove or self.rename)

    def apply(self, payload: Any, *, skip_missing: bool = False) -> dict[str, Any]:
        """Return *payload* changed; it may be changed in place.

        Raises:
            FieldNotObject: It is no object.
            FieldAbsent: A field to rename is not there, unless *skip_missing*.
            FieldExists: A new name is the name of a field that stays.
        """
        if not isinstance(payload, dict):
            raise FieldNotObject(
                f"the payload is `{type(payload).__name__}`, an object expected",
                hint="let only messages with an object as payload reach this stage",
            )
        changed = self._only(payload) if self.keep else payload
        for path in self.remove:
            if field_path.has(changed, path):
                field_path.take_out(changed, path)
        self._rename(changed, skip_missing)
        return changed

    def _only(self, payload: dict[str, Any]) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for path in self.keep:
            if field_path.has(payload, path):
                field_path.put(kept, path, field_path.read(payload, path))
        return kept

    def _rename(self, payload: dict[str, Any], skip_missing: bool) -> None:
        taken = [
            (new, field_path.take_out(payload, old))
            for old, new in self.rename
            if not skip_missing or field_path.has(payload, old)
        ]
        for new, value in taken:
            if field_path.has(payload, new):
                name = field_path.dotted(new)
                raise FieldExists(
                    f"cannot rename to `{name}`: the payload has such a field",
                    hint=f"add `{name}` to `remove`, or choose another name",
                )
            field_path.put(payload, new, value)
