"""The examples of README.md and of the modules, run as they stand; the type checkers read the README's as well."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
EXAMPLE = re.compile(r"^(<!-- not run[^\n]*-->\n)?```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

EXPECTED = [
    "ada@fabrikam.example accepted \nYour invoice\n",
    None,  # needs a tenant
    r"http://127.0.0.1:\d+/\S* \S+\nvalid\n",
    "accepted for 1\n",
    r"throttle-rate again in \d+ ms\n",
    "2 mails\n",
    r".*1 passed.*",
    "",
]
"""What each example prints, in their order."""


def examples() -> list[str]:
    return [code for _, code in EXAMPLE.findall(README.read_text())]


def test_every_example_is_known_here() -> None:
    found = EXAMPLE.findall(README.read_text())
    assert [bool(mark) for mark, _ in found] == [expected is None for expected in EXPECTED]


@pytest.mark.parametrize("place", [place for place, expected in enumerate(EXPECTED) if expected is not None])
def test_the_example_runs(place: int, tmp_path: Path) -> None:
    code, expected = examples()[place], EXPECTED[place]
    program = tmp_path / "test_example.py"
    program.write_text(code)
    # Only what the package itself brings: pytest-asyncio would warn of a missing setting.
    pytest_ = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio"] if "\ndef test_" in code else []
    command = [sys.executable, *pytest_, str(program)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0 and run.stderr == "", run.stdout + run.stderr
    assert expected is not None and re.fullmatch(expected, run.stdout, re.DOTALL), run.stdout


@pytest.mark.parametrize("checker", [["mypy", "--strict"], ["pyright", "--pythonpath", sys.executable]], ids=lambda c: c[0])
def test_the_examples_pass(checker: list[str], tmp_path: Path) -> None:
    for place, code in enumerate(examples()):
        (tmp_path / f"example_{place}.py").write_text(code)
    run = subprocess.run(
        [sys.executable, "-m", *checker, str(tmp_path)], capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("module", ["sandbox"])
def test_the_example_of_a_module_runs(module: str, tmp_path: Path) -> None:
    source = (README.parent / f"python/mailbearer/{module}.py").read_text()
    code = EXAMPLE.findall(source)[0][1].replace("\\\\n", "\\n")
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")
