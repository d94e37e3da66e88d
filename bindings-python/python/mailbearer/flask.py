"""Flask-Mail through Mailbearer: the same extension, messages and signals; only the connection is another.

```python
from flask_mail import Message
from mailbearer.flask import Mail

app.config["MAILBEARER_ACCOUNT"] = "billing"
mail = Mail(app)
mail.send(Message("Your invoice", recipients=["ada@fabrikam.example"], body="It is due."))
```

`MAILBEARER_ACCOUNT` is the account that sends, `MAILBEARER_CONFIG` a `mailbearer.types.Config` (default: a vault in
memory), `MAILBEARER_ACCOUNTS` accounts (`NewAccount`) to add when the vault lacks them (default: none). Of Flask-Mail's own
settings those about a server have no effect. Needs the package `flask-mail`. A failure is a `MailbearerError`.
"""

from __future__ import annotations

from email.utils import parseaddr
from typing import Any, Sequence

import flask_mail
from flask import current_app

from . import Mailbearer
from ._shared import shared
from .types import Config, Delivery, Envelope


class Mail(flask_mail.Mail):
    """Flask-Mail's extension over Mailbearer."""

    def connect(self) -> flask_mail.Connection:
        """A connection to send several mails in a row."""
        app = self.app or current_app
        return _Connection(app.extensions["mail"], app.config)


class _Connection(flask_mail.Connection):
    def __init__(self, mail: Any, settings: Any) -> None:
        super().__init__(mail)
        self._settings = settings

    def configure_host(self) -> Any:
        account = self._settings.get("MAILBEARER_ACCOUNT")
        if not account:
            raise RuntimeError("set MAILBEARER_ACCOUNT to the name of the account that sends")
        config = self._settings.get("MAILBEARER_CONFIG", Config())
        return _Host(shared(config, self._settings.get("MAILBEARER_ACCOUNTS", ())), account)


class _Host:
    """What Flask-Mail needs of an `smtplib.SMTP`."""

    def __init__(self, handle: Mailbearer, account: str) -> None:
        self._handle, self._account = handle, account

    def sendmail(
        self, sender: str, recipients: Sequence[str], mime: bytes, mail_options: object, rcpt_options: object
    ) -> Delivery:
        addresses = [parseaddr(recipient)[1] for recipient in recipients]
        envelope = Envelope(account=self._account, sender=parseaddr(sender)[1] or None, recipients=addresses)
        return self._handle.send_raw(envelope, mime)

    def quit(self) -> None:
        """The handle stays open for others."""
