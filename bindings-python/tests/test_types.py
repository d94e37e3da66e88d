"""The dataclasses and the core's own form: every one goes there and comes back as it was."""

from __future__ import annotations

import dataclasses
import enum
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Union

import pytest
from mailbearer import Mailbearer, _wire, types
from mailbearer.types import (
    Attachment,
    Config,
    ContentData,
    EndpointOverrides,
    GrantClientSecret,
    Message,
    NewAccount,
    PassphraseText,
    Priority,
    RevealedAccessToken,
    VaultSettings,
    VaultSettingsFile,
    VaultSettingsMemory,
)

RECORDS = [kind for kind in vars(types).values() if dataclasses.is_dataclass(kind)]
WORDS = [kind for kind in vars(types).values() if isinstance(kind, type) and issubclass(kind, enum.Enum)]
SECRET = "a-secret-nobody-must-see"


def sample(kind: Any, which: int) -> Any:
    """A value of a type. `which` chooses among the options of a choice."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Union:
        present = [option for option in arguments if option is not type(None)]
        return sample(present[which % len(present)], which)
    if origin is Sequence:
        return (sample(arguments[0], which), sample(arguments[0], which + 1))
    if origin is Mapping:
        return {"key": sample(arguments[1], which)}
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind, dict(vars(types)))
        return typing.cast(type, kind)(
            **{field.name: sample(hints[field.name], which) for field in dataclasses.fields(kind)}
        )
    if issubclass(kind, enum.Enum):
        words = list(kind)
        return words[which % len(words)]
    plain: dict[type, Any] = {str: f"text {which}", bytes: bytes([which]), int: which, float: which / 2, bool: True}
    return plain[kind]


@pytest.mark.parametrize("which", range(5))
@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_every_record_goes_there_and_comes_back(kind: type, which: int) -> None:
    value = sample(kind, which)
    assert _wire.decode(kind, _wire.encode(kind, value, "value")) == value


def test_there_are_records_and_words() -> None:
    assert len(RECORDS) > 30 and len(WORDS) > 5


@pytest.mark.parametrize("kind", WORDS, ids=lambda kind: kind.__name__)
def test_words_are_text(kind: type[enum.Enum]) -> None:
    for word in kind:
        assert _wire.encode(kind, word, "word") == word.value == word
        assert _wire.decode(kind, word.value) is word


@pytest.mark.parametrize(
    ("kind", "value", "form"),
    [
        (EndpointOverrides, EndpointOverrides(), {}),
        (EndpointOverrides, EndpointOverrides(smtp_port=587, scopes=("a",)), {"smtpPort": 587, "scopes": ["a"]}),
        (VaultSettingsMemory, VaultSettingsMemory(), {"type": "memory"}),
        (Priority, Priority.LOW, "low"),
        (ContentData, ContentData(data=b"\x00\xff"), {"type": "data", "data": b"\x00\xff"}),
        (GrantClientSecret, GrantClientSecret(client_secret="s"), {"type": "clientSecret", "clientSecret": "s"}),
        (Sequence[Attachment], [Attachment(content=ContentData(data=b""))], [{"content": {"type": "data", "data": b""}}]),
        (Mapping[str, str], {"token.aud": "x"}, {"token.aud": "x"}),
    ],
)
def test_the_core_gets_camel_case_and_tags_and_raw_bytes(kind: object, value: object, form: object) -> None:
    assert _wire.encode(kind, value, "value") == form


FILE = VaultSettingsFile(path="p", passphrase=PassphraseText(text="t"))


@pytest.mark.parametrize("vault", [VaultSettingsMemory(), FILE])
def test_a_choice_is_told_apart_by_its_type(vault: VaultSettings) -> None:
    decoded: Any = _wire.decode(VaultSettings, _wire.encode(VaultSettings, vault, "vault"))  # type: ignore[arg-type]
    assert decoded == vault and type(decoded) is type(vault)


@pytest.mark.parametrize(
    "value",
    [
        GrantClientSecret(client_secret=SECRET),
        PassphraseText(text=SECRET),
        RevealedAccessToken(token=SECRET, mailbox="m", expires_at_unix_ms=1),
        NewAccount(name="n", mailbox="m", client_id="c", grant=GrantClientSecret(client_secret=SECRET)),
        Config(vault=VaultSettingsFile(path="p", passphrase=PassphraseText(text=SECRET))),
    ],
    ids=lambda value: type(value).__name__,
)
def test_secrets_are_not_shown(value: object) -> None:
    assert SECRET in str(_wire.encode(type(value), value, "value")), "the test must look for a secret that is there"
    assert SECRET not in repr(value) + str(value)


def test_values_cannot_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Message().subject = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (Message, 7, "it: expected Message, not int"),
        (Message, Message(to="bob@contoso.example"), "it.to: expected a list, not str"),  # type: ignore[arg-type]
        (Message, Message(to=["bob@contoso.example"]), "it.to[0]: expected Address, not str"),  # type: ignore[list-item]
        (Message, Message(subject=None), "it.subject: expected str, not NoneType"),  # type: ignore[arg-type]
        (Message, Message(text=b"text"), "it.text: expected str, not bytes"),  # type: ignore[arg-type]
        (Message, Message(priority="high"), "it.priority: expected a Priority such as Priority.HIGH, not str"),  # type: ignore[arg-type]
        (Message, Message(date_unix_ms=1.5), "it.date_unix_ms: expected int, not float"),  # type: ignore[arg-type]
        (Message, Message(date_unix_ms=True), "it.date_unix_ms: expected int, not bool"),
        (Attachment, Attachment(content=b"x"), "it.content: expected ContentData or ContentFile, not bytes"),  # type: ignore[arg-type]
        (Attachment, Attachment(content=ContentData(data="x")), "it.content.data: expected bytes, not str"),  # type: ignore[arg-type]
        (GrantClientSecret, GrantClientSecret(client_secret=7), "it.client_secret: expected str, not int"),  # type: ignore[arg-type]
        (Mapping[str, str], {"a": 7}, "it['a']: expected str, not int"),
        (Mapping[str, str], [], "it: expected a dict, not list"),
    ],
)
# The type checkers refuse them as well: every `type: ignore` here must be needed.
def test_a_value_of_a_wrong_type_is_refused_by_its_place(kind: Any, value: Any, text: str) -> None:
    with pytest.raises(TypeError) as caught:
        _wire.encode(kind, value, "it")
    assert str(caught.value) == text


def test_a_value_out_of_range_is_refused_by_its_place() -> None:
    account = NewAccount(
        name="n",
        mailbox="m",
        client_id="c",
        grant=GrantClientSecret(client_secret=SECRET),
        endpoints=EndpointOverrides(smtp_port=70_000),
    )
    with Mailbearer() as mailbearer, pytest.raises(ValueError, match="^endpoints.smtpPort: ") as caught:
        mailbearer.add_account(account)
    assert SECRET not in str(caught.value)


def test_dataclasses_are_values() -> None:
    one, same, other = Priority.LOW, Message(subject="a"), Message(subject="b")
    assert same == dataclasses.replace(other, subject="a") and hash(same) == hash(Message(subject="a"))
    assert same != other and same != EndpointOverrides() and len({same, Message(subject="a"), other}) == 2
    assert repr(Message(subject="a", priority=one)).startswith("Message(account='', sender=None,")
