"""What a call costs on Python's side. Run it with a wheel of `cargo xtask build python` and the package `msal` installed:
`python bindings-python/benches/cost.py`. Each figure is the best of five runs."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import timeit
from typing import Callable

import msal  # type: ignore[import-untyped]
import requests  # type: ignore[import-untyped]
from mailbearer import AsyncMailbearer, Mailbearer, MailbearerError, _wire
from mailbearer.sandbox import Sandbox
from mailbearer.types import Address, Evidence, EvidenceItem, EvidenceKind, Message, RevealedAccessToken

CALLS = 20_000
RUNS = 5
MAIL = Message(
    account="billing", to=[Address(address="ada@fabrikam.example")], subject="Your invoice", text="It is due. " * 900
)
# As in the core's own benchmark.
NOISE = "2026-11-25T12:00:00Z worker-7 queue: nothing to do, waiting for the next message\n"
REFUSAL = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox."
LOG = Evidence(evidence=[EvidenceItem(kind=EvidenceKind.LOG, text=NOISE * (10 * 1024 // len(NOISE)) + REFUSAL)])


def main() -> None:
    with Sandbox.start() as sandbox, Mailbearer() as mailbearer:
        mailbearer.add_account(sandbox.billing)
        mailbearer.access_token("billing")
        in_thread(mailbearer)
        asyncio.run(awaited(sandbox))
        beside_msal(sandbox)
    for module in ("mailbearer", "msal"):
        show(f"import {module}", min(import_us(module) for _ in range(RUNS)))


def in_thread(mailbearer: Mailbearer) -> None:
    native = mailbearer._native
    token = native.access_token("billing").wait()
    show("access_token, cached, core included", best(lambda: mailbearer.access_token("billing")))
    show("  of it the core, and its data as a dict", best(lambda: native.access_token("billing").wait()))
    show("  of it the dataclass", best(lambda: _wire.decode(RevealedAccessToken, token)))
    show("a 10 KB mail as data for the core", best(lambda: _wire.encode(Message, MAIL, "message")))
    show("explain, 10 KB of a log, core included", best(lambda: mailbearer.explain(LOG), 200))
    mailbearer.close()
    show("a call that does nothing", best(mailbearer.close))
    show("a 10 KB mail that a closed handle refuses", best(lambda: refused(mailbearer), 5_000))


def refused(mailbearer: Mailbearer) -> None:
    try:
        mailbearer.send(MAIL)
    except MailbearerError:
        pass


async def awaited(sandbox: Sandbox) -> None:
    async with AsyncMailbearer.open() as mailbearer:
        await mailbearer.add_account(sandbox.billing)
        await mailbearer.access_token("billing")
        runs = []
        for _ in range(RUNS):
            started = time.perf_counter()
            for _ in range(CALLS):
                await mailbearer.access_token("billing")
            runs.append((time.perf_counter() - started) / CALLS * 1e6)
        show("access_token, cached, awaited, core included", min(runs))
        runs = []
        await mailbearer.close()
        for _ in range(RUNS):
            started = time.perf_counter()
            for _ in range(CALLS // 10):
                await mailbearer.close()
            runs.append((time.perf_counter() - started) / (CALLS // 10) * 1e6)
        show("a call that does nothing, awaited by way of the core's threads", min(runs))


def beside_msal(sandbox: Sandbox) -> None:
    facts = sandbox.facts
    session = requests.Session()
    session.trust_env = False
    session.verify = facts["ca_file"]
    client = msal.ConfidentialClientApplication(
        facts["service_client_id"],
        client_credential=facts["service_client_secret"],
        authority=f"{facts['identity_https_url']}/{facts['domain']}",
        http_client=session,
        instance_discovery=False,
    )
    scopes = ["https://outlook.office365.com/.default"]
    first = client.acquire_token_for_client(scopes)
    again = client.acquire_token_for_client(scopes)
    assert again["access_token"] == first["access_token"] and again["token_source"] == "cache"
    show("msal: acquire_token_for_client, cached", best(lambda: client.acquire_token_for_client(scopes)))


def best(call: Callable[[], object], calls: int = CALLS) -> float:
    return min(timeit.repeat(call, number=calls, repeat=RUNS)) / calls * 1e6


def import_us(module: str) -> float:
    command = [sys.executable, "-X", "importtime", "-c", f"import {module}"]
    last = subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()[-1]
    return float(last.split("|")[1])


def show(what: str, us: float) -> None:
    print(f"{what:<64}{us:>12.1f} us")


if __name__ == "__main__":
    main()
