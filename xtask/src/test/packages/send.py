"""Sends one mail through the installed wheel to the sandbox in it."""

from mailbearer import Mailbearer
from mailbearer.sandbox import Sandbox
from mailbearer.types import Address, Message

with Sandbox.start() as sandbox, Mailbearer() as mailbearer:
    mailbearer.add_account(sandbox.billing)
    to = [Address(address="ada@fabrikam.example")]
    delivery = mailbearer.send(Message(account="billing", to=to, subject="Hello", text="Hello.\n"))
    assert len(sandbox.mails()) == 1
    print(delivery.recipients[0].verdict.value)
