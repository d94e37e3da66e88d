"""Calls that wait: other threads go on, Ctrl-C ends them, and a forked child can make its own."""

from __future__ import annotations

import pickle
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from conftest import DEADLINE_S, elsewhere, invoice
from mailbearer import Mailbearer, UnavailableError
from mailbearer.types import TokenState
from mailbearer.sandbox import Sandbox

def start(name: str, *arguments: object) -> subprocess.Popen[bytes]:
    """Starts a program of `child.py`."""
    command = [sys.executable, str(Path(__file__).with_name("child.py")), name]
    pipe = subprocess.PIPE
    child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT)
    assert child.stdin is not None
    child.stdin.write(pickle.dumps(arguments))
    child.stdin.close()
    child.stdin = None
    return child


def output(child: subprocess.Popen[bytes]) -> str:
    try:
        return child.communicate(timeout=DEADLINE_S)[0].decode()
    finally:
        child.kill()


def test_other_threads_go_on_while_a_call_waits(silent: socket.socket, sandbox: Sandbox) -> None:
    with Mailbearer() as mailbearer, ThreadPoolExecutor(1) as threads:
        mailbearer.add_account(elsewhere(sandbox, silent))
        waiting = threads.submit(mailbearer.access_token, "billing")
        connection, _ = silent.accept()
        assert mailbearer.token_status("billing").state is TokenState.RENEWABLE
        assert not waiting.done()
        connection.close()
        assert isinstance(waiting.exception(DEADLINE_S), UnavailableError)


def test_many_threads_share_a_handle_and_one_request_for_a_token(mailbearer: Mailbearer, sandbox: Sandbox) -> None:
    events = iter(mailbearer.events())
    with ThreadPoolExecutor(16) as threads:
        tokens = list(threads.map(lambda _: mailbearer.access_token("billing").token, range(64)))
    assert len(set(tokens)) == 1
    mailbearer.send(invoice())
    assert [type(next(events)).__name__ for _ in range(2)] == ["EventTokenObtained", "EventMailAccepted"]


def test_ctrl_c_ends_a_call_that_waits(silent: socket.socket, sandbox: Sandbox) -> None:
    child = start("wait", elsewhere(sandbox, silent))
    connection, _ = silent.accept()
    with connection:
        child.send_signal(signal.SIGINT)
        assert output(child) == "interrupted; billing is still there\n"


def test_a_forked_child_can_send(sandbox: Sandbox) -> None:
    child = start("fork", sandbox.billing, invoice())
    shown = output(child)
    assert shown == "the child has sent\nthe parent has sent; the child ended with 0\n"
    assert len(sandbox.take_mails()) == 4
    assert [secret for secret in sandbox.secrets() if secret in shown] == []
