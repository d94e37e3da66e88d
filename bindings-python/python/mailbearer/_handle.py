"""The handle: everything Mailbearer does, one method each."""

from __future__ import annotations

from types import TracebackType
from typing import Iterator, Optional, Sequence

from . import _mailbearer, _wire
from .types import (
    Account,
    Config,
    Delivery,
    Diagnosis,
    Envelope,
    Event,
    Evidence,
    Message,
    NewAccount,
    RevealedAccessToken,
    SignInFlow,
    SignInPrompt,
    TokenStatus,
)


class Mailbearer:
    """A handle on everything Mailbearer does. Every method may be called from any thread."""

    def __init__(self, config: Optional[Config] = None) -> None:
        """Opens a handle. Errors: `ConfigError`, `StorageError`."""
        self._native = _mailbearer.open(_wire.encode(config or Config()))

    def __enter__(self) -> Mailbearer:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def close(self) -> None:
        """Waits for the deliveries in flight, and refuses new work. May be called twice."""
        self._native.close()

    def add_account(self, account: NewAccount) -> Account:
        """Validates and stores an account."""
        return _wire.decode(Account, self._native.add_account(_wire.encode(account)))

    def accounts(self) -> Sequence[Account]:
        """All accounts, by name."""
        return [_wire.decode(Account, account) for account in self._native.accounts()]

    def remove_account(self, account: str) -> None:
        """Removes an account with its secrets and tokens."""
        self._native.remove_account(account)

    def begin_sign_in(self, account: str, flow: SignInFlow = SignInFlow.DEVICE_CODE) -> SignInPrompt:
        """Begins a person's sign-in and returns what to show them."""
        return _wire.decode(SignInPrompt, self._native.begin_sign_in(account, flow.value))

    def finish_sign_in(self, prompt: SignInPrompt) -> TokenStatus:
        """Waits until the person has signed in, has declined, or the code has ended."""
        return _wire.decode(TokenStatus, self._native.finish_sign_in(_wire.encode(prompt)))

    def access_token(self, account: str) -> RevealedAccessToken:
        """A valid access token, for other mail libraries. It is a secret."""
        return _wire.decode(RevealedAccessToken, self._native.access_token(account))

    def token_status(self, account: str) -> TokenStatus:
        """What is known of an account's tokens; asks no server."""
        return _wire.decode(TokenStatus, self._native.token_status(account))

    def send(self, message: Message) -> Delivery:
        """Sends a mail and waits for the verdict on each recipient.

        Returns when the server took it for at least one; otherwise the error holds the verdicts.
        """
        return _wire.decode(Delivery, self._native.send(_wire.encode(message)))

    def send_raw(self, envelope: Envelope, mime: bytes) -> Delivery:
        """Sends a finished message (RFC 5322) as it is, but for line ends."""
        return _wire.decode(Delivery, self._native.send_raw(_wire.encode(envelope), mime))

    def events(self) -> Events:
        """A reader of everything that happens from now on."""
        return Events(self._native.events())

    def explain(self, evidence: Evidence) -> Sequence[Diagnosis]:
        """The possible causes of a failure seen anywhere, best first. Asks no server."""
        found = self._native.explain(_wire.encode(evidence))
        return [_wire.decode(Diagnosis, diagnosis) for diagnosis in found]


class Events:
    """Events as they happen. Iteration waits for the next one."""

    def __init__(self, native: _mailbearer.EventReader) -> None:
        self._native = native

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        event = self._native.next()
        if event is None:
            raise StopIteration
        decoded: Event = _wire._decode(Event, event)
        return decoded
