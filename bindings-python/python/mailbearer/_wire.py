"""Between the dataclasses of `types` and the core's own form: camelCase, choices told apart by `type`.

What each type needs is worked out once, at its first use, as one function each way. A value of a wrong type is a
`TypeError` that names the place, such as `message.to[0].address`; its text never repeats the value, which may be secret.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import functools
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable, NoReturn, TypeVar, Union

from . import types

T = TypeVar("T")
Encoder = Callable[[Any], Any]
Decoder = Callable[[Any], Any]
_NAMES = dict(vars(types))


def encode(kind: Any, value: Any, name: str) -> Any:
    """The core's form of a value. Fields that have their default are left out, because the core has the same."""
    return _begin(_encoder(kind), value, name)


def encode_list(kind: Any, values: Any, name: str) -> Any:
    """The core's form of a list of values."""
    return _begin(_list_encoder(_encoder(kind)), values, name)


def decode(kind: type[T], data: Any) -> T:
    """A value of `kind` from the core's form."""
    decoded: T = _decoder(typing.cast(Any, kind))(data)
    return decoded


def decode_list(kind: type[T], data: Iterable[Any]) -> list[T]:
    """Values of `kind` from the core's form."""
    one = _decoder(typing.cast(Any, kind))
    return [one(item) for item in data]


@functools.cache
def _encoder(kind: Any) -> Encoder:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Union:
        return _choice_encoder(arguments)
    if origin is Sequence:
        return _list_encoder(_encoder(arguments[0]))
    if origin is Mapping:
        return _map_encoder(_encoder(arguments[1]))
    if dataclasses.is_dataclass(kind):
        return _record_encoder(kind)
    if issubclass(kind, enum.Enum):
        return _word_encoder(kind)
    return _plain_encoder(kind)


def _plain_encoder(kind: type) -> Encoder:
    accepted: dict[type, tuple[type, ...]] = {float: (float, int), bytes: (bytes, bytearray, memoryview)}
    kinds = accepted.get(kind, (kind,))

    def encode_plain(value: Any) -> Any:
        if not isinstance(value, kinds) or (isinstance(value, bool) and kind is not bool):
            raise _Misfit(kind.__name__, value)
        return bytes(typing.cast(bytes, value)) if kind is bytes else value

    return encode_plain


def _word_encoder(kind: type[enum.Enum]) -> Encoder:
    def encode_word(value: Any) -> Any:
        if not isinstance(value, kind):
            raise _Misfit(f"a {kind.__name__} such as {kind.__name__}.{next(iter(kind)).name}", value)
        return value.value

    return encode_word


def _list_encoder(one: Encoder) -> Encoder:
    def encode_list(value: Any) -> Any:
        # A text is a sequence of texts, which is never what was meant.
        if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
            raise _Misfit("a list", value)
        encoded: list[Any] = []
        try:
            for item in value:
                encoded.append(one(item))
        except _Misfit as misfit:
            raise misfit.at(f"[{len(encoded)}]")
        return encoded

    return encode_list


def _map_encoder(one: Encoder) -> Encoder:
    def encode_map(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise _Misfit("a dict", value)
        encoded: dict[Any, Any] = {}
        key: Any = None
        try:
            for key, item in value.items():
                encoded[key] = one(item)
        except _Misfit as misfit:
            raise misfit.at(f"[{key!r}]")
        return encoded

    return encode_map


def _choice_encoder(kinds: Sequence[Any]) -> Encoder:
    present = [kind for kind in kinds if kind is not type(None)]
    if len(present) == 1:
        return _encoder(present[0])
    encoders = {kind: _encoder(kind) for kind in present}
    names = " or ".join(kind.__name__ for kind in present)

    def encode_choice(value: Any) -> Any:
        encoder = encoders.get(type(value))
        if encoder is None:
            raise _Misfit(names, value)
        return encoder(value)

    return encode_choice


def _record_encoder(kind: Any) -> Encoder:
    hints = typing.get_type_hints(kind, _NAMES)
    fields = [
        (field.name, _camel(field.name), _encoder(hints[field.name]), field.default)
        for field in dataclasses.fields(kind)
    ]
    tag = getattr(kind, "_tag", None)
    head = {} if tag is None else {"type": tag}

    def encode_record(value: Any) -> Any:
        if not isinstance(value, kind):
            raise _Misfit(kind.__name__, value)
        encoded = head.copy()
        attribute = ""
        try:
            for attribute, key, encoder, default in fields:
                item = getattr(value, attribute)
                if item is not default:
                    encoded[key] = encoder(item)
        except _Misfit as misfit:
            raise misfit.at(f".{attribute}")
        return encoded

    return encode_record


class _Misfit(Exception):
    """A value of a wrong type; its place is put together on the way out, so that what fits pays nothing for it."""

    def __init__(self, expected: str, value: object) -> None:
        super().__init__()
        self.text = f"expected {expected}, not {type(value).__name__}"
        self.place = ""

    def at(self, place: str) -> _Misfit:
        self.place = place + self.place
        return self


def _begin(encoder: Encoder, value: Any, name: str) -> Any:
    try:
        return encoder(value)
    except _Misfit as misfit:
        raise TypeError(f"{name}{misfit.place}: {misfit.text}") from None


@functools.cache
def _decoder(kind: Any) -> Decoder:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Union:
        return _choice_decoder(arguments)
    if origin is Sequence:
        item = _decoder(arguments[0])
        return lambda data: tuple([item(part) for part in data])
    if origin is Mapping:
        value = _decoder(arguments[1])
        return lambda data: {key: value(part) for key, part in data.items()}
    if dataclasses.is_dataclass(kind):
        return _record_decoder(kind)
    if issubclass(kind, enum.Enum):
        return typing.cast(Decoder, kind)
    return _octets if kind is bytes else _as_it_is


def _octets(data: Any) -> bytes:
    """Formats for people, such as JSON, have octets as base64 text."""
    return base64.b64decode(data) if isinstance(data, str) else bytes(data)


def _as_it_is(data: Any) -> Any:
    return data


def _choice_decoder(kinds: Sequence[Any]) -> Decoder:
    present = [kind for kind in kinds if kind is not type(None)]
    if len(present) == 1:
        one = _decoder(present[0])
        return lambda data: None if data is None else one(data)
    by_tag = {kind._tag: _decoder(kind) for kind in present}
    return lambda data: None if data is None else by_tag[data["type"]](data)


def _record_decoder(kind: Any) -> Decoder:
    hints = typing.get_type_hints(kind, _NAMES)
    fields = [
        (_camel(field.name), field.name, _decoder(hints[field.name]), _default(field))
        for field in dataclasses.fields(kind)
    ]

    def decode_record(data: Mapping[str, Any]) -> Any:
        # Not through `__init__`, which in a frozen dataclass costs more than everything else here.
        record = object.__new__(kind)
        values = record.__dict__
        for key, name, decoder, default in fields:
            if key in data:
                values[name] = data[key] if decoder is _as_it_is else decoder(data[key])
            else:
                values[name] = default()
        return record

    return decode_record


def _default(field: dataclasses.Field[Any]) -> Callable[[], Any]:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory
    if field.default is not dataclasses.MISSING:
        return lambda: field.default

    def missing() -> NoReturn:
        raise TypeError(f"{field.name} is missing")

    return missing


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)
