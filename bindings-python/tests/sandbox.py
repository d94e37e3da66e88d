"""A local Microsoft 365 for the tests: the sandbox's own program, and accounts that send through it."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from pathlib import Path
from typing import Any, Optional
from urllib.request import Request, urlopen

from mailbearer.types import (
    Address,
    EndpointOverrides,
    GrantClientSecret,
    GrantDeviceCode,
    Message,
    NewAccount,
)

PROGRAM = Path(__file__).parents[2] / "target/debug/mailbearer-sandbox"
PORTS = ["--identity-port=0", "--identity-tls-port=0", "--smtp-port=0", "--inbox-port=0"]


class Sandbox:
    """A running sandbox."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [PROGRAM, *PORTS], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._url = self._control_url()
        self.facts = self.call("GET", "")
        self.bob: str = self.facts["bob"]["address"]

    def stop(self) -> None:
        self._process.terminate()
        self._process.communicate()

    def call(self, method: str, path: str, body: Optional[object] = None) -> Any:
        """Calls the sandbox's own interface."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        with urlopen(Request(self._url + path, data, headers, method=method), timeout=10) as response:
            return json.load(response)

    def take_mails(self) -> list[bytes]:
        """The received mails; the inbox is empty afterwards."""
        mails = self.call("GET", "/mails")
        self.call("DELETE", "/mails")
        return [base64.b64decode(mail["mime_base64"]) for mail in mails]

    def secrets(self) -> list[str]:
        """Every secret that this sandbox has ever made or shown."""
        found: list[str] = self.call("GET", "/secrets")
        return found

    def billing(self, authority: Optional[str] = None, client_secret: Optional[str] = None) -> NewAccount:
        """The seeded service, which sends as the shared mailbox."""
        return NewAccount(
            name="billing",
            mailbox=self.facts["shared_mailbox"],
            tenant=self.facts["tenant_id"],
            client_id=self.facts["service_client_id"],
            grant=GrantClientSecret(client_secret=client_secret or self.facts["service_client_secret"]),
            endpoints=self._endpoints(authority),
        )

    def alice(self) -> NewAccount:
        """Alice, who signs in herself."""
        return NewAccount(
            name="alice",
            mailbox=self.facts["alice"]["address"],
            tenant=self.facts["domain"],
            client_id=self.facts["public_client_id"],
            grant=GrantDeviceCode(),
            endpoints=self._endpoints(None),
        )

    def invoice(self, *to: str) -> Message:
        """A short mail; without recipients, to Bob."""
        addresses = [Address(address=address) for address in to or [self.bob]]
        return Message(account="billing", to=addresses, subject="Your invoice", text="It is due.\n")

    def _endpoints(self, authority: Optional[str]) -> EndpointOverrides:
        return EndpointOverrides(
            authority=authority or self.facts["identity_url"],
            smtp_host="localhost",
            smtp_port=self.facts["smtp_port"],
            ca_pem=Path(self.facts["ca_file"]).read_text(),
        )

    def _control_url(self) -> str:
        for line in self._process.stdout or ():
            if found := re.match(r"control\s+(\S+)", line):
                return found[1]
        raise RuntimeError(f"{PROGRAM} did not start")
