"""Attachments from whatever holds octets in Python."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import BinaryIO, Optional, Protocol, Union, runtime_checkable

from .types import Attachment, Content, ContentData, ContentFile


@runtime_checkable
class _Readable(Protocol):
    def read(self) -> bytes: ...


Source = Union[bytes, bytearray, memoryview, "os.PathLike[str]", BinaryIO, Iterable[bytes]]


def attach(
    source: Source,
    *,
    name: Optional[str] = None,
    content_type: Optional[str] = None,
    content_id: Optional[str] = None,
) -> Attachment:
    """An attachment of octets, of a file by its path, of a binary file object, or of octets that come in pieces.

    A file named by a `pathlib.Path` is read by the core when the mail is sent; a file object and an iterable are read here,
    in this thread, to their end. A path given as text is refused, because it could be meant as content: use
    `pathlib.Path`. `name` defaults to the file's own name; octets need one unless `content_id` is set, which makes an
    inline image that HTML names as `cid:`. `content_type` defaults to what the name's extension says.
    Errors: `TypeError`; `OSError` from the file object."""
    return Attachment(
        name=name if name is not None else _name(source),
        content_type=content_type,
        content_id=content_id,
        content=_content(source),
    )


def _content(source: Source) -> Content:
    if isinstance(source, (bytes, bytearray, memoryview)):
        return ContentData(data=bytes(source))
    if isinstance(source, os.PathLike):
        return ContentFile(path=os.fsdecode(source))
    if isinstance(source, str):
        raise TypeError("source: expected octets or a path, not str: use pathlib.Path(...) or text.encode()")
    if isinstance(source, _Readable):
        return ContentData(data=_octets(source.read(), "source.read()"))
    if isinstance(source, Iterable):
        return ContentData(data=b"".join(_octets(piece, "a piece of source") for piece in source))
    raise TypeError(f"source: expected octets, a path or a binary file, not {type(source).__name__}")


def _octets(piece: object, what: str) -> bytes:
    if isinstance(piece, (bytes, bytearray, memoryview)):
        return bytes(piece)
    raise TypeError(f"{what}: expected bytes, not {type(piece).__name__}: open files with mode 'rb'")


def _name(source: Source) -> Optional[str]:
    """The name of a file object's file. That of a path is the core's business."""
    name = getattr(source, "name", None) if isinstance(source, _Readable) else None
    return os.path.basename(name) or None if isinstance(name, str) else None
