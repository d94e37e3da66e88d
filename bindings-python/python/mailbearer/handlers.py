"""A handler for `logging` that mails what happened, without ever holding up or breaking the program.

```python
import logging
from mailbearer import Mailbearer
from mailbearer.handlers import MailHandler

handler = MailHandler(mailbearer, account="billing", to=["ops@contoso.example"], subject="Trouble in the shop")
logging.getLogger().addHandler(handler)
```
"""

from __future__ import annotations

import atexit
import logging
import os
import queue
import sys
import threading
from typing import Optional, Sequence, Union
from weakref import WeakSet

from ._handle import Mailbearer
from .errors import MailbearerError
from .types import Address, Message


class MailHandler(logging.Handler):
    """Collects records and sends them as one mail, at most one every `interval_s` seconds (default 60).

    The first record goes out after a second, together with what follows at once. Sending happens in a thread of its own:
    `emit` never waits, and at most `RECORDS_KEPT` records are kept; a mail says how many were left out. A mail that
    cannot be sent is reported on standard error, as `logging` does (see `logging.raiseExceptions`). Records of Mailbearer
    itself are ignored, because a mail about a failed mail would fail as well. `close`, and the interpreter's end, send what
    is left and wait for that up to five seconds. The level is `ERROR` unless another is set."""

    def __init__(
        self,
        mailbearer: Mailbearer,
        *,
        account: str,
        to: Sequence[str],
        subject: str,
        level: Union[int, str] = logging.ERROR,
        interval_s: float = 60.0,
    ) -> None:
        super().__init__(level)
        self.addFilter(_is_foreign)
        self._mailbearer = mailbearer
        self._account, self._subject = account, subject
        self._to = [Address(address=address) for address in to]
        self._interval_s = interval_s
        self._begin()
        _open_handlers.add(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Takes a record for the next mail; a closed handler takes none."""
        if self._is_closing.is_set():
            return
        try:
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            self._left_out += 1
        except Exception:
            self.handleError(record)
        else:
            self._start()
            self._has_work.set()

    def close(self) -> None:
        """Sends what is left."""
        self._is_closing.set()
        self._has_work.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_PATIENCE_S)
        super().close()

    def _begin(self) -> None:
        """Nothing is waiting. Called in a forked child as well: what waits there is its parent's to send."""
        self._lines: queue.Queue[str] = queue.Queue(RECORDS_KEPT)
        self._left_out = 0
        self._has_work, self._is_closing = threading.Event(), threading.Event()
        self._thread: Optional[threading.Thread] = None

    def _start(self) -> None:
        """Starts the thread with the first record."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="mailbearer-handler", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._is_closing.is_set():
            self._has_work.wait()
            self._is_closing.wait(_COLLECTING_S)
            self._has_work.clear()
            self._send()
            self._is_closing.wait(self._interval_s)
        self._send()

    def _send(self) -> None:
        lines = _drain(self._lines)
        if not lines:
            return
        left_out, self._left_out = self._left_out, 0
        if left_out:
            lines.append(f"and {left_out} more, which were left out")
        subject = self._subject if len(lines) == 1 else f"{self._subject} ({len(lines)} records)"
        message = Message(account=self._account, to=self._to, subject=subject, text="\n".join(lines) + "\n")
        try:
            self._mailbearer.send(message)
        except MailbearerError as error:
            _complain(f"mailbearer: {len(lines)} log records were not mailed: {error}; {error.fix}")
        except Exception as error:
            _complain(f"mailbearer: {len(lines)} log records were not mailed: {type(error).__name__}")


RECORDS_KEPT = 1000
"""How many records wait for the next mail at most."""

_COLLECTING_S = 1.0
_PATIENCE_S = 5.0
_open_handlers: WeakSet[MailHandler] = WeakSet()


def _is_foreign(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] != "mailbearer"


def _drain(lines: queue.Queue[str]) -> list[str]:
    drained = []
    # No more than there can be at once, or a busy program would keep this going.
    for _ in range(RECORDS_KEPT):
        try:
            drained.append(lines.get_nowait())
        except queue.Empty:
            break
    return drained


def _complain(text: str) -> None:
    if logging.raiseExceptions and sys.stderr:
        print(text, file=sys.stderr)


def _begin_all() -> None:
    for handler in list(_open_handlers):
        handler._begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_all)


@atexit.register
def _close_all() -> None:
    for handler in list(_open_handlers):
        handler.close()
