"""SMTP clients of other makers. Each sends `mime` from `user` with a token and raises if the server refuses."""

import json
import smtplib
import ssl
import subprocess

from control import Sandbox

RECIPIENTS = ["someone@elsewhere.example", "bob@contoso.example"]


def with_smtplib(sandbox: Sandbox, user: str, token: str, mime: bytes, initial_response: bool) -> None:
    """Python's own client, in both forms of XOAUTH2."""
    with smtplib.SMTP(sandbox.facts["smtp_host"], sandbox.facts["smtp_port"], timeout=30) as client:
        client.starttls(context=ssl.create_default_context(cafile=sandbox.ca_file))
        client.ehlo()
        assert client.esmtp_features["auth"].strip() == "LOGIN XOAUTH2", client.esmtp_features
        response = lambda challenge=None: f"user={user}\x01auth=Bearer {token}\x01\x01"
        client.auth("XOAUTH2", response, initial_response_ok=initial_response)
        assert client.sendmail(user, RECIPIENTS, mime) == {}


def with_curl(sandbox: Sandbox, user: str, token: str, mime: bytes) -> None:
    command = [
        "curl", "--silent", "--show-error", "--ssl-reqd", "--cacert", sandbox.ca_file,
        "--url", f"smtp://localhost:{sandbox.facts['smtp_port']}/client.example",
        "--user", user, "--login-options", "AUTH=XOAUTH2", "--oauth2-bearer", token,
        "--mail-from", user, "--upload-file", "-",
    ]
    for recipient in RECIPIENTS:
        command += ["--mail-rcpt", recipient]
    run(command, mime, None)


def with_nodemailer(sandbox: Sandbox, user: str, token: str, mime: bytes, environment: dict) -> None:
    mail = {
        "host": sandbox.facts["smtp_host"],
        "port": sandbox.facts["smtp_port"],
        "ca_file": sandbox.ca_file,
        "user": user,
        "token": token,
        "recipients": RECIPIENTS,
    }
    run(["node", "nodemailer_send.cjs", json.dumps(mail)], mime, environment)


def run(command: list[str], mime: bytes, environment: dict | None) -> None:
    process = subprocess.run(command, input=mime, env=environment, capture_output=True, timeout=60)
    if process.returncode:
        raise RuntimeError(process.stderr.decode())
