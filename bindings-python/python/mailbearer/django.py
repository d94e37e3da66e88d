"""Django's mail through Mailbearer.

```python
EMAIL_BACKEND = "mailbearer.django.EmailBackend"
MAILBEARER_ACCOUNT = "billing"
MAILBEARER_CONFIG = Config(vault=VaultSettingsFile(path="mailbearer.vault", passphrase=...))
```

`MAILBEARER_ACCOUNT` is the account that sends; a backend made with `get_connection(account=...)` uses another.
`MAILBEARER_CONFIG` is a `mailbearer.types.Config`; default: a vault in memory. `MAILBEARER_ACCOUNTS` are accounts
(`NewAccount`) to add when the vault lacks them, for settings that come from the environment; default: none.

A failure is a `MailbearerError`, unless `fail_silently` is set. As with SMTP in general, a mail counts as sent when the
server took it for at least one recipient; refused ones are named in a warning of the logger `mailbearer.django`.
"""

from __future__ import annotations

import logging
from email.utils import parseaddr
from typing import Any, Optional, Sequence

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from . import Mailbearer, MailbearerError
from ._shared import shared
from .types import Config, Delivery, Envelope, Verdict

_log = logging.getLogger(__name__)


class EmailBackend(BaseEmailBackend):
    """Sends through the process's handle. May be used from several threads."""

    def __init__(self, fail_silently: bool = False, account: Optional[str] = None, **_: Any) -> None:
        super().__init__(fail_silently=fail_silently)
        self.account = account or _account()
        self._handle: Optional[Mailbearer] = None

    def open(self) -> Optional[bool]:
        """Makes the handle ready. `True` if it was not before, `None` if that failed silently."""
        if self._handle is not None:
            return False
        try:
            self._handle = shared(
                getattr(settings, "MAILBEARER_CONFIG", Config()), getattr(settings, "MAILBEARER_ACCOUNTS", ())
            )
        except MailbearerError:
            if not self.fail_silently:
                raise
            return None
        return True

    def close(self) -> None:
        """Lets go of the handle, which stays open for others."""
        self._handle = None

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Sends mails and returns how many went out."""
        opened = self.open()
        handle = self._handle
        if handle is None:
            return 0
        try:
            return sum(self._send(handle, message) for message in email_messages)
        finally:
            if opened:
                self.close()

    def _send(self, handle: Mailbearer, message: EmailMessage) -> bool:
        recipients = [parseaddr(recipient)[1] for recipient in message.recipients()]
        if not recipients:
            return False
        sender = parseaddr(message.from_email)[1] or None
        envelope = Envelope(account=self.account, sender=sender, recipients=recipients)
        try:
            delivery = handle.send_raw(envelope, message.message().as_bytes())
        except MailbearerError:
            if not self.fail_silently:
                raise
            return False
        _warn_of_refusals(delivery)
        return True


def _account() -> str:
    account: Optional[str] = getattr(settings, "MAILBEARER_ACCOUNT", None)
    if not account:
        raise ImproperlyConfigured("set MAILBEARER_ACCOUNT to the name of the account that sends")
    return account


def _warn_of_refusals(delivery: Delivery) -> None:
    refused = [recipient.code for recipient in delivery.recipients if recipient.verdict is not Verdict.ACCEPTED]
    if refused:
        _log.warning("delivery %s: %d recipients not accepted: %s", delivery.id, len(refused), ", ".join(refused))
