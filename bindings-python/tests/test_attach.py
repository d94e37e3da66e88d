"""Attachments from whatever holds octets."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path, PurePath
from typing import Any, Callable, Optional

import pytest
from conftest import invoice
from mailbearer import Mailbearer, RejectedError, StorageError, attach
from mailbearer.sandbox import Sandbox

OCTETS = bytes(range(256))


def pieces() -> Any:
    yield OCTETS[:100]
    yield bytearray(OCTETS[100:])


class NamedFile(io.BytesIO):
    name = "/somewhere/invoice.bin"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (OCTETS, None),
        (bytearray(OCTETS), None),
        (memoryview(OCTETS), None),
        (memoryview(OCTETS * 2)[::2][:0], None),
        (io.BytesIO(OCTETS), None),
        (NamedFile(OCTETS), "invoice.bin"),
        ([OCTETS[:7], OCTETS[7:]], None),
        (pieces(), None),
    ],
)
def test_octets_are_taken_from(source: Any, name: Optional[str]) -> None:
    attached = attach(source)
    assert attached.content.data in (OCTETS, b"") and attached.name == name  # type: ignore[union-attr]


@pytest.mark.parametrize("make", [Path, PurePath])
def test_a_path_is_read_when_the_mail_is_sent(
    make: Callable[[str], Path], tmp_path: Path, mailbearer: Mailbearer, sandbox: Sandbox
) -> None:
    path = tmp_path / "invoice.pdf"
    message = dataclasses.replace(invoice(), attachments=[attach(make(str(path)))])
    with pytest.raises((RejectedError, StorageError)):
        mailbearer.send(message)
    path.write_bytes(OCTETS)
    mailbearer.send(message)
    (attached,) = sandbox.take_mails()[0].message.iter_attachments()
    found = (attached.get_filename(), attached.get_content_type(), attached.get_content())
    assert found == ("invoice.pdf", "application/pdf", OCTETS)


def test_an_open_file_arrives(tmp_path: Path, mailbearer: Mailbearer, sandbox: Sandbox) -> None:
    path = tmp_path / "invoice.bin"
    path.write_bytes(OCTETS)
    with path.open("rb") as file:
        mailbearer.send(dataclasses.replace(invoice(), attachments=[attach(file, content_type="application/x-invoice")]))
    (attached,) = sandbox.take_mails()[0].message.iter_attachments()
    found = (attached.get_filename(), attached.get_content_type(), attached.get_content())
    assert found == ("invoice.bin", "application/x-invoice", OCTETS)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("invoice.pdf", "not str: use pathlib.Path"),
        (io.StringIO("text"), "open files with mode 'rb'"),
        (["text"], "a piece of source: expected bytes, not str"),
        ([1, 2], "a piece of source: expected bytes, not int"),
        (7, "source: expected octets, a path or a binary file, not int"),
        (None, "not NoneType"),
    ],
)
def test_other_things_are_refused(source: Any, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        attach(source)
