"""The package against the sandbox: accounts, sign-in, real mails, events, explanations."""

from __future__ import annotations

import base64
import dataclasses

import pytest
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
from sandbox import Sandbox


def test_accounts_are_stored_without_their_secrets(mailbearer: Mailbearer, sandbox: Sandbox) -> None:
    added = mailbearer.add_account(sandbox.billing())
    assert added.grant is GrantKind.CLIENT_SECRET
    assert mailbearer.accounts() == [added]
    mailbearer.remove_account("billing")
    assert mailbearer.accounts() == []


def test_a_person_signs_in_with_a_code(mailbearer: Mailbearer, sandbox: Sandbox) -> None:
    account = sandbox.alice()
    mailbearer.add_account(account)
    assert mailbearer.token_status("alice").state is TokenState.SIGN_IN_NEEDED
    prompt = mailbearer.begin_sign_in("alice")
    sandbox.call("POST", "/devices/approve", {"user_code": prompt.user_code, "user": account.mailbox})
    status = mailbearer.finish_sign_in(prompt)
    assert (status.state, status.origin) == (TokenState.VALID, TokenOrigin.DEVICE_CODE)


def test_an_access_token_can_be_had_for_other_libraries(mailbearer: Mailbearer, sandbox: Sandbox) -> None:
    mailbearer.add_account(sandbox.billing())
    token = mailbearer.access_token("billing")
    assert token.token in sandbox.secrets()
    assert token.token not in repr(token)


def test_a_mail_arrives(mailbearer: Mailbearer, sandbox: Sandbox) -> None:
    mailbearer.add_account(sandbox.billing())
    delivery = mailbearer.send(sandbox.invoice())
    assert [(r.address, r.verdict) for r in delivery.recipients] == [(sandbox.bob, Verdict.ACCEPTED)]
    (mail,) = sandbox.take_mails()
    assert b"\r\nSubject: Your invoice\r\n" in mail
    shown = repr(delivery)
    assert [secret for secret in sandbox.secrets() if secret in shown] == []


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_attachments_are_raw_octets(mailbearer: Mailbearer, sandbox: Sandbox, kind: type[bytes]) -> None:
    octets = bytes(range(256))
    mailbearer.add_account(sandbox.billing())
    attachment = Attachment(name="invoice.bin", content=ContentData(data=kind(octets)))
    mailbearer.send(dataclasses.replace(sandbox.invoice(), attachments=[attachment]))
    (mail,) = sandbox.take_mails()
    assert base64.b64encode(octets) in mail.replace(b"\r\n", b"")


def test_a_finished_mail_is_sent_as_it_is(mailbearer: Mailbearer, sandbox: Sandbox) -> None:
    account = sandbox.billing()
    mailbearer.add_account(account)
    mime = f"From: {account.mailbox}\r\nSubject: raw\r\n\r\nas it is\r\n".encode()
    mailbearer.send_raw(Envelope(account="billing", recipients=[sandbox.bob]), mime)
    assert sandbox.take_mails() == [mime]


def test_events_come_in_order(mailbearer: Mailbearer, sandbox: Sandbox) -> None:
    mailbearer.add_account(sandbox.billing())
    events = iter(mailbearer.events())
    delivery = mailbearer.send(sandbox.invoice())
    seen: list[Event] = [next(events), next(events)]
    assert isinstance(seen[0], EventTokenObtained)
    assert isinstance(seen[1], EventMailAccepted) and seen[1].delivery == delivery.id


def test_explains_a_failure_seen_elsewhere(mailbearer: Mailbearer) -> None:
    text = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant."
    evidence = Evidence(evidence=[EvidenceItem(kind=EvidenceKind.SMTP_REPLY, text=text)])
    assert mailbearer.explain(evidence)[0].code == "smtp-auth-disabled-tenant"

