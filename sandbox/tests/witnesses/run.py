"""Runs clients of other makers against the sandbox and fails if one of them is not content.

    python run.py path/to/mailbearer-sandbox

Python needs `requirements.txt`; Node.js needs `package.json`, installed here or in the folder that the environment
variable WITNESS_NODE_MODULES names. curl and node are taken from the PATH.
"""

import os
import sys
import traceback
from pathlib import Path

import identity
import senders
from control import Sandbox

MIME = (
    "From: Alice Archer <alice@contoso.example>\r\n"
    "To: someone@elsewhere.example\r\n"
    "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    "Message-ID: <witness@contoso.example>\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n"
    "\r\n"
    ".a line that begins with a dot\r\n"
    "..two dots\r\n"
    ".\r\n"
    "Gr=C3=BC=C3=9Fe\r\n"
    f"{'x' * 900}\r\n"
).encode()


def main(binary: str) -> int:
    os.chdir(Path(__file__).parent)
    modules = os.environ.get("WITNESS_NODE_MODULES", "node_modules")
    environment = os.environ | {"NODE_PATH": str(Path(modules).absolute())}
    with Sandbox(binary) as sandbox:
        # requests prefers these variables to what a program tells it.
        os.environ |= {"REQUESTS_CA_BUNDLE": sandbox.ca_file, "NO_PROXY": "localhost,127.0.0.1"}
        verdicts = [is_content(name, witness) for name, witness in witnesses(sandbox, environment)]
    failed = verdicts.count(False)
    print(f"counted: {verdicts.count(True)} passed, {failed} failed")
    return failed


def witnesses(sandbox: Sandbox, environment: dict):
    """Each token MSAL obtains is used by one SMTP client; then come those that must be refused."""
    curl, nodemailer = senders.with_curl, senders.with_nodemailer
    smtplib = senders.with_smtplib

    def sends(obtain, send, *more):
        def witness():
            user = identity.alice(sandbox)
            token = obtain()
            send(sandbox, user, token, MIME, *more)
            mail = sandbox.take_mail()
            assert mail["mime"] == MIME, mail["mime"]
            assert mail["envelope_sender"] == mail["authenticated_as"] == user, mail
            assert mail["accepted_recipients"] == senders.RECIPIENTS, mail
            assert mail["tls"].startswith("TLSv1."), mail
            assert token in sandbox.get("/secrets")

        return witness

    def is_refused(send, *more):
        def witness():
            graph = identity.token(
                identity.confidential_client(
                    sandbox, sandbox.facts["service_client_secret"]
                ).acquire_token_for_client(["https://graph.microsoft.com/.default"])
            )
            try:
                send(sandbox, identity.alice(sandbox), graph, MIME, *more)
            except Exception as refusal:
                assert "535" in str(refusal), refusal
            else:
                raise AssertionError("a token for Graph was accepted")
            assert sandbox.get("/mails") == []

        return witness

    def with_msal(grant):
        return lambda: grant(sandbox)

    def with_msal_node(grant):
        return lambda: identity.msal_node(sandbox, grant, environment)

    yield "msal device code, smtplib", sends(with_msal(identity.device_code), smtplib, True)
    yield "msal authorization code, smtplib in two steps", sends(with_msal(identity.authorization_code), smtplib, False)
    yield "msal client secret, curl", sends(with_msal(identity.client_secret), curl)
    yield "msal client secret over oidc, nodemailer", sends(with_msal(identity.client_secret_over_oidc), nodemailer, environment)
    yield "msal certificate, nodemailer", sends(with_msal(identity.certificate), nodemailer, environment)
    yield "msal certificate by sha-1, curl", sends(with_msal(identity.certificate_by_sha1_thumbprint), curl)
    yield "msal-node client secret, nodemailer", sends(with_msal_node("client-secret"), nodemailer, environment)
    yield "msal-node device code, nodemailer", sends(with_msal_node("device-code"), nodemailer, environment)
    yield "msal learns of a declined device code", with_msal(identity.device_code_declined)
    yield "msal learns of a wrong secret", with_msal(identity.wrong_secret)
    yield "smtplib learns of a wrong audience", is_refused(smtplib, True)
    yield "smtplib in two steps learns of a wrong audience", is_refused(smtplib, False)
    yield "curl is refused with a wrong audience", refused_by_curl(sandbox)
    yield "nodemailer learns of a wrong audience", is_refused(nodemailer, environment)


def refused_by_curl(sandbox: Sandbox):
    """curl says "Login denied" in place of the reply."""

    def witness():
        try:
            senders.with_curl(sandbox, identity.alice(sandbox), "rubbish", MIME)
        except RuntimeError as refusal:
            assert "Login denied" in str(refusal), refusal
        else:
            raise AssertionError("rubbish was accepted")

    return witness


def is_content(name: str, witness) -> bool:
    try:
        witness()
    except Exception:
        print(f"FAILED  {name}")
        traceback.print_exc(file=sys.stdout)
        return False
    print(f"ok      {name}")
    return True


if __name__ == "__main__":
    sys.exit(main(str(Path(sys.argv[1]).absolute())))
