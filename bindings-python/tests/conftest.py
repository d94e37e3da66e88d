"""What the tests share: a sandbox for all of them, a handle for each."""

from __future__ import annotations

from typing import Iterator

import pytest
from mailbearer import Mailbearer
from sandbox import Sandbox


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox()
    yield sandbox
    sandbox.stop()


@pytest.fixture
def sandbox(running_sandbox: Sandbox) -> Sandbox:
    """A sandbox with an empty inbox."""
    running_sandbox.take_mails()
    return running_sandbox


@pytest.fixture
def mailbearer() -> Iterator[Mailbearer]:
    with Mailbearer() as opened:
        yield opened
