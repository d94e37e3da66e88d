"""The clients in Python: `client.py NAME RUN`, NAME being smtplib, aiosmtplib or mailbearer."""

from __future__ import annotations

import asyncio
import json
import smtplib
import ssl
import sys
import threading
import time
from pathlib import Path

NAME = sys.argv[1]
RUN = json.loads(Path(sys.argv[2]).read_text())
MESSAGE = Path(RUN["messageFile"]).read_bytes()
USER, TOKEN, RECIPIENTS = RUN["user"], RUN["token"], RUN["recipients"]
XOAUTH2 = f"user={USER}\x01auth=Bearer {TOKEN}\x01\x01"


class Turns:
    """Whether another mail is to be begun."""

    def __init__(self) -> None:
        self.begun = 0
        self.end = time.monotonic() + RUN["seconds"]
        self.lock = threading.Lock()

    def take(self) -> bool:
        with self.lock:
            self.begun += 1
            number = self.begun
        return number <= RUN["most"] and (number <= RUN["least"] or time.monotonic() < self.end)


def trust() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=RUN["caFile"])


def with_smtplib(turns: Turns) -> None:
    def connection() -> None:
        with smtplib.SMTP(RUN["host"], RUN["port"]) as smtp:
            smtp.starttls(context=trust())
            smtp.auth("XOAUTH2", lambda challenge=None: XOAUTH2, initial_response_ok=True)
            while turns.take():
                smtp.sendmail(USER, RECIPIENTS, MESSAGE)

    threads = [threading.Thread(target=connection) for _ in range(RUN["connections"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


async def with_aiosmtplib(turns: Turns) -> None:
    import aiosmtplib

    async def connection() -> None:
        smtp = aiosmtplib.SMTP(hostname=RUN["host"], port=RUN["port"], start_tls=True, tls_context=trust())
        async with smtp:
            await smtp.auth_xoauth2(USER, TOKEN)
            while turns.take():
                await smtp.sendmail(USER, RECIPIENTS, MESSAGE)

    await asyncio.gather(*(connection() for _ in range(RUN["connections"])))


async def with_mailbearer(turns: Turns) -> None:
    from mailbearer import AsyncMailbearer
    from mailbearer.types import Cloud, EndpointOverrides, Envelope, GrantTokenCommand, NewAccount

    endpoints = EndpointOverrides(
        token_url="http://127.0.0.1:9/token",  # never asked: the command gives the token
        scopes=["mail"],
        smtp_host=RUN["host"],
        smtp_port=RUN["port"],
        ca_pem=Path(RUN["caFile"]).read_text(),
    )
    account = NewAccount(
        name="bench",
        mailbox=USER,
        cloud=Cloud.CUSTOM,
        grant=GrantTokenCommand(command=["printf", TOKEN]),
        endpoints=endpoints,
    )
    async with AsyncMailbearer.open() as mailbearer:
        await mailbearer.add_account(account)
        envelope = Envelope(account="bench", recipients=RECIPIENTS)

        async def caller() -> None:
            while turns.take():
                await mailbearer.send_raw(envelope, MESSAGE)

        await asyncio.gather(*(caller() for _ in range(RUN["connections"] * RUN["streams"])))


turns = Turns()
if NAME == "smtplib":
    with_smtplib(turns)
elif NAME == "aiosmtplib":
    asyncio.run(with_aiosmtplib(turns))
else:
    asyncio.run(with_mailbearer(turns))
