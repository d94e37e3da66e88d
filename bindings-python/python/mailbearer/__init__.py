"""Send mail through Microsoft 365 with OAuth 2.0.

`Mailbearer` waits in its thread, `AsyncMailbearer` on an event loop; both have the same methods. What goes in and out are
the frozen dataclasses of `mailbearer.types`. Every failure is a `MailbearerError` with a cause, a fix and retry advice.
"""

from . import types
from ._attach import attach
from ._events import AsyncEvents, Events
from ._handle import AsyncMailbearer, Mailbearer
from .errors import (
    ConfigError,
    ConsentError,
    InternalError,
    MailbearerError,
    MisuseError,
    RejectedError,
    SignInError,
    StorageError,
    ThrottledError,
    UnavailableError,
)

__all__ = [
    "AsyncEvents",
    "AsyncMailbearer",
    "ConfigError",
    "ConsentError",
    "Events",
    "InternalError",
    "Mailbearer",
    "MailbearerError",
    "MisuseError",
    "RejectedError",
    "SignInError",
    "StorageError",
    "ThrottledError",
    "UnavailableError",
    "attach",
]
