"""The fixture `mailbearer_sandbox` for pytest. It is there as soon as the package is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator

import pytest

if TYPE_CHECKING:
    from .sandbox import Sandbox


@pytest.fixture
def mailbearer_sandbox() -> Iterator[Sandbox]:
    """A local Microsoft 365 of this test's own: see `mailbearer.sandbox.Sandbox`."""
    # Here, because pytest loads this file in projects that never ask for it.
    from .sandbox import Sandbox

    with Sandbox.start() as sandbox:
        yield sandbox
