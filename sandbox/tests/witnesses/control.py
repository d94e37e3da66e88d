"""The sandbox's own HTTP interface, for the witnesses. It starts the binary and speaks to it; it judges nothing."""

import base64
import re
import subprocess

import requests


class Sandbox:
    """A running `mailbearer-sandbox`."""

    def __init__(self, binary: str):
        arguments = [binary, "--identity-port=0", "--identity-tls-port=0", "--smtp-port=0", "--inbox-port=0"]
        self._process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        self._url = next(filter(None, map(control_url, self._process.stdout)))
        self.facts = self.get("")
        self.ca_file = self.facts["ca_file"]
        self.authority = f"{self.facts['identity_https_url']}/{self.facts['tenant_id']}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()

    def get(self, path: str):
        return self._call("GET", path)

    def post(self, path: str, body: dict):
        return self._call("POST", path, body)

    def patch(self, path: str, body: dict):
        return self._call("PATCH", path, body)

    def delete(self, path: str):
        return self._call("DELETE", path)

    def take_mail(self) -> dict:
        """The one mail that has arrived, with its bytes under `mime`; the inbox is empty afterwards."""
        mails = self.get("/mails")
        self.delete("/mails")
        assert len(mails) == 1, f"{len(mails)} mails arrived instead of one"
        return mails[0] | {"mime": base64.b64decode(mails[0]["mime_base64"])}

    def _call(self, method: str, path: str, body: dict | None = None):
        response = requests.request(method, self._url + path, json=body, timeout=30)
        assert response.ok, f"{method} {path}: {response.status_code} {response.text}"
        return response.json()


def control_url(line: str) -> str | None:
    found = re.match(r"control\s+(\S+)", line)
    return found and found[1]
