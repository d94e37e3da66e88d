"""What only Python has on top of the handle's methods: `with`, `async with`, and mails of the standard library."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Generator, Generic, Optional, Sequence, TypeVar

from . import _mailbearer
from .types import Delivery, Envelope

if TYPE_CHECKING:
    from email.message import Message as EmailMessage


class Extras:
    """Mixed into `Mailbearer`."""

    _native: _mailbearer.Handle

    def close(self) -> None:
        raise NotImplementedError

    def send_raw(self, envelope: Envelope, mime: bytes) -> Delivery:
        raise NotImplementedError

    def send_email(
        self,
        message: EmailMessage,
        *,
        account: str,
        sender: Optional[str] = None,
        recipients: Optional[Sequence[str]] = None,
    ) -> Delivery:
        """Sends a mail of the standard library's `email` package; otherwise like `send_raw`.

        Without `sender` and `recipients` they are read from the header, as `smtplib.SMTP.send_message` does: `Sender` or
        `From`; `To`, `Cc` and `Bcc`; of a resent mail, the `Resent-` fields instead. `Bcc` fields are not sent. The message
        itself is not changed. Errors besides those of `send_raw`: `ValueError` when the header names no recipient or was
        resent more than once."""
        return self.send_raw(*_finished(message, account, sender, recipients))

    def __enter__(self: S) -> S:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()


class AsyncExtras:
    """Mixed into `AsyncMailbearer`."""

    _native: _mailbearer.Handle

    async def close(self) -> None:
        raise NotImplementedError

    async def send_raw(self, envelope: Envelope, mime: bytes) -> Delivery:
        raise NotImplementedError

    async def send_email(
        self,
        message: EmailMessage,
        *,
        account: str,
        sender: Optional[str] = None,
        recipients: Optional[Sequence[str]] = None,
    ) -> Delivery:
        """Sends a mail of the standard library's `email` package; otherwise like `send_raw`.

        Without `sender` and `recipients` they are read from the header, as `smtplib.SMTP.send_message` does: `Sender` or
        `From`; `To`, `Cc` and `Bcc`; of a resent mail, the `Resent-` fields instead. `Bcc` fields are not sent. The message
        itself is not changed. Errors besides those of `send_raw`: `ValueError` when the header names no recipient or was
        resent more than once."""
        return await self.send_raw(*_finished(message, account, sender, recipients))

    async def __aenter__(self: A) -> A:
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        await self.close()


S = TypeVar("S", bound=Extras)
A = TypeVar("A", bound=AsyncExtras)


class Opening(Generic[A]):
    """A handle that is about to be opened: `await` it, or use it in `async with`, which also closes it."""

    def __init__(self, call: _mailbearer.Call, make: Callable[[_mailbearer.Handle], A]) -> None:
        self._call = call
        self._make = make
        self._opened: Optional[A] = None

    def __await__(self) -> Generator[Any, None, A]:
        return self._open().__await__()

    async def __aenter__(self) -> A:
        self._opened = await self
        return self._opened

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        if self._opened is not None:
            await self._opened.close()

    async def _open(self) -> A:
        return self._make(await self._call.start())


def _finished(
    message: EmailMessage, account: str, sender: Optional[str], recipients: Optional[Sequence[str]]
) -> tuple[Envelope, bytes]:
    # Here, because most programs send no such mails, and the import takes longer than all of ours.
    from . import _email

    return _email.finished(message, account, sender, recipients)
