"""Mailbearer's own log in Python's `logging`.

```python
import logging
import mailbearer.logging

logging.basicConfig(level=logging.INFO)
mailbearer.logging.start()
```

Records arrive under loggers named after the part that speaks, such as `mailbearer.transport.smtp`, with their facts as
attributes and, together, under `fields`. They hold no secret; above `DEBUG`, no address, subject or body either.
"""

from __future__ import annotations

import atexit
import logging as _logging
import os
import threading
from typing import Any, Mapping, Optional

from . import _mailbearer
from .types import LogLevel

_LEVELS = {
    LogLevel.TRACE: 5,
    LogLevel.DEBUG: _logging.DEBUG,
    LogLevel.INFO: _logging.INFO,
    LogLevel.WARN: _logging.WARNING,
    LogLevel.ERROR: _logging.ERROR,
}


def start(level: int = _logging.INFO) -> None:
    """Hands every record of this level and above to Python's `logging`, for the whole process; once more sets the level.

    Records come through a queue and a thread of its own, so that no handler holds up a mail. When they come faster than
    handlers take them, the newest are dropped, and a warning says how many. Which of them are shown is up to the loggers'
    own levels. A child made by `os.fork()` goes on logging. Below `DEBUG`, level 5 means everything."""
    _forwarder.start(level)


def stop() -> None:
    """Ends what `start` began, after the records that are already there. Called at the interpreter's end by itself."""
    _forwarder.stop()


class _Forwarder:
    def __init__(self) -> None:
        self._level: Optional[int] = None
        self._thread: Optional[threading.Thread] = None

    def start(self, level: int) -> None:
        reader = _mailbearer.read_log(_core_level(level).value)
        # The earlier reader ends by itself, because the log has gone to another.
        self._join()
        self._level = level
        self._thread = threading.Thread(target=_forward, args=(reader,), name="mailbearer-logging", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        _mailbearer.stop_log()
        self._join()
        self._level = None

    def start_in_child(self) -> None:
        self._thread = None
        if self._level is not None:
            self.start(self._level)

    def _join(self) -> None:
        # A handler that calls `stop` runs on the thread that it would wait for. A stuck one must not hold up the end.
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_PATIENCE_S)
        self._thread = None


_PATIENCE_S = 2.0
_forwarder = _Forwarder()
atexit.register(_forwarder.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forwarder.start_in_child)


def _core_level(level: int) -> LogLevel:
    """The core's level that shows no less than Python's."""
    return next((of_core for of_core, of_python in reversed(_LEVELS.items()) if of_python <= level), LogLevel.TRACE)


def _forward(reader: _mailbearer.LogReader) -> None:
    while (record := reader.next()) is not None:
        _handle(record)
        if dropped := reader.take_dropped():
            _logging.getLogger("mailbearer").warning("%d log records were dropped", dropped)


def _handle(data: Mapping[str, Any]) -> None:
    logger = _logging.getLogger(data["target"].replace("::", "."))
    level = _LEVELS[LogLevel(data["level"])]
    if logger.isEnabledFor(level):
        logger.handle(_record(logger.name, level, data))


def _record(name: str, level: int, data: Mapping[str, Any]) -> _logging.LogRecord:
    fields: dict[str, str] = data["fields"]
    facts = [f"{key}={value}" for key, value in sorted(fields.items())]
    text = " ".join([data["text"], *facts]).strip()
    record = _logging.LogRecord(name, level, "", 0, "%s", (text,), None)
    record.created = data["atUnixMs"] / 1000
    record.msecs = float(data["atUnixMs"] % 1000)
    record.fields = fields
    for key, value in fields.items():
        # What `logging` has a use for itself stays as it is.
        if not hasattr(record, key):
            setattr(record, key, value)
    return record
