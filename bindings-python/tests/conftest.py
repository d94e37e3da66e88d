"""What the tests share: a sandbox for all of them, a handle for each."""

from __future__ import annotations

import dataclasses
import socket
from typing import AsyncIterator, Iterator

import pytest
from mailbearer import AsyncMailbearer, Mailbearer
from mailbearer.sandbox import Sandbox
from mailbearer.types import Address, Message, NewAccount

BOB = "bob@contoso.example"

DEADLINE_S = 20.0
"""Below the core's own limit of 30 seconds for an answer: a call that ends by that limit is too late."""


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[Sandbox]:
    with Sandbox.start() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running_sandbox: Sandbox) -> Sandbox:
    """A sandbox with an empty inbox."""
    running_sandbox.take_mails()
    return running_sandbox


@pytest.fixture
def mailbearer(sandbox: Sandbox) -> Iterator[Mailbearer]:
    """A handle with the account `billing`."""
    with Mailbearer() as opened:
        opened.add_account(sandbox.billing)
        yield opened


@pytest.fixture
async def async_mailbearer(sandbox: Sandbox) -> AsyncIterator[AsyncMailbearer]:
    """The same for asyncio."""
    async with AsyncMailbearer.open() as opened:
        await opened.add_account(sandbox.billing)
        yield opened


def invoice(*to: str) -> Message:
    """A short mail; without recipients, to Bob."""
    addresses = [Address(address=address) for address in to or [BOB]]
    return Message(account="billing", to=addresses, subject="Your invoice", text="It is due.\n")


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(DEADLINE_S)
        yield server


def elsewhere(sandbox: Sandbox, server: socket.socket) -> NewAccount:
    """The account `billing`, whose tokens come from this server."""
    authority = f"http://127.0.0.1:{server.getsockname()[1]}"
    account = sandbox.billing
    return dataclasses.replace(account, endpoints=dataclasses.replace(account.endpoints, authority=authority))
