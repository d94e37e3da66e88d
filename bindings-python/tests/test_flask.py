"""Flask-Mail's own interface over Mailbearer."""

from __future__ import annotations

from typing import Iterator

import pytest
from conftest import BOB
from flask import Flask
from flask_mail import Message
from mailbearer import RejectedError
from mailbearer.flask import Mail
from mailbearer.sandbox import Sandbox


@pytest.fixture
def app(sandbox: Sandbox) -> Iterator[Flask]:
    app = Flask(__name__)
    app.config.update(
        MAILBEARER_ACCOUNT="billing", MAILBEARER_ACCOUNTS=[sandbox.billing], MAIL_DEFAULT_SENDER="billing@contoso.example"
    )
    with app.app_context():
        yield app


def message(*to: str) -> Message:
    return Message("Your invoice", recipients=list(to) or [BOB], body="Es ist fällig.", bcc=["ada@fabrikam.example"])


def test_a_view_sends(app: Flask, sandbox: Sandbox) -> None:
    mail = Mail(app)

    @app.post("/remind")
    def remind() -> str:
        mail.send(message())
        return "sent"

    assert app.test_client().post("/remind").text == "sent"
    (arrived,) = sandbox.take_mails()
    assert arrived.message["Subject"] == "Your invoice" and arrived.message["Bcc"] is None
    assert set(arrived.recipients) == {BOB, "ada@fabrikam.example"}
    assert arrived.text.strip() == "Es ist fällig."


def test_attachments_html_and_many_mails_over_one_connection(app: Flask, sandbox: Sandbox) -> None:
    mail = Mail()
    mail.init_app(app)
    with mail.connect() as connection:
        for name in ("a.bin", "b.bin"):
            one = message()
            one.html = "<p>due</p>"
            one.attach(name, "application/octet-stream", b"\x00\xff")
            connection.send(one)
    found = [next(iter(arrived.message.iter_attachments())).get_filename() for arrived in sandbox.take_mails()]
    assert found == ["a.bin", "b.bin"]


def test_flask_mails_own_test_helpers_work(app: Flask, sandbox: Sandbox) -> None:
    app.testing = True
    mail = Mail(app)
    with mail.record_messages() as outbox:
        mail.send(message())
    assert [one.subject for one in outbox] == ["Your invoice"]
    assert sandbox.take_mails() == []


def test_failures_are_raised(app: Flask) -> None:
    with pytest.raises(RejectedError):
        Mail(app).send(Message("s", recipients=["gone@contoso.example"], body="t"))
    app.config["MAILBEARER_ACCOUNT"] = None
    with pytest.raises(RuntimeError, match="MAILBEARER_ACCOUNT"):
        Mail(app).send(message())
