"""The example of README.md, run as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from mailbearer import Mailbearer
from mailbearer.types import Config, PassphraseText, VaultSettingsFile
from mailbearer.sandbox import Sandbox

README = Path(__file__).parents[1] / "README.md"
PASSPHRASE = "correct horse battery staple"


def test_the_example_sends(sandbox: Sandbox, tmp_path: Path) -> None:
    passphrase = PassphraseText(text=PASSPHRASE)
    vault = VaultSettingsFile(path=str(tmp_path / "mailbearer.vault"), passphrase=passphrase)
    with Mailbearer(Config(vault=vault)) as mailbearer:
        mailbearer.add_account(sandbox.billing)
    (example,) = re.findall(r"^```python\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    environment = {**os.environ, "MAILBEARER_PASSPHRASE": PASSPHRASE}
    run = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=20
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == "ada@fabrikam.example accepted \n"
    assert len(sandbox.take_mails()) == 1
