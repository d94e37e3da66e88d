"""The cases of `scenarios/`, through both classes. Every language runs the same cases."""

from __future__ import annotations

import base64
import dataclasses
import inspect
import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any, Iterator, Mapping, Optional, Union
from urllib.request import urlopen

import pytest
from mailbearer import AsyncMailbearer, Mailbearer, MailbearerError, _mailbearer, _wire
from mailbearer.sandbox import Sandbox
from mailbearer.types import (
    Account,
    Config,
    Delivery,
    Diagnosis,
    Envelope,
    Event,
    Evidence,
    Message,
    NewAccount,
    Passphrase,
    Problem,
    RevealedAccessToken,
    SignInFlow,
    SignInPrompt,
    Timeouts,
    TokenStatus,
    VaultRecord,
    VaultReport,
    VaultSettings,
)

FOLDER = Path(__file__).parents[2] / "scenarios"
CASES = {path.parent.name: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*/case.json"))}
TIMEOUTS = Timeouts(connect_ms=5_000, reply_ms=5_000, verdict_ms=5_000, token_ms=5_000)
FIELDS = {"title", "practices", "signedIn", "files", "environment", "given", "do", "expect", "inbox"}
EXPECTATIONS = {"result", "problem", "mail", "headers", "source", "events"}


@pytest.fixture(scope="session")
def report() -> Iterator[dict[str, dict[str, str]]]:
    """What became of each case, from case to class to outcome; written where the environment says."""
    outcomes: dict[str, dict[str, str]] = defaultdict(dict)
    yield outcomes
    if folder := os.environ.get("MAILBEARER_SCENARIO_REPORTS"):
        Path(folder, "python.json").write_text(json.dumps({case: worst(seen) for case, seen in outcomes.items()}))


def worst(outcomes: Mapping[str, str]) -> str:
    """A case holds when it holds in both classes."""
    return next((outcome for outcome in outcomes.values() if outcome != "passed"), "passed")


@pytest.mark.parametrize("face", [Mailbearer, AsyncMailbearer], ids=["sync", "async"])
@pytest.mark.parametrize("name", CASES)
async def test_case(
    name: str,
    face: Union[type[Mailbearer], type[AsyncMailbearer]],
    report: dict[str, dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    report[name][face.__name__] = "failed: did not end"
    try:
        with Sandbox.start(random_seed=7) as sandbox:
            for variable, value in CASES[name].get("environment", {}).items():
                monkeypatch.setenv(variable, value.replace("$IDENTITY_URL", sandbox.facts["identity_url"]))
            await play(CASES[name], face, sandbox, tmp_path)
    except BaseException as failure:
        report[name][face.__name__] = f"failed: {face.__name__}: {failure}"
        raise
    report[name][face.__name__] = "passed"


def test_there_are_cases_of_every_kind_of_error() -> None:
    kinds = {case["expect"].get("problem", {}).get("kind") for case in CASES.values()}
    known = {"config", "signIn", "consent", "rejected", "throttled", "unavailable", "storage", "misuse", "internal"}
    assert known <= kinds, known - kinds


async def play(case: dict[str, Any], face: Any, sandbox: Sandbox, folder: Path) -> None:
    assert case.keys() <= FIELDS, f"unknown fields: {case.keys() - FIELDS}"
    assert case["expect"].keys() <= EXPECTATIONS, f"unknown expectations: {case['expect'].keys() - EXPECTATIONS}"
    lay_out(case.get("files", {}), folder)
    mailbearer = await opened(face, Config(timeouts=TIMEOUTS))
    stage = Stage(face, mailbearer, sandbox, folder)
    await settled(mailbearer.add_account(stage.service))
    await settled(mailbearer.add_account(stage.person))
    if case.get("signedIn"):
        await stage.sign_in()
    for call in case.get("given", []):
        await stage.act({"control": call})
    events = mailbearer.events()
    *before, last = case["do"]
    for action in before:
        await stage.act(action)
    await check_outcome(case["expect"], stage, last)
    check_inbox(case["expect"], case.get("inbox", 0), sandbox)
    await settled(mailbearer.close())
    if (expected := case["expect"].get("events")) is not None:
        seen = [event async for event in events] if face is AsyncMailbearer else list(events)
        contains([_wire.encode(Event, event, "event") for event in seen], expected, "events")


def lay_out(files: Mapping[str, str], folder: Path) -> None:
    for name, octets in files.items():
        path = folder / name
        path.write_bytes(base64.b64decode(octets))
        path.chmod(0o600)


async def opened(face: Any, config: Config) -> Any:
    return Mailbearer(config) if face is Mailbearer else await AsyncMailbearer.open(config)


async def settled(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


class Stage:
    """Where a case is played."""

    def __init__(self, face: Any, mailbearer: Any, sandbox: Sandbox, folder: Path) -> None:
        self._face, self._mailbearer, self._sandbox, self._folder = face, mailbearer, sandbox, folder
        self._prompt: Optional[SignInPrompt] = None
        self._refused = ""
        self._texts = {"FOLDER": str(folder), "IDENTITY_URL": sandbox.facts["identity_url"]}
        self.service = dataclasses.replace(sandbox.billing, name="service")
        self.person = dataclasses.replace(sandbox.alice, name="person")

    async def sign_in(self) -> None:
        prompt = await settled(self._mailbearer.begin_sign_in("person"))
        self._sandbox.approve_device(prompt.user_code, self.person.mailbox)
        await settled(self._mailbearer.finish_sign_in(prompt))

    async def act(self, action: Any) -> Any:
        """Does an action and gives its result in the core's form."""
        filled = self._filled_in(action)
        name, argument = (filled, None) if isinstance(filled, str) else next(iter(filled.items()))
        perform = getattr(self, f"_{name}", None)
        assert perform is not None, f"unknown action: {name}"
        kind, result = await perform(argument)
        if isinstance(result, list):
            return [_wire.encode(kind, item, "result") for item in result]
        return result if kind is None or result is None else _wire.encode(kind, result, "result")

    def _filled_in(self, action: Any) -> Any:
        text = json.dumps(action)
        for name, value in self._texts.items():
            text = text.replace(f"${name}", json.dumps(value)[1:-1])
        return json.loads(text)

    async def _open(self, config: Any) -> Any:
        wanted = dataclasses.replace(_wire.decode(Config, config), timeouts=TIMEOUTS)
        self._mailbearer = await opened(self._face, wanted)
        return None, None

    async def _close(self, _: Any) -> Any:
        return None, await settled(self._mailbearer.close())

    async def _addAccount(self, given: Any) -> Any:
        account = {**_wire.encode(NewAccount, self.service, "account"), **given}
        return Account, await settled(self._mailbearer.add_account(_wire.decode(NewAccount, account)))

    async def _accounts(self, _: Any) -> Any:
        return Account, await settled(self._mailbearer.accounts())

    async def _removeAccount(self, account: str) -> Any:
        return None, await settled(self._mailbearer.remove_account(account))

    async def _beginSignIn(self, beginning: Any) -> Any:
        flow = SignInFlow(beginning["flow"]) if isinstance(beginning, dict) else SignInFlow.DEVICE_CODE
        account = beginning["account"] if isinstance(beginning, dict) else beginning
        prompt: SignInPrompt = await settled(self._mailbearer.begin_sign_in(account, flow))
        self._texts.update(USER_CODE=prompt.user_code, SIGN_IN_URL=prompt.verification_url)
        self._prompt = prompt
        return SignInPrompt, prompt

    async def _finishSignIn(self, redirected_to: Optional[str]) -> Any:
        assert self._prompt is not None
        prompt = dataclasses.replace(self._prompt, redirected_to=redirected_to)
        return TokenStatus, await settled(self._mailbearer.finish_sign_in(prompt))

    async def _accessToken(self, account: str) -> Any:
        token = await settled(self._mailbearer.access_token(account))
        self._refused = token.token
        return RevealedAccessToken, dataclasses.replace(token, token="")

    async def _accessTokenAfter(self, account: str) -> Any:
        token = await settled(self._mailbearer.access_token_after(account, self._refused))
        return None, {"mailbox": token.mailbox, "isNew": token.token != self._refused}

    async def _tokenStatus(self, account: str) -> Any:
        return TokenStatus, await settled(self._mailbearer.token_status(account))

    async def _send(self, message: Any) -> Any:
        return Delivery, await settled(self._mailbearer.send(_wire.decode(Message, message)))

    async def _sendRaw(self, given: Any) -> Any:
        envelope = _wire.decode(Envelope, given["envelope"])
        return Delivery, await settled(self._mailbearer.send_raw(envelope, given["mime"].encode()))

    async def _explain(self, evidence: Any) -> Any:
        found = self._mailbearer.explain(_wire.decode(Evidence, evidence))
        return Diagnosis, found[0] if found else None

    async def _vaultRecords(self, _: Any) -> Any:
        return VaultRecord, await settled(self._mailbearer.vault_records())

    async def _checkVault(self, _: Any) -> Any:
        return VaultReport, await settled(self._mailbearer.check_vault())

    async def _rotateVault(self, passphrase: Any) -> Any:
        kind: Any = Passphrase
        return None, await settled(self._mailbearer.rotate_vault(_wire.decode(kind, passphrase)))

    async def _moveVault(self, to: Any) -> Any:
        kind: Any = VaultSettings
        return VaultRecord, await settled(self._mailbearer.move_vault(_wire.decode(kind, to)))

    async def _panic(self, _: Any) -> Any:
        call = _mailbearer._panic()  # type: ignore[attr-defined]
        return None, call.wait() if self._face is Mailbearer else await call.start()

    async def _control(self, call: Any) -> Any:
        kept = call.pop("keep", {})
        answer = self._sandbox.call(**call)
        self._texts.update({name: answer[member] for name, member in kept.items()})
        return None, None

    async def _write(self, given: Any) -> Any:
        path = self._folder / given["file"]
        path.write_text(given["text"])
        path.chmod(0o600)
        return None, None


async def check_outcome(expect: dict[str, Any], stage: Stage, action: Any) -> None:
    try:
        result = await stage.act(action)
    except MailbearerError as error:
        show_no_secret(stage, f"{error} {error!r} {error.problem!r}")
        assert "problem" in expect, f"ended otherwise: {error.problem}"
        contains(_wire.encode(Problem, error.problem, "problem"), expect["problem"], "problem")
    else:
        show_no_secret(stage, str(result))
        assert "result" in expect, f"ended otherwise: {result}"
        contains(result, expect["result"], "result")


def show_no_secret(stage: Stage, shown: str) -> None:
    secrets = stage._sandbox.secrets()
    # The prompt's user code is what a person is to be shown.
    secrets = [secret for secret in secrets if stage._prompt is None or secret != stage._prompt.user_code]
    assert secrets and not [secret for secret in secrets if secret in shown]


def check_inbox(expect: dict[str, Any], expected: int, sandbox: Sandbox) -> None:
    mails = sandbox.call("GET", "/api/mails")["mails"]
    assert len(mails) == expected, f"{len(mails)} mails arrived, not {expected}"
    if not {"mail", "headers", "source"} & expect.keys():
        return
    path = f"/api/mails/{mails[0]['id']}"
    mail = sandbox.call("GET", path)
    contains(mail, expect.get("mail", {}), "mail")
    for name, value in expect.get("headers", {}).items():
        values = [field["value"] for field in mail["headers"] if field["name"] == name]
        assert value in values if value is not None else not values, f"{name} is {values}, not {value}"
    with urlopen(f"{sandbox.url}{path}/source") as response:
        source = response.read().decode(errors="replace")
    for text in expect.get("source", []):
        assert text in source, f"{text!r} is not in: {source}"


def contains(whole: Any, expected: Any, path: str) -> None:
    """Whether `whole` has every part of `expected`: objects by key, lists by place, the rest by equality."""
    if isinstance(whole, dict) and isinstance(expected, dict):
        for key, part in expected.items():
            contains(whole.get(key), part, f"{path}.{key}")
    elif isinstance(whole, list) and isinstance(expected, list):
        assert len(whole) == len(expected), f"{path} is {whole}, not {expected}"
        for place, part in enumerate(expected):
            contains(whole[place], part, f"{path}[{place}]")
    else:
        assert whole == expected, f"{path} is {whole}, not {expected}"
