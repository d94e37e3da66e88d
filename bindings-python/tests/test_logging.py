"""The core's log in Python's `logging`."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from typing import Any, Iterator

import mailbearer.logging as mailbearer_logging
import pytest
from conftest import DEADLINE_S, invoice
from mailbearer import Mailbearer
from mailbearer.sandbox import Sandbox


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def kept() -> Iterator[Kept]:
    handler, logger = Kept(), logging.getLogger("mailbearer")
    logger.addHandler(handler)
    logger.setLevel(1)
    yield handler
    mailbearer_logging.stop()
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def test_records_arrive_with_their_facts(kept: Kept, mailbearer: Mailbearer) -> None:
    start_and_send(mailbearer, logging.INFO)
    (record,) = kept.records
    assert (record.name, record.levelno) == ("mailbearer.audit", logging.INFO)
    assert record.getMessage().startswith("mail accepted accepted=1 account=billing ")
    facts: Any = record
    assert facts.account == facts.fields["account"] == "billing"
    assert record.threadName == "mailbearer-logging"


def start_and_send(handle: Mailbearer, level: int) -> None:
    mailbearer_logging.start(level)
    handle.send(invoice())
    mailbearer_logging.stop()


@pytest.mark.parametrize(
    ("level", "names"),
    [
        (logging.ERROR, set()),
        (logging.WARNING, set()),
        (logging.INFO, {"INFO"}),
        (logging.DEBUG, {"INFO", "DEBUG"}),
        (5, {"INFO", "DEBUG"}),
    ],
)
def test_the_level_is_the_callers_choice(level: int, names: set[str], kept: Kept, mailbearer: Mailbearer) -> None:
    start_and_send(mailbearer, level)
    assert {record.levelname for record in kept.records} == names


def test_everything_is_logged_without_secrets(kept: Kept, mailbearer: Mailbearer, sandbox: Sandbox) -> None:
    start_and_send(mailbearer, 1)
    shown = "".join(f"{record.getMessage()} {vars(record)}" for record in kept.records)
    assert "step=AUTH" in shown
    assert [secret for secret in sandbox.secrets() if secret in shown] == []


def test_the_loggers_own_level_counts(kept: Kept, mailbearer: Mailbearer) -> None:
    logging.getLogger("mailbearer").setLevel(logging.WARNING)
    start_and_send(mailbearer, logging.DEBUG)
    assert kept.records == []


def test_a_stuck_handler_does_not_hold_up_a_mail(kept: Kept, mailbearer: Mailbearer) -> None:
    free = threading.Event()
    kept.addFilter(lambda _: free.wait(DEADLINE_S))
    mailbearer_logging.start(logging.DEBUG)
    mailbearer.send(invoice())
    assert kept.records == []
    free.set()
    mailbearer_logging.stop()
    assert kept.records


def test_lost_records_are_counted(kept: Kept) -> None:
    class Reader:
        """A reader whose second record came after seven were lost."""

        one: Any = {"atUnixMs": 1, "level": "info", "target": "mailbearer::x", "text": "t", "fields": {}}
        records = iter([one, one])
        dropped = iter([0, 7])

        def next(self) -> Any:
            return next(self.records, None)

        def take_dropped(self) -> int:
            return next(self.dropped)

    mailbearer_logging._forward(Reader())  # type: ignore[arg-type]
    assert [record.getMessage() for record in kept.records] == ["t", "t", "7 log records were dropped"]


PROGRAM = """
import logging, os, sys
import mailbearer.logging
from mailbearer import Mailbearer
from mailbearer.sandbox import Sandbox
from mailbearer.types import Address, Message
logging.basicConfig(stream=sys.stdout, format="%(process)d %(name)s %(message)s")
logging.getLogger("mailbearer").setLevel(logging.INFO)
mailbearer.logging.start()
sandbox = Sandbox.start()
handle = Mailbearer()
handle.add_account(sandbox.billing)
message = Message(account="billing", to=[Address(address="bob@contoso.example")], subject="s", text="t")
child = os.fork()
handle.send(message)
if child:
    os.waitpid(child, 0)
"""


def test_a_forked_child_and_the_interpreters_end_lose_no_record() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")
    lines = [line.split(" ", 2) for line in run.stdout.splitlines()]
    assert len({process for process, _, _ in lines}) == 2, run.stdout
    assert [(name, text[:13]) for _, name, text in lines] == [("mailbearer.audit", "mail accepted")] * 2
