"""Programs that the tests start as processes of their own: `child.py NAME`, with pickled data on standard input."""

from __future__ import annotations

import os
import pickle
import signal
import sys

from mailbearer import Mailbearer
from mailbearer.types import Message, NewAccount


def wait(account: NewAccount) -> None:
    """Waits for a token, until it is interrupted; then goes on with the same handle."""
    with Mailbearer() as mailbearer:
        mailbearer.add_account(account)
        try:
            mailbearer.access_token("billing")
        except KeyboardInterrupt:
            print("interrupted;", mailbearer.accounts()[0].name, "is still there")


def fork(account: NewAccount, message: Message) -> None:
    """Sends, then forks a child that sends with a handle of its own and with its parent's."""
    with Mailbearer() as mailbearer:
        mailbearer.add_account(account)
        mailbearer.send(message)
        child = os.fork()
        if child == 0:
            own = Mailbearer()
            own.add_account(account)
            own.send(message)
            mailbearer.send(message)
            print("the child has sent", flush=True)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        mailbearer.send(message)
        print("the parent has sent; the child ended with", os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    # A shell's background job inherits that Ctrl-C is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    arguments = pickle.load(sys.stdin.buffer)
    if sys.argv[1] == "wait":
        wait(*arguments)
    else:
        fork(*arguments)
