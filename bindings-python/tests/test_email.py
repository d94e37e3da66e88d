"""Mails of the standard library: what the envelope says, and what is sent."""

from __future__ import annotations

import email.policy
from email.message import EmailMessage, Message
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from typing import Optional

import pytest
from conftest import BOB
from mailbearer import AsyncMailbearer, Mailbearer
from mailbearer._email import finished, octets
from mailbearer.sandbox import Sandbox

BILLING = "billing@contoso.example"
ADA = "ada@fabrikam.example"


def mail(**fields: str) -> EmailMessage:
    message = EmailMessage()
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    message.set_content("hello\n")
    return message


@pytest.mark.parametrize(
    ("fields", "sender", "recipients"),
    [
        ({"From": f"Billing <{BILLING}>", "To": BOB}, BILLING, [BOB]),
        ({"From": ADA, "Sender": BILLING, "To": BOB}, BILLING, [BOB]),
        ({"From": BILLING, "To": f'"Bob, the" <{BOB}>, {ADA}'}, BILLING, [BOB, ADA]),
        ({"From": BILLING, "To": BOB, "Cc": ADA, "Bcc": "x@contoso.example"}, BILLING, [BOB, ADA, "x@contoso.example"]),
        ({"From": BILLING, "To": BOB, "Cc": BOB}, BILLING, [BOB]),
        ({"From": BILLING, "Bcc": BOB}, BILLING, [BOB]),
        ({"From": BILLING, "To": f"friends: {BOB}, {ADA};"}, BILLING, [BOB, ADA]),
        ({"To": BOB}, None, [BOB]),
        (
            {"From": ADA, "To": ADA, "Resent_Date": "Mon, 1 Jan 2024 00:00:00 +0000", "Resent_From": BILLING, "Resent_To": BOB},
            BILLING,
            [BOB],
        ),
        ({"From": BILLING, "To": "jörg@fabrikam.example"}, BILLING, ["jörg@fabrikam.example"]),
    ],
)
def test_the_envelope_follows_from_the_header(
    fields: dict[str, str], sender: Optional[str], recipients: list[str]
) -> None:
    envelope, _ = finished(mail(**fields), "billing", None, None)
    assert (envelope.sender, envelope.recipients) == (sender, recipients)


def test_what_the_caller_says_goes_before_the_header() -> None:
    envelope, _ = finished(mail(From=ADA, To=ADA), "billing", "", [BOB])
    assert (envelope.sender, envelope.recipients) == ("", [BOB])


@pytest.mark.parametrize("fields", [{}, {"From": BILLING}, {"From": BILLING, "To": "undisclosed-recipients:;"}])
def test_a_mail_to_nobody_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="no recipient"):
        finished(mail(**fields), "billing", None, None)


def test_a_mail_resent_twice_is_refused() -> None:
    message = mail(From=BILLING, To=BOB)
    for _ in range(2):
        message["Resent-Date"] = "Mon, 1 Jan 2024 00:00:00 +0000"
    with pytest.raises(ValueError, match="more than once"):
        finished(message, "billing", None, None)


def test_another_type_is_refused() -> None:
    with pytest.raises(TypeError, match="message: expected email.message.EmailMessage, not str"):
        finished("From: x", "billing", None, None)  # type: ignore[arg-type]


def test_blind_copies_are_not_sent_and_the_message_is_unchanged() -> None:
    message = mail(From=BILLING, To=BOB, Bcc=ADA)
    assert b"bcc" not in octets(message).lower() and ADA.encode() not in octets(message)
    assert message["Bcc"] == ADA


@pytest.mark.parametrize(
    "policy", [email.policy.default, email.policy.SMTP, email.policy.SMTPUTF8, email.policy.compat32, email.policy.HTTP]
)
def test_lines_end_with_crlf_under_every_policy(policy: "email.policy.Policy[Message]") -> None:
    source = f"From: {BILLING}\nTo: {BOB}\nSubject: x\n\nlines\nof text\n".encode()
    written = octets(email.message_from_bytes(source, policy=policy))
    assert written.count(b"\r\n") == written.count(b"\n") == 6


def test_utf8_is_used_when_an_address_needs_it() -> None:
    _, plain = finished(mail(From=BILLING, To=BOB, Subject="fällig"), "billing", None, None)
    assert b"=?utf-8?" in plain and plain.isascii()
    _, international = finished(mail(From=BILLING, To="jörg@fabrikam.example", Subject="fällig"), "billing", None, None)
    assert "fällig".encode() in international and "jörg@".encode() in international


def test_a_mail_arrives(mailbearer: Mailbearer, sandbox: Sandbox) -> None:
    message = mail(From=BILLING, To=BOB, Bcc=ADA, Subject="Your invoice")
    message.add_attachment(b"\x00\xff", maintype="application", subtype="octet-stream", filename="invoice.bin")
    delivery = mailbearer.send_email(message, account="billing")
    assert [recipient.address for recipient in delivery.recipients] == [BOB, ADA]
    (arrived,) = sandbox.take_mails()
    (attached,) = arrived.message.iter_attachments()
    assert attached.get_content() == b"\x00\xff"
    assert arrived.text == "hello\n" and arrived.message["Bcc"] is None


async def test_an_old_mime_mail_arrives(async_mailbearer: AsyncMailbearer, sandbox: Sandbox) -> None:
    message = MIMEMultipart()
    message["From"], message["To"], message["Bcc"] = BILLING, BOB, ADA
    message.attach(MIMEText("Grüße", _charset="utf-8"))
    await async_mailbearer.send_email(message, account="billing")
    (arrived,) = sandbox.take_mails()
    assert arrived.recipients == (BOB, ADA) and b"Bcc" not in arrived.mime


def test_eight_bit_text_arrives(mailbearer: Mailbearer, sandbox: Sandbox) -> None:
    message = mail(From=BILLING, To=BOB)
    message.set_content("Grüße\n", cte="8bit")
    mailbearer.send_email(message, account="billing")
    assert "Grüße".encode() in sandbox.take_mails()[0].mime
