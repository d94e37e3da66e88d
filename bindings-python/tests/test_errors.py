"""What goes wrong: one class for each kind, with the whole problem, also after a trip through pickle."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Callable

import mailbearer as package
import pytest
from conftest import invoice
from mailbearer import Mailbearer, MailbearerError, MisuseError, RejectedError, SignInError, _wire, errors
from mailbearer.types import (
    GrantClientSecret,
    Problem,
    ProblemKind,
    RecipientVerdict,
    RetryAfter,
    RetryNever,
    Verdict,
)
from mailbearer.sandbox import Sandbox


def problem(kind: ProblemKind) -> Problem:
    gone = RecipientVerdict(
        address="gone@contoso.example", verdict=Verdict.REFUSED, code="c", fix="f", retry=RetryNever()
    )
    return Problem(
        kind=kind,
        code="some-code",
        text="it went wrong",
        fix="do this",
        retry=RetryAfter(delay_ms=7),
        operation="send",
        answer="550 no",
        recipients=(gone,),
    )


@pytest.mark.parametrize("kind", ProblemKind)
def test_there_is_a_class_for_each_kind(kind: ProblemKind) -> None:
    error = errors._from_wire(_wire.encode(Problem, problem(kind), "problem"))
    assert type(error).__name__.lower() == f"{kind.value}error".lower()
    assert getattr(package, type(error).__name__) is type(error)
    assert isinstance(error, MailbearerError) and type(error) is not MailbearerError
    assert error.problem == problem(kind)
    assert str(error) == "it went wrong"


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_pickling_and_copying_keep_the_problem(again: Callable[[MailbearerError], MailbearerError]) -> None:
    error = again(errors.ThrottledError(problem(ProblemKind.THROTTLED)))
    assert type(error) is errors.ThrottledError
    assert (error.kind, error.code, error.fix, error.operation) == (
        ProblemKind.THROTTLED,
        "some-code",
        "do this",
        "send",
    )
    assert error.retry == RetryAfter(delay_ms=7)
    assert error.answer == "550 no"
    assert error.__notes__ == ["some-code: do this"]
    assert error.recipients[0].verdict is Verdict.REFUSED


def test_the_core_raises_them(mailbearer: Mailbearer) -> None:
    with pytest.raises(MisuseError) as caught:
        mailbearer.token_status("nobody")
    assert caught.value.operation == "token_status"
    assert caught.value.retry == RetryNever()
    assert caught.value.fix


def test_a_closed_handle_refuses_work() -> None:
    mailbearer = Mailbearer()
    mailbearer.close()
    mailbearer.close()
    with pytest.raises(MisuseError, match="closed"):
        mailbearer.accounts()


def test_verdicts_come_with_the_error(mailbearer: Mailbearer, sandbox: Sandbox) -> None:
    with pytest.raises(RejectedError) as caught:
        mailbearer.send(invoice("gone@contoso.example"))
    (recipient,) = caught.value.recipients
    assert recipient.verdict is Verdict.REFUSED
    assert recipient.reply is not None and recipient.reply.code == 550
    assert sandbox.take_mails() == []


def test_a_wrong_secret_is_a_problem_that_does_not_show_it(mailbearer: Mailbearer, sandbox: Sandbox) -> None:
    secret = "a-secret-nobody-must-see"
    wrong = dataclasses.replace(sandbox.billing, name="wrong", grant=GrantClientSecret(client_secret=secret))
    mailbearer.add_account(wrong)
    with pytest.raises(MailbearerError) as caught:
        mailbearer.access_token("wrong")
    assert not isinstance(caught.value, (MisuseError, SignInError))
    assert secret not in repr(caught.value) + str(caught.value) + repr(caught.value.problem)
    assert caught.value.problem.answer is not None
