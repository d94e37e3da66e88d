"""What the tests share: a sandbox for all of them, a handle for each."""

from __future__ import annotations

from typing import AsyncIterator, Iterator

import pytest
from mailbearer import AsyncMailbearer, Mailbearer
from mailbearer.sandbox import Sandbox
from mailbearer.types import Address, Message

BOB = "bob@contoso.example"


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
