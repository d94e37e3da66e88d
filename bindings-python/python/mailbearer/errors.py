"""What goes wrong: one class for each thing the caller must do, all under one base."""

from __future__ import annotations

from typing import Any, Optional, Sequence

from . import _wire
from .types import Problem, ProblemKind, RecipientVerdict, Retry


class MailbearerError(Exception):
    """A failure with its cause and the next step. Its text is the problem's; a traceback shows code and fix as well."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.text)
        self.problem = problem
        # Python 3.11 and newer show it below the traceback.
        self.__notes__ = [f"{problem.code}: {problem.fix}"]

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.problem,))

    @property
    def kind(self) -> ProblemKind:
        """What the caller must do."""
        return self.problem.kind

    @property
    def code(self) -> str:
        """The cause as a stable label."""
        return self.problem.code

    @property
    def fix(self) -> str:
        """The next step."""
        return self.problem.fix

    @property
    def retry(self) -> Retry:
        """Whether and when to try the same again."""
        return self.problem.retry

    @property
    def operation(self) -> str:
        """What Mailbearer was doing."""
        return self.problem.operation

    @property
    def answer(self) -> Optional[str]:
        """The server's own words, where a server answered."""
        return self.problem.answer

    @property
    def recipients(self) -> Sequence[RecipientVerdict]:
        """The verdict on each recipient, where the server gave one."""
        return self.problem.recipients or ()


class ConfigError(MailbearerError):
    """Correct the settings."""


class SignInError(MailbearerError):
    """Sign in again."""


class ConsentError(MailbearerError):
    """Ask an administrator."""


class RejectedError(MailbearerError):
    """Change the message or its recipients."""


class ThrottledError(MailbearerError):
    """Wait: `retry` says how long."""


class UnavailableError(MailbearerError):
    """Wait: network, TLS, or a server's temporary fault."""


class StorageError(MailbearerError):
    """Repair the disk, the database or the vault."""


class MisuseError(MailbearerError):
    """Correct the program: a closed handle, an unknown account."""


class InternalError(MailbearerError):
    """Report it: this is a fault of Mailbearer."""


_CLASSES = {
    ProblemKind.CONFIG: ConfigError,
    ProblemKind.SIGN_IN: SignInError,
    ProblemKind.CONSENT: ConsentError,
    ProblemKind.REJECTED: RejectedError,
    ProblemKind.THROTTLED: ThrottledError,
    ProblemKind.UNAVAILABLE: UnavailableError,
    ProblemKind.STORAGE: StorageError,
    ProblemKind.MISUSE: MisuseError,
    ProblemKind.INTERNAL: InternalError,
}


def _from_wire(data: Any) -> MailbearerError:
    """Called by the native module."""
    problem = _wire.decode(Problem, data)
    return _CLASSES[problem.kind](problem)
