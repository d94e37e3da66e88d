"""Between the dataclasses of `types` and the core's own form: camelCase, choices told apart by `type`."""

from __future__ import annotations

import dataclasses
import enum
import functools
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, Union

from . import types

T = TypeVar("T")


def encode(value: Any) -> Any:
    """The core's form of a value. Fields that are `None` are left out, so that the core's defaults hold."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _encode_record(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [encode(item) for item in value]
    return value


def decode(kind: type[T], data: Any) -> T:
    """A value of `kind` from the core's form."""
    return typing.cast(T, _decode(kind, data))


def _encode_record(record: Any) -> dict[str, Any]:
    encoded = {} if _tag(record) is None else {"type": _tag(record)}
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if value is not None:
            encoded[_camel(field.name)] = encode(value)
    return encoded


def _decode(kind: Any, data: Any) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Union:
        return _decode_choice(arguments, data)
    if origin is Sequence:
        return tuple(_decode(arguments[0], item) for item in data)
    if origin is Mapping:
        return {key: _decode(arguments[1], item) for key, item in data.items()}
    if dataclasses.is_dataclass(kind):
        return _decode_record(kind, data)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind(data)
    return data


def _decode_choice(kinds: Sequence[Any], data: Any) -> Any:
    if data is None:
        return None
    present = [kind for kind in kinds if kind is not type(None)]
    if len(present) == 1:
        return _decode(present[0], data)
    chosen = next(kind for kind in present if _tag(kind) == data["type"])
    return _decode_record(chosen, data)


def _decode_record(kind: Any, data: Mapping[str, Any]) -> Any:
    hints = _hints(kind)
    known = {
        field.name: _decode(hints[field.name], data[_camel(field.name)])
        for field in dataclasses.fields(kind)
        if _camel(field.name) in data
    }
    return kind(**known)


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind, vars(types))


def _tag(record: Any) -> str | None:
    return getattr(record, "_tag", None)


@functools.cache
def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)
