"""What the interpreter does around us: its end, forks of a server, other interpreters, other versions."""

from __future__ import annotations

import glob
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator
from urllib.request import urlopen

import mailbearer
import pytest
from conftest import DEADLINE_S
from mailbearer.sandbox import Sandbox

BEGIN = """
import asyncio, socket, threading, dataclasses
from mailbearer import AsyncMailbearer, Mailbearer
from mailbearer.sandbox import Sandbox
sandbox = Sandbox.start()
silent = socket.create_server(("127.0.0.1", 0))
endpoints = dataclasses.replace(sandbox.billing.endpoints, authority=f"http://127.0.0.1:{silent.getsockname()[1]}")
account = dataclasses.replace(sandbox.billing, endpoints=endpoints)
"""

ENDINGS = {
    "a thread waits": """
handle = Mailbearer()
handle.add_account(account)
threading.Thread(target=handle.access_token, args=["billing"], daemon=True).start()
connection = silent.accept()
""",
    "a future waits": """
async def main():
    global handle, waiting, connection
    handle = await AsyncMailbearer.open()
    await handle.add_account(account)
    waiting = handle._native.access_token("billing").start()
    connection = await asyncio.to_thread(silent.accept)
asyncio.run(main())
""",
    "readers of events wait": """
handle = Mailbearer()
events = handle.events()
threading.Thread(target=next, args=[events], daemon=True).start()
async def main():
    global reader
    reader = handle.events()
    asyncio.ensure_future(reader.__anext__()) if hasattr(reader, "__anext__") else None
asyncio.run(main())
""",
    "the log is read": """
import logging, mailbearer.logging
logging.basicConfig(level=1, stream=open("/dev/null", "w"))
mailbearer.logging.start(1)
handle = Mailbearer()
handle.add_account(sandbox.billing)
handle.access_token("billing")
""",
    "nothing is closed": "handle = Mailbearer()\nhandle.add_account(sandbox.billing)\nhandle.access_token('billing')\n",
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_the_interpreter_ends_while(ending: str) -> None:
    for _ in range(3):
        program = [sys.executable, "-c", BEGIN + ending + "print('end', flush=True)"]
        run = subprocess.run(program, capture_output=True, text=True, timeout=DEADLINE_S * 3)
        assert (run.returncode, run.stdout, run.stderr) == (0, "end\n", "")


SERVER = """
import os, pickle
from mailbearer import Mailbearer, AsyncMailbearer
from mailbearer.types import Address, Message

with open("account.pickle", "rb") as file:
    account = pickle.load(file)
mailbearer = Mailbearer()
mailbearer.add_account(account)

def message(subject):
    return Message(account="billing", to=[Address(address="bob@contoso.example")], subject=subject, text="t")

mailbearer.send(message("before the fork"))

async def sent_without_blocking():
    async with AsyncMailbearer.open() as own:
        await own.add_account(account)
        await own.send(message("async"))

def app(environ, start_response):
    import asyncio
    mailbearer.send(message("sync"))
    asyncio.run(sent_without_blocking())
    start_response("200 OK", [("content-type", "text/plain")])
    return [str(os.getpid()).encode()]
"""


@pytest.fixture
def gunicorn(sandbox: Sandbox, tmp_path: Path) -> Iterator[str]:
    """A gunicorn whose master has sent a mail before it forked two workers; its address."""
    (tmp_path / "server.py").write_text(SERVER)
    (tmp_path / "account.pickle").write_bytes(pickle.dumps(sandbox.billing))
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers=2", "--bind=127.0.0.1:0", "server:app"]
    server = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    log = []
    for line in server.stderr:
        log.append(line)
        if found := re.search(r"Listening at: (http://\S+)", line):
            break
    else:
        raise AssertionError("".join(log))
    yield found[1]
    server.terminate()
    server.communicate(timeout=DEADLINE_S)


def test_workers_of_a_preforking_server_send(gunicorn: str, sandbox: Sandbox) -> None:
    workers: set[str] = set()
    requests = 0
    until = time.monotonic() + DEADLINE_S
    while len(workers) < 2 and time.monotonic() < until:
        with urlopen(gunicorn, timeout=DEADLINE_S) as response:
            workers.add(response.read().decode())
        requests += 1
    assert len(workers) == 2, "both workers answered"
    subjects = [mail.message["Subject"] for mail in sandbox.take_mails()]
    assert subjects == ["before the fork"] + ["sync", "async"] * requests


def test_another_interpreter_in_this_process_is_refused_clearly() -> None:
    create = "import _xxsubinterpreters as i" if sys.version_info < (3, 13) else "import _interpreters as i"
    program = f"""{create}
import mailbearer
other = i.create()
try:
    failure = i.run_string(other, "import mailbearer")
except Exception as error:
    failure = error
print(getattr(failure, "msg", failure))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=DEADLINE_S * 3)
    assert "subinterpreter" in run.stdout.lower(), run.stdout + run.stderr
    assert run.returncode == 0


SMOKE = """
import asyncio, sys
from mailbearer import AsyncMailbearer, Mailbearer, MisuseError
from mailbearer.sandbox import Sandbox
from mailbearer.types import Address, Message
with Sandbox.start() as sandbox, Mailbearer() as handle:
    handle.add_account(sandbox.billing)
    message = Message(account="billing", to=[Address(address="bob@contoso.example")], subject="s", text="t")
    handle.send(message)
    async def main():
        async with AsyncMailbearer.open() as opened:
            await opened.add_account(sandbox.billing)
            await opened.send(message)
    asyncio.run(main())
    try:
        handle.token_status("nobody")
    except MisuseError as error:
        print(sys.version_info[:2], len(sandbox.mails()), error.code)
"""


def interpreters() -> list[str]:
    """Other versions of Python on this machine that the package is for."""
    found = glob.glob(os.path.expanduser("~/.pyenv/versions/3.*/bin/python3")) + [
        path for minor in range(10, 20) if (path := shutil.which(f"python3.{minor}", path="/usr/bin:/usr/local/bin"))
    ]
    return [path for path in sorted(found) if version(path) >= (3, 10)]


def version(path: str) -> tuple[int, ...]:
    shown = subprocess.run([path, "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True)
    return tuple(int(part) for part in shown.stdout.split())


@pytest.mark.parametrize("interpreter", interpreters())
def test_the_same_package_runs_in(interpreter: str, tmp_path: Path) -> None:
    package = Path(mailbearer.__file__).parent
    shutil.copytree(package, tmp_path / "mailbearer", ignore=shutil.ignore_patterns("__pycache__"))
    run = subprocess.run(
        [interpreter, "-c", SMOKE], cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE_S * 3
    )
    assert (run.stdout, run.stderr) == (f"{version(interpreter)} 2 account-unknown\n", "")


def test_ctrl_c_ends_an_event_loop_that_waits() -> None:
    program = BEGIN + """
async def main():
    async with AsyncMailbearer.open() as handle:
        await handle.add_account(account)
        threading.Thread(target=lambda: (silent.accept(), print("waiting", flush=True))).start()
        await handle.access_token("billing")
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted")
"""
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "waiting\n"
    child.send_signal(signal.SIGINT)
    out, error = child.communicate(timeout=DEADLINE_S)
    assert (out, error) == ("interrupted\n", "")
