"""The sandbox as a helper for the tests of our users."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import BOB, invoice
from mailbearer import AsyncMailbearer, Mailbearer, UnavailableError
from mailbearer.sandbox import Sandbox, SandboxError


def test_the_fixture_is_a_sandbox_of_its_own(mailbearer_sandbox: Sandbox, sandbox: Sandbox) -> None:
    assert mailbearer_sandbox.url != sandbox.url
    with Mailbearer() as mailbearer:
        mailbearer.add_account(mailbearer_sandbox.billing)
        mailbearer.send(invoice())
    (mail,) = mailbearer_sandbox.mails()
    assert (mail.sender, mail.recipients, mail.text) == ("billing@contoso.example", (BOB,), "It is due.\n")
    assert mail.authenticated_as
    assert mailbearer_sandbox.take_mails() == [mail]
    assert mailbearer_sandbox.mails() == []


async def test_it_serves_tests_with_asyncio(mailbearer_sandbox: Sandbox) -> None:
    async with Sandbox.start() as sandbox, AsyncMailbearer.open() as mailbearer:
        await mailbearer.add_account(sandbox.billing)
        await mailbearer.send(invoice())
        assert len(sandbox.mails()) == 1 and mailbearer_sandbox.mails() == []


@pytest.mark.parametrize(("times", "failures"), [(1, 1), (2, 2), ("always", 4)])
def test_faults_happen_as_often_as_asked(times: object, failures: int, mailbearer_sandbox: Sandbox) -> None:
    mailbearer_sandbox.inject_fault("token", {"http": {"status": 503, "headers": [], "body": ""}}, times=times)  # type: ignore[arg-type]
    failed = 0
    with Mailbearer() as mailbearer:
        mailbearer.add_account(mailbearer_sandbox.billing)
        for _ in range(4):
            try:
                mailbearer.access_token("billing")
            except UnavailableError:
                failed += 1
    assert failed == failures


def test_what_it_refuses_is_an_error_that_says_why(mailbearer_sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match="POST /sandbox/devices/approve: .*AADSTS"):
        mailbearer_sandbox.approve_device("NO-SUCH-CODE", "alice@contoso.example")
    with pytest.raises(SandboxError, match="no-such-fault"):
        mailbearer_sandbox.inject_fault("token", {"named": "no-such-fault"})


def test_a_seed_makes_it_repeatable() -> None:
    def code(seed: int) -> str:
        with Sandbox.start(random_seed=seed) as sandbox, Mailbearer() as mailbearer:
            mailbearer.add_account(sandbox.alice)
            return mailbearer.begin_sign_in("alice").user_code

    assert code(7) == code(7) != code(8)


def test_after_its_end_nothing_is_left() -> None:
    sandbox = Sandbox.start()
    ca_file = Path(sandbox.facts["ca_file"])
    assert ca_file.exists()
    sandbox.stop()
    sandbox.stop()
    assert not ca_file.exists()
    with pytest.raises(OSError):
        sandbox.mails()


def test_a_forked_child_leaves_its_parents_sandbox_alone() -> None:
    with Sandbox.start() as sandbox:
        child = os.fork()
        if child == 0:
            sandbox.stop()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert Path(sandbox.facts["ca_file"]).exists() and sandbox.mails() == []
