"""The handler that mails log records."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from typing import Iterator

import pytest
from conftest import BOB
from mailbearer import Mailbearer, handlers
from mailbearer.handlers import MailHandler
from mailbearer.sandbox import ReceivedMail, Sandbox

DEADLINE_S = 20.0


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "_COLLECTING_S", 0.05)


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("shop")
    logger.propagate = False
    yield logger
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()


def handler(mailbearer: Mailbearer, interval_s: float = 60.0, account: str = "billing") -> MailHandler:
    return MailHandler(mailbearer, account=account, to=[BOB], subject="Trouble", interval_s=interval_s)


def arrived(sandbox: Sandbox) -> ReceivedMail:
    until = time.monotonic() + DEADLINE_S
    while time.monotonic() < until:
        if mails := sandbox.take_mails():
            return mails[0]
        time.sleep(0.02)
    raise AssertionError("no mail arrived")


def test_records_arrive_with_their_traceback(logger: logging.Logger, mailbearer: Mailbearer, sandbox: Sandbox) -> None:
    logger.addHandler(handler(mailbearer))
    logger.warning("below the level")
    try:
        raise KeyError("the till is empty")
    except KeyError:
        logger.exception("no change")
    mail = arrived(sandbox)
    assert mail.message["Subject"] == "Trouble"
    assert mail.text.startswith("no change\nTraceback") and "the till is empty" in mail.text


def test_a_burst_is_two_mails_and_says_what_was_left_out(
    logger: logging.Logger, mailbearer: Mailbearer, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = handler(mailbearer)
    logger.addHandler(one)
    logger.error("the first")
    assert "the first" in arrived(sandbox).text
    for n in range(handlers.RECORDS_KEPT + 7):
        logger.error("record %d", n)
    assert sandbox.take_mails() == [], "the interval is not over"
    one.close()
    mail = arrived(sandbox)
    assert mail.message["Subject"] == f"Trouble ({handlers.RECORDS_KEPT + 1} records)"
    assert "and 7 more" in mail.text


def test_a_failure_is_reported_once_and_never_raised(
    logger: logging.Logger, mailbearer: Mailbearer, capsys: pytest.CaptureFixture[str]
) -> None:
    one = handler(mailbearer, account="nobody")
    logger.addHandler(one)
    logger.error("trouble")
    one.close()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("mailbearer: 1 log records were not mailed:") and "nobody" in line


def test_mailbearers_own_records_are_ignored(mailbearer: Mailbearer, sandbox: Sandbox) -> None:
    one = handler(mailbearer)
    for name in ("mailbearer", "mailbearer.audit"):
        logging.getLogger(name).addHandler(one)
        logging.getLogger(name).error("about a mail")
        logging.getLogger(name).removeHandler(one)
    one.close()
    assert sandbox.take_mails() == []


def test_a_closed_handler_takes_nothing(logger: logging.Logger, mailbearer: Mailbearer, sandbox: Sandbox) -> None:
    one = handler(mailbearer)
    one.close()
    logger.addHandler(one)
    logger.error("too late")
    assert one._lines.empty() and one._thread is None


def test_a_forked_child_leaves_its_parents_records_alone(
    logger: logging.Logger, mailbearer: Mailbearer, sandbox: Sandbox
) -> None:
    one = handler(mailbearer)
    logger.addHandler(one)
    logger.error("the first")
    arrived(sandbox)
    logger.error("the parent's")
    child = os.fork()
    if child == 0:
        logger.error("the child's")
        one.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert arrived(sandbox).text == "the child's\n"
    one.close()
    assert arrived(sandbox).text == "the parent's\n"


PROGRAM = """
import logging
from mailbearer import Mailbearer
from mailbearer.handlers import MailHandler
from mailbearer.sandbox import Sandbox
sandbox = Sandbox.start()
mailbearer = Mailbearer()
mailbearer.add_account(sandbox.billing)
import atexit
atexit.register(lambda: print([mail.message["Subject"] for mail in sandbox.mails()]))
from mailbearer import handlers
atexit.register(handlers._close_all)
logging.getLogger().addHandler(MailHandler(mailbearer, account="billing", to=["bob@contoso.example"], subject="Trouble"))
logging.error("the last words")
"""


def test_the_interpreters_end_sends_what_is_left() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout, run.stderr) == (0, "['Trouble']\n", "")
