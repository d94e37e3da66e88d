"""Send mail through Microsoft 365 with OAuth 2.0."""

from ._handle import Events, Mailbearer
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
    "ConfigError",
    "ConsentError",
    "Events",
    "InternalError",
    "MailbearerError",
    "Mailbearer",
    "MisuseError",
    "RejectedError",
    "SignInError",
    "StorageError",
    "ThrottledError",
    "UnavailableError",
]
