"""A local Microsoft 365 for tests: Entra ID, Exchange Online's SMTP submission and an inbox, on free ports of 127.0.0.1.

```python
from mailbearer import Mailbearer
from mailbearer.sandbox import Sandbox
from mailbearer.types import Address, Message

with Sandbox.start() as sandbox, Mailbearer() as mailbearer:
    mailbearer.add_account(sandbox.billing)
    to = [Address(address="ada@fabrikam.example")]
    mailbearer.send(Message(account="billing", to=to, subject="Your invoice", text="It is due.\\n"))
    assert sandbox.mails()[0].message["Subject"] == "Your invoice"
```

It runs in this process, needs no network, and no mail leaves the machine. With pytest, use the fixture
`mailbearer_sandbox`, which the package brings along.
"""

from __future__ import annotations

import base64
import dataclasses
import email
import email.policy
import json
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Mapping, Optional, Sequence, Union
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from . import _mailbearer
from .types import EndpointOverrides, GrantClientSecret, GrantDeviceCode, NewAccount


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReceivedMail:
    """A mail as the sandbox received it."""

    mime: bytes
    """The octets (RFC 5322)."""

    sender: str
    """`MAIL FROM`."""

    recipients: Sequence[str]
    """The recipients that were accepted."""

    authenticated_as: str
    """Who had signed in."""

    @property
    def message(self) -> EmailMessage:
        """The mail, parsed."""
        parsed = email.message_from_bytes(self.mime, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def text(self) -> str:
        """The plain text part, with plain line feeds; empty when there is none."""
        part = self.message.get_body(("plain",))
        return "" if part is None else str(part.get_content()).replace("\r\n", "\n")


class Sandbox:
    """A running sandbox. Its methods are plain calls that take about a millisecond, in tests with asyncio too.

    Every method fails with `SandboxError` when the sandbox refuses what it is asked."""

    def __init__(self, server: _mailbearer.SandboxServer) -> None:
        """Use `Sandbox.start`."""
        self._server = server
        self.facts: Mapping[str, Any] = self.call("GET", "/sandbox")
        """Where everything is, and who exists: URLs, ports, ids, addresses."""

    @classmethod
    def start(cls, *, random_seed: Optional[int] = None) -> Sandbox:
        """Starts a sandbox of its own. With a seed, its ids and secrets are repeatable. Errors: `OSError`."""
        return cls(_mailbearer.start_sandbox(random_seed))

    @property
    def url(self) -> str:
        """The address of the inbox, for a browser, and of the control interface."""
        return self._server.url

    @property
    def billing(self) -> NewAccount:
        """An application's account, which signs in with a client secret and sends as the shared mailbox."""
        return NewAccount(
            name="billing",
            mailbox=self.facts["shared_mailbox"],
            tenant=self.facts["tenant_id"],
            client_id=self.facts["service_client_id"],
            grant=GrantClientSecret(client_secret=self.facts["service_client_secret"]),
            endpoints=self.endpoints,
        )

    @property
    def alice(self) -> NewAccount:
        """A person's account, who signs in with a device code: see `approve_device`."""
        return NewAccount(
            name="alice",
            mailbox=self.facts["alice"]["address"],
            tenant=self.facts["domain"],
            client_id=self.facts["public_client_id"],
            grant=GrantDeviceCode(),
            endpoints=self.endpoints,
        )

    @property
    def endpoints(self) -> EndpointOverrides:
        """What leads an account to this sandbox instead of Microsoft."""
        return EndpointOverrides(
            authority=self.facts["identity_url"],
            smtp_host="localhost",
            smtp_port=self.facts["smtp_port"],
            ca_pem=Path(self.facts["ca_file"]).read_text(),
        )

    def mails(self) -> list[ReceivedMail]:
        """The received mails, oldest first."""
        return [_received(mail) for mail in self.call("GET", "/sandbox/mails")]

    def take_mails(self) -> list[ReceivedMail]:
        """The received mails, oldest first; the inbox is empty afterwards."""
        return [_received(mail) for mail in self.call("DELETE", "/sandbox/mails")]

    def inject_fault(self, at: str, effect: object, *, times: Union[int, Literal["always"]] = 1) -> None:
        """Lets something go wrong, this many times or always: `at` is a step such as `"token"`, `"auth-response"` or
        `"data-end"`; `effect` is `"cut"`, `{"named": "throttle-concurrency"}`, `{"http": {...}}` and the like. Which names
        there are is listed by `call("GET", "/sandbox/catalogue")`."""
        often = times if times == "always" else {"n": times}
        self.call("POST", "/sandbox/faults", {"at": at, "effect": effect, "times": often})

    def approve_device(self, user_code: str, user: str) -> None:
        """Does what a person does with a device code: opens the page, types the code, signs in as `user`, agrees."""
        self.call("POST", "/sandbox/devices/approve", {"user_code": user_code, "user": user})

    def secrets(self) -> list[str]:
        """Every secret that this sandbox has ever made or shown: none of them may be in a log."""
        found: list[str] = self.call("GET", "/sandbox/secrets")
        return found

    def call(self, method: str, path: str, body: Optional[object] = None) -> Any:
        """Calls the sandbox's own HTTP interface with JSON, such as `call("GET", "/sandbox/clock")`."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.url + path, data, {"content-type": "application/json"}, method=method)
        try:
            with _DIRECT.open(request, timeout=_PATIENCE_S) as response:
                return json.load(response)
        except HTTPError as refusal:
            with refusal:
                raise SandboxError(f"{method} {path}: {refusal.read().decode(errors='replace')}") from None

    def stop(self) -> None:
        """Ends the sandbox. May be called twice."""
        self._server.stop()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Sandbox:
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.stop()


class SandboxError(Exception):
    """The sandbox refused what it was asked, and says why."""


_PATIENCE_S = 10.0
# A proxy of the environment has no way to 127.0.0.1.
_DIRECT = build_opener(ProxyHandler({}))


def _received(mail: Mapping[str, Any]) -> ReceivedMail:
    return ReceivedMail(
        mime=base64.b64decode(mail["mime_base64"]),
        sender=mail["envelope_sender"],
        recipients=tuple(mail["accepted_recipients"]),
        authenticated_as=mail["authenticated_as"],
    )
