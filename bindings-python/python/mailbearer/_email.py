"""A mail of the standard library's `email` package as an envelope and finished octets.

The reading of the header follows `smtplib.SMTP.send_message`, so that programs get what they are used to."""

from __future__ import annotations

import copy
import io
from email.generator import BytesGenerator
from email.message import Message
from email.policy import EmailPolicy, Policy
from email.utils import getaddresses
from typing import Any, Optional, Sequence

from .types import Envelope


def finished(
    message: Message, account: str, sender: Optional[str], recipients: Optional[Sequence[str]]
) -> tuple[Envelope, bytes]:
    """The envelope and the octets of a message."""
    if not isinstance(message, Message):
        raise TypeError(f"message: expected email.message.EmailMessage, not {type(message).__name__}")
    prefix = _prefix(message)
    if sender is None:
        sender = _sender(message, prefix)
    if recipients is None:
        recipients = _recipients(message, prefix)
    if not recipients:
        raise ValueError("the mail has no recipient: set To, Cc or Bcc, or pass recipients")
    envelope = Envelope(account=account, sender=sender, recipients=recipients)
    return envelope, octets(message, [sender or "", *recipients])


def octets(message: Message, addresses: Sequence[str] = ()) -> bytes:
    """The message as it is sent: without `Bcc`, lines ended by CRLF, and in UTF-8 (RFC 6532) when an address needs it."""
    sent = copy.copy(message)
    del sent["Bcc"]
    del sent["Resent-Bcc"]
    policy: Policy[Any] = sent.policy
    if isinstance(policy, EmailPolicy) and not all(address.isascii() for address in addresses):
        policy = policy.clone(utf8=True)
    written = io.BytesIO()
    BytesGenerator(written, policy=policy).flatten(sent, linesep="\r\n")
    return written.getvalue()


def _prefix(message: Message) -> str:
    """What fields of a resent mail begin with (RFC 5322 section 3.6.6)."""
    resent = message.get_all("Resent-Date")
    if resent is None:
        return ""
    if len(resent) == 1:
        return "Resent-"
    raise ValueError("the mail was resent more than once: pass sender and recipients")


def _sender(message: Message, prefix: str) -> Optional[str]:
    field = message.get(prefix + "Sender") or message.get(prefix + "From")
    addresses = _addresses([field] if field else [])
    return addresses[0] if addresses else None


def _recipients(message: Message, prefix: str) -> list[str]:
    fields = [message.get_all(prefix + name, []) for name in ("To", "Cc", "Bcc")]
    # Each once: a server would deliver a repeated address twice.
    return list(dict.fromkeys(_addresses([value for values in fields for value in values])))


def _addresses(fields: Sequence[object]) -> list[str]:
    return [address for _, address in getaddresses([str(field) for field in fields]) if address]
