"""One handle for a whole process, for frameworks that make an object for each mail.

Opening a handle may decrypt a vault, which takes a moment on purpose; and what tokens are known is worth keeping."""

from __future__ import annotations

import threading
from typing import Sequence

from ._handle import Mailbearer
from .types import Config, NewAccount

_lock = threading.Lock()
_opened: list[tuple[Config, tuple[NewAccount, ...], Mailbearer]] = []


def shared(config: Config, accounts: Sequence[NewAccount]) -> Mailbearer:
    """The process's handle of this configuration, opened at the first use. `accounts` are added where their names are free.

    It is never closed: it ends with the process. A forked child may go on using its parent's."""
    wanted = tuple(accounts)
    with _lock:
        for known_config, known_accounts, handle in _opened:
            if (known_config, known_accounts) == (config, wanted):
                return handle
        handle = _open(config, wanted)
        _opened.append((config, wanted, handle))
        return handle


def _open(config: Config, accounts: Sequence[NewAccount]) -> Mailbearer:
    handle = Mailbearer(config)
    known = {account.name for account in handle.accounts()}
    for account in accounts:
        if account.name not in known:
            handle.add_account(account)
    return handle
