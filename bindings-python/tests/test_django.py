"""Django's own functions over the backend."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any, Iterator

import django
import pytest
from conftest import BOB
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMultiAlternatives, get_connection, mail_admins, send_mail, send_mass_mail
from django.core.mail.backends.base import BaseEmailBackend
from django.test.utils import override_settings
from mailbearer import MisuseError, RejectedError, _shared
from mailbearer.sandbox import Sandbox
from mailbearer.types import Config

ADA = "ada@fabrikam.example"

if not settings.configured:
    settings.configure(EMAIL_BACKEND="mailbearer.django.EmailBackend", DEFAULT_FROM_EMAIL="billing@contoso.example")
    django.setup()


@pytest.fixture(autouse=True)
def configured(sandbox: Sandbox) -> Iterator[None]:
    with override_settings(MAILBEARER_ACCOUNT="billing", MAILBEARER_ACCOUNTS=[sandbox.billing]):
        yield


def test_send_mail_arrives(sandbox: Sandbox) -> None:
    assert send_mail("Your invoice", "Es ist fällig.\n", None, [BOB], html_message="<p>Es ist <b>fällig</b>.</p>") == 1
    (mail,) = sandbox.take_mails()
    assert (mail.sender, mail.recipients) == ("billing@contoso.example", (BOB,))
    assert mail.text == "Es ist fällig.\n"
    assert [part.get_content_type() for part in mail.message.iter_parts()] == ["text/plain", "text/html"]


def test_attachments_alternatives_and_blind_copies_arrive(sandbox: Sandbox) -> None:
    message = EmailMultiAlternatives(
        "Your invoice", "text", "Billing <billing@contoso.example>", [f"Bob <{BOB}>"], bcc=[ADA], reply_to=["x@contoso.example"]
    )
    message.attach_alternative("<p>text</p>", "text/html")
    message.attach("invoice.bin", bytes(range(256)), "application/octet-stream")
    assert message.send() == 1
    (mail,) = sandbox.take_mails()
    assert mail.recipients == (BOB, ADA)
    assert mail.message["Bcc"] is None and mail.message["Reply-To"] == "x@contoso.example"
    (attached,) = mail.message.iter_attachments()
    assert (attached.get_filename(), attached.get_content()) == ("invoice.bin", bytes(range(256)))


def test_many_mails_and_mails_to_admins_arrive(sandbox: Sandbox) -> None:
    assert send_mass_mail([(f"{n}", "text", None, [BOB]) for n in range(3)]) == 3
    with override_settings(ADMINS=[("Bob", BOB)], SERVER_EMAIL="billing@contoso.example"):
        mail_admins("down", "it is")
    assert [mail.message["Subject"] for mail in sandbox.take_mails()] == ["0", "1", "2", "[Django] down"]


def test_a_mail_to_nobody_is_not_sent(sandbox: Sandbox) -> None:
    assert EmailMultiAlternatives("Your invoice", "text").send() == 0
    assert sandbox.take_mails() == []


def test_failures_are_raised_or_silent(sandbox: Sandbox) -> None:
    with pytest.raises(RejectedError) as caught:
        send_mail("s", "t", None, ["gone@contoso.example"])
    assert caught.value.code == "recipient-not-found"
    assert send_mail("s", "t", None, ["gone@contoso.example"], fail_silently=True) == 0
    backend = get_connection(account="nobody")
    with pytest.raises(MisuseError):
        send_mail("s", "t", None, [BOB], connection=backend)
    assert sandbox.take_mails() == []


def test_refused_recipients_are_warned_of_without_addresses(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "mailbearer.django"):
        assert send_mail("s", "t", None, [BOB, "gone@contoso.example"]) == 1
    (record,) = caplog.records
    assert "1 recipients not accepted: recipient-not-found" in record.getMessage()
    assert "gone@" not in record.getMessage()


def test_a_connection_is_opened_once_and_the_handle_is_shared(sandbox: Sandbox) -> None:
    backend: Any = get_connection()
    assert backend.open() is True
    assert backend.open() is False
    assert backend._handle is _shared.shared(Config(), [sandbox.billing])
    assert backend.send_messages([EmailMultiAlternatives("s", "t", None, [BOB])]) == 1
    assert backend.open() is False, "sending leaves an opened connection open"
    backend.close()
    assert backend.open() is True
    assert isinstance(backend, BaseEmailBackend)


def test_an_account_that_cannot_be_added_fails_at_opening(sandbox: Sandbox) -> None:
    wrong = dataclasses.replace(sandbox.billing, name="wrong", mailbox="no address")
    with override_settings(MAILBEARER_ACCOUNTS=[wrong]):
        assert get_connection(fail_silently=True).open() is None
        assert send_mail("s", "t", None, [BOB], fail_silently=True) == 0


def test_a_missing_account_says_what_to_set() -> None:
    with override_settings(MAILBEARER_ACCOUNT=None), pytest.raises(ImproperlyConfigured, match="MAILBEARER_ACCOUNT"):
        get_connection()
