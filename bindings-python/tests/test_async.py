"""The class for asyncio: the event loop goes on, cancelling ends the work, and no event is lost."""

from __future__ import annotations

import asyncio
import dataclasses
import socket

import pytest
from conftest import DEADLINE_S, invoice
from mailbearer import AsyncMailbearer, MisuseError, ThrottledError
from mailbearer.sandbox import Sandbox
from mailbearer.types import Delivery, Event, EventMailAccepted, EventTokenObtained, NewAccount

SENDS = 1_000
AT_ONCE = 8
BEATS = 100
"""Far fewer than a free event loop has time for, and far more than a blocked one."""


async def test_the_event_loop_goes_on_while_a_thousand_mails_are_sent(
    async_mailbearer: AsyncMailbearer, sandbox: Sandbox
) -> None:
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.002)
            beats += 1

    await async_mailbearer.access_token("billing")
    heart = asyncio.create_task(beat())
    at_once = asyncio.Semaphore(AT_ONCE)

    async def send() -> Delivery:
        async with at_once:
            return await async_mailbearer.send(invoice())

    results = await asyncio.gather(*(send() for _ in range(SENDS)), return_exceptions=True)
    heart.cancel()
    # A mailbox may have three connections at once: the others are throttled.
    assert {type(result) for result in results} <= {Delivery, ThrottledError}
    assert len(sandbox.take_mails()) == sum(isinstance(result, Delivery) for result in results) > 0
    assert beats > BEATS


@pytest.fixture
def mute(sandbox: Sandbox, silent: socket.socket) -> NewAccount:
    """An account whose mail server never answers."""
    endpoints = dataclasses.replace(
        sandbox.billing.endpoints, smtp_host="127.0.0.1", smtp_port=silent.getsockname()[1]
    )
    return dataclasses.replace(sandbox.billing, name="mute", endpoints=endpoints)


async def accepted(server: socket.socket) -> socket.socket:
    connection, _ = await asyncio.to_thread(server.accept)
    connection.settimeout(DEADLINE_S)
    return connection


async def test_cancelling_a_task_drops_its_work(
    async_mailbearer: AsyncMailbearer, mute: NewAccount, silent: socket.socket
) -> None:
    await async_mailbearer.add_account(mute)
    sending = asyncio.create_task(async_mailbearer.send(dataclasses.replace(invoice(), account="mute")))
    with await accepted(silent) as connection:
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert await asyncio.to_thread(connection.recv, 1) == b"", "the connection is closed with the call"
    # Closing waits for deliveries in flight: there is none.
    await asyncio.wait_for(async_mailbearer.close(), DEADLINE_S)


async def test_a_time_limit_drops_the_work(
    async_mailbearer: AsyncMailbearer, mute: NewAccount, silent: socket.socket
) -> None:
    await async_mailbearer.add_account(mute)
    sending = async_mailbearer.send(dataclasses.replace(invoice(), account="mute"))
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(sending, 0.3)
    with await accepted(silent) as connection:
        assert await asyncio.to_thread(connection.recv, 1) == b""


async def test_events_come_in_order_and_end_with_the_handle(async_mailbearer: AsyncMailbearer) -> None:
    events = async_mailbearer.events()
    delivery = await async_mailbearer.send(invoice())
    await async_mailbearer.close()
    seen = [event async for event in events]
    assert [type(event) for event in seen] == [EventTokenObtained, EventMailAccepted]
    assert isinstance(seen[1], EventMailAccepted) and seen[1].delivery == delivery.id


async def test_impatient_readers_lose_no_event(async_mailbearer: AsyncMailbearer) -> None:
    events = async_mailbearer.events()
    seen: list[Event] = []

    async def read() -> None:
        while len(seen) < 6:
            try:
                seen.append(await asyncio.wait_for(events.__anext__(), 0.000_1))
            except asyncio.TimeoutError:
                pass

    reading = asyncio.create_task(read())
    deliveries = [(await async_mailbearer.send(invoice())).id for _ in range(5)]
    await asyncio.wait_for(reading, DEADLINE_S)
    assert [event.delivery for event in seen if isinstance(event, EventMailAccepted)] == deliveries


async def test_leaving_a_reader_lets_go_of_it(async_mailbearer: AsyncMailbearer) -> None:
    async with async_mailbearer.events() as events:
        await async_mailbearer.access_token("billing")
        async for event in events:
            assert isinstance(event, EventTokenObtained)
            break
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(events.__anext__(), 0.01)
    events.close()


async def test_a_second_task_at_a_reader_is_refused(async_mailbearer: AsyncMailbearer) -> None:
    events = async_mailbearer.events()
    first = asyncio.create_task(events.__anext__())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="another task"):
        await events.__anext__()
    await async_mailbearer.access_token("billing")
    assert isinstance(await asyncio.wait_for(first, DEADLINE_S), EventTokenObtained)


async def test_an_error_has_its_class(async_mailbearer: AsyncMailbearer) -> None:
    with pytest.raises(MisuseError) as caught:
        await async_mailbearer.token_status("nobody")
    assert caught.value.operation == "token_status"


def test_a_handle_lives_longer_than_an_event_loop(sandbox: Sandbox) -> None:
    async def opened() -> AsyncMailbearer:
        mailbearer = await AsyncMailbearer.open()
        await mailbearer.add_account(sandbox.billing)
        return mailbearer

    mailbearer = asyncio.run(opened())
    asyncio.run(mailbearer.send(invoice()))
    asyncio.run(mailbearer.close())
    assert len(sandbox.take_mails()) == 1


async def test_without_with_a_handle_is_closed_by_hand() -> None:
    mailbearer = await AsyncMailbearer.open()
    await mailbearer.close()
    with pytest.raises(MisuseError, match="closed"):
        await mailbearer.accounts()


def test_without_an_event_loop_a_call_says_so(mailbearer: object) -> None:
    opening = AsyncMailbearer.open()
    with pytest.raises(RuntimeError, match="no running event loop"):
        opening.__await__().send(None)


async def test_a_call_begins_once(async_mailbearer: AsyncMailbearer) -> None:
    call = async_mailbearer._native.accounts()
    await call.start()
    with pytest.raises(RuntimeError, match="already begun"):
        call.wait()
