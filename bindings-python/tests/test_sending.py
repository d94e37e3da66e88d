"""The package against the sandbox: accounts, sign-in, real mails, events, explanations."""

from __future__ import annotations

import base64
import dataclasses

import pytest
from conftest import BOB, invoice
from mailbearer import Mailbearer
from mailbearer.types import (
    Attachment,
    ContentData,
    Envelope,
    Event,
    EventMailAccepted,
    EventTokenObtained,
    Evidence,
    EvidenceItem,
    EvidenceKind,
    GrantKind,
    TokenOrigin,
    TokenState,
    Verdict,
)
from mailbearer.sandbox import Sandbox


def test_accounts_are_stored_without_their_secrets(mailbearer: Mailbearer, sandbox: Sandbox) -> None:
    added = mailbearer.add_account(dataclasses.replace(sandbox.billing, name="another"))
    assert added.grant is GrantKind.CLIENT_SECRET
    assert added in mailbearer.accounts()
    mailbearer.remove_account("another")
    assert added not in mailbearer.accounts()


def test_a_person_signs_in_with_a_code(mailbearer: Mailbearer, sandbox: Sandbox) -> None:
    account = sandbox.alice
    mailbearer.add_account(account)
    assert mailbearer.token_status("alice").state is TokenState.SIGN_IN_NEEDED
    prompt = mailbearer.begin_sign_in("alice")
    sandbox.approve_device(prompt.user_code, account.mailbox)
    status = mailbearer.finish_sign_in(prompt)
    assert (status.state, status.origin) == (TokenState.VALID, TokenOrigin.DEVICE_CODE)


def test_an_access_token_can_be_had_for_other_libraries(mailbearer: Mailbearer, sandbox: Sandbox) -> None:
    token = mailbearer.access_token("billing")
    assert token.token in sandbox.secrets()
    assert token.token not in repr(token)


def test_a_mail_arrives(mailbearer: Mailbearer, sandbox: Sandbox) -> None:
    delivery = mailbearer.send(invoice())
    assert [(r.address, r.verdict) for r in delivery.recipients] == [(BOB, Verdict.ACCEPTED)]
    (mail,) = sandbox.take_mails()
    assert b"\r\nSubject: Your invoice\r\n" in mail.mime
    shown = repr(delivery)
    assert [secret for secret in sandbox.secrets() if secret in shown] == []


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_attachments_are_raw_octets(mailbearer: Mailbearer, sandbox: Sandbox, kind: type[bytes]) -> None:
    octets = bytes(range(256))
    attachment = Attachment(name="invoice.bin", content=ContentData(data=kind(octets)))
    mailbearer.send(dataclasses.replace(invoice(), attachments=[attachment]))
    (mail,) = sandbox.take_mails()
    assert base64.b64encode(octets) in mail.mime.replace(b"\r\n", b"")


def test_a_finished_mail_is_sent_as_it_is(mailbearer: Mailbearer, sandbox: Sandbox) -> None:
    account = sandbox.billing
    mime = f"From: {account.mailbox}\r\nSubject: raw\r\n\r\nas it is\r\n".encode()
    mailbearer.send_raw(Envelope(account="billing", recipients=[BOB]), mime)
    assert [mail.mime for mail in sandbox.take_mails()] == [mime]


def test_events_come_in_order(mailbearer: Mailbearer, sandbox: Sandbox) -> None:
    events = iter(mailbearer.events())
    delivery = mailbearer.send(invoice())
    seen: list[Event] = [next(events), next(events)]
    assert isinstance(seen[0], EventTokenObtained)
    assert isinstance(seen[1], EventMailAccepted) and seen[1].delivery == delivery.id


def test_explains_a_failure_seen_elsewhere(mailbearer: Mailbearer) -> None:
    text = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant."
    evidence = Evidence(evidence=[EvidenceItem(kind=EvidenceKind.SMTP_REPLY, text=text)])
    assert mailbearer.explain(evidence)[0].code == "smtp-auth-disabled-tenant"

