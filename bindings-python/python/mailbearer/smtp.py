"""Signs in an SMTP client of another library with our token (XOAUTH2).

```python
import smtplib
from mailbearer import Mailbearer
from mailbearer.smtp import authenticate

with Mailbearer(config) as mailbearer, smtplib.SMTP("smtp.office365.com", 587) as client:
    client.starttls()
    authenticate(client, mailbearer, "billing")
    client.sendmail("billing@contoso.example", ["ada@fabrikam.example"], mime)
```

Mailbearer's own `send_raw` does more: a verdict for each recipient, and a cause and a fix for each refusal.
"""

from __future__ import annotations

import smtplib
import ssl
from typing import TYPE_CHECKING, Callable, Optional, Sequence

from ._handle import AsyncMailbearer, Mailbearer
from .types import Diagnosis, Evidence, EvidenceItem, EvidenceKind, RevealedAccessToken

if TYPE_CHECKING:
    import aiosmtplib


def authenticate(client: smtplib.SMTP, mailbearer: Mailbearer, account: str) -> None:
    """Signs in a client whose connection is encrypted. A token that the server refuses is renewed once.

    Errors: those of `Mailbearer.access_token`; `smtplib.SMTPNotSupportedError` without TLS, so that no token leaves in the
    clear; `smtplib.SMTPAuthenticationError` when the server refuses, with the likeliest cause and its fix in the text."""
    _require_tls(client.sock)
    client.ehlo_or_helo_if_needed()
    token = mailbearer.access_token(account)
    try:
        client.auth("XOAUTH2", _Answers(token))
        return
    except smtplib.SMTPAuthenticationError:
        token = mailbearer.access_token_after(account, token.token)
    try:
        client.auth("XOAUTH2", _Answers(token))
    except smtplib.SMTPAuthenticationError as refusal:
        text = _explained(mailbearer.explain, refusal.smtp_code, _text(refusal.smtp_error))
        raise smtplib.SMTPAuthenticationError(refusal.smtp_code, text) from None


async def authenticate_async(client: aiosmtplib.SMTP, mailbearer: AsyncMailbearer, account: str) -> None:
    """The same for aiosmtplib (3 or newer), whose own exceptions it raises."""
    import aiosmtplib

    _require_tls(client.get_transport_info("ssl_object"))
    token = await mailbearer.access_token(account)
    try:
        await client.auth_xoauth2(token.mailbox, token.token)
        return
    except aiosmtplib.SMTPAuthenticationError:
        token = await mailbearer.access_token_after(account, token.token)
    try:
        await client.auth_xoauth2(token.mailbox, token.token)
    except aiosmtplib.SMTPAuthenticationError as refusal:
        text = _explained(mailbearer.explain, refusal.code, refusal.message)
        raise aiosmtplib.SMTPAuthenticationError(refusal.code, text) from None


class _Answers:
    """What `smtplib` asks for: the token at first, and nothing in answer to a challenge, which says what is wrong with it.
    The empty answer makes the server end the exchange with its real reply."""

    def __init__(self, token: RevealedAccessToken) -> None:
        self._token = token

    def __call__(self, challenge: Optional[bytes] = None) -> str:
        if challenge:
            return ""
        return f"user={self._token.mailbox}\x01auth=Bearer {self._token.token}\x01\x01"


def _require_tls(transport: object) -> None:
    if not isinstance(transport, (ssl.SSLSocket, ssl.SSLObject)):
        raise smtplib.SMTPNotSupportedError("the connection is not encrypted: call starttls() first")


def _explained(explain: Callable[[Evidence], Sequence[Diagnosis]], code: int, text: str) -> str:
    """A server's refusal with the likeliest cause and its fix."""
    seen = EvidenceItem(kind=EvidenceKind.SMTP_REPLY, text=f"{code} {text}")
    found = explain(Evidence(evidence=[seen]))
    return f"{text} ({found[0].cause} {found[0].fix})" if found else text


def _text(reply: object) -> str:
    return reply.decode(errors="replace") if isinstance(reply, bytes) else str(reply)
