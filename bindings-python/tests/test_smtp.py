"""Clients of other libraries, signed in with our token."""

from __future__ import annotations

import smtplib
import ssl
from typing import Iterator

import aiosmtplib
import pytest
from conftest import BOB
from mailbearer import AsyncMailbearer, Mailbearer
from mailbearer.sandbox import Sandbox
from mailbearer.smtp import authenticate, authenticate_async

MIME = f"From: billing@contoso.example\r\nTo: {BOB}\r\nSubject: by another\r\n\r\nhello\r\n"
REFUSED = {"named": "authentication-unsuccessful"}


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP("localhost", sandbox.facts["smtp_port"], timeout=10) as client:
        yield client


def trust(sandbox: Sandbox) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=sandbox.facts["ca_file"])


def test_smtplib_sends(client: smtplib.SMTP, mailbearer: Mailbearer, sandbox: Sandbox) -> None:
    client.starttls(context=trust(sandbox))
    authenticate(client, mailbearer, "billing")
    client.sendmail("billing@contoso.example", [BOB], MIME)
    assert sandbox.take_mails()[0].message["Subject"] == "by another"


def test_smtplib_gets_a_new_token_for_a_refused_one(
    client: smtplib.SMTP, mailbearer: Mailbearer, sandbox: Sandbox
) -> None:
    client.starttls(context=trust(sandbox))
    first = mailbearer.access_token("billing")
    sandbox.inject_fault("auth-response", REFUSED)
    authenticate(client, mailbearer, "billing")
    assert mailbearer.access_token("billing").token != first.token


def test_smtplib_gets_the_cause_of_a_second_refusal(
    client: smtplib.SMTP, mailbearer: Mailbearer, sandbox: Sandbox
) -> None:
    client.starttls(context=trust(sandbox))
    sandbox.inject_fault("auth-response", REFUSED, times=2)
    with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
        authenticate(client, mailbearer, "billing")
    check_refusal(caught.value.smtp_code, str(caught.value.smtp_error), sandbox)
    # The connection is as it was: every challenge has been answered.
    authenticate(client, mailbearer, "billing")


def test_a_token_that_has_been_replaced_is_not_renewed_again(mailbearer: Mailbearer) -> None:
    first = mailbearer.access_token("billing")
    second = mailbearer.access_token_after("billing", first.token)
    third = mailbearer.access_token_after("billing", first.token)
    assert first.token != second.token == third.token == mailbearer.access_token("billing").token


def test_no_token_leaves_in_the_clear(client: smtplib.SMTP, mailbearer: Mailbearer, sandbox: Sandbox) -> None:
    before = len(sandbox.secrets())
    with pytest.raises(smtplib.SMTPNotSupportedError, match="starttls"):
        authenticate(client, mailbearer, "billing")
    assert len(sandbox.secrets()) == before, "no token was asked for"


async def test_aiosmtplib_sends_and_gets_the_cause_of_a_refusal(
    async_mailbearer: AsyncMailbearer, sandbox: Sandbox
) -> None:
    client = aiosmtplib.SMTP(
        hostname="localhost", port=sandbox.facts["smtp_port"], start_tls=True, tls_context=trust(sandbox)
    )
    async with client:
        sandbox.inject_fault("auth-response", REFUSED, times=3)
        with pytest.raises(aiosmtplib.SMTPAuthenticationError) as caught:
            await authenticate_async(client, async_mailbearer, "billing")
        check_refusal(caught.value.code, caught.value.message, sandbox)
        await authenticate_async(client, async_mailbearer, "billing")
        await client.sendmail("billing@contoso.example", [BOB], MIME)
    assert sandbox.take_mails()[0].message["Subject"] == "by another"


async def test_aiosmtplib_without_tls_is_refused(async_mailbearer: AsyncMailbearer, sandbox: Sandbox) -> None:
    client = aiosmtplib.SMTP(hostname="localhost", port=sandbox.facts["smtp_port"], start_tls=False)
    async with client:
        with pytest.raises(smtplib.SMTPNotSupportedError, match="starttls"):
            await authenticate_async(client, async_mailbearer, "billing")


def check_refusal(code: int, text: str, sandbox: Sandbox) -> None:
    assert code == 535 and "5.7.3" in text
    assert text.endswith(".)"), "the likeliest cause and its fix follow in parentheses"
    assert not [secret for secret in sandbox.secrets() if secret in text]
