"""What all dataclasses of `types` share: equality by value, and a `repr` without secrets.

`dataclasses` would compile these methods anew for each class, which is most of the time that importing them takes."""

from __future__ import annotations

import dataclasses
from typing import Any


class Record:
    """The base of the dataclasses."""

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), *self.__dict__.values()))

    def __repr__(self) -> str:
        fields: Any = dataclasses.fields(self)  # type: ignore[arg-type]
        shown = ", ".join(f"{field.name}={getattr(self, field.name)!r}" for field in fields if field.repr)
        return f"{type(self).__name__}({shown})"
