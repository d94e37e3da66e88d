"""Readers of what happens in a handle. They end when the handle is closed."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, AsyncIterator, Iterator, Optional

from . import _mailbearer, _wire
from .types import Event

if TYPE_CHECKING:
    import asyncio


class Events:
    """Events as they happen. Iteration waits for the next one, and ends when the handle is closed."""

    def __init__(self, native: _mailbearer.EventReader) -> None:
        self._native = native

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        event = self._native.next().wait()
        if event is None:
            raise StopIteration
        return _decode(event)


class AsyncEvents:
    """Events as they happen: `async for event in mailbearer.events()`. Iteration ends when the handle is closed.

    Waiting may be cancelled, for example by `asyncio.wait_for`, without losing an event. One task at a time may wait. A
    reader that is given up before its end is closed with `close`, or by `async with`."""

    def __init__(self, native: _mailbearer.EventReader) -> None:
        self._native = native
        self._next: Optional[asyncio.Future[Any]] = None
        self._is_awaited = False

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        # Here, because the import takes longer than all of ours.
        import asyncio

        if self._is_awaited:
            raise RuntimeError("another task waits for this reader already: take a reader for each")
        # Whoever waits may be cancelled; the future stays, and with it the event that it may hold already.
        waiting: asyncio.Future[Any] = self._next or self._native.next().start()
        self._next, self._is_awaited = waiting, True
        try:
            event = await asyncio.shield(waiting)
        finally:
            self._is_awaited = False
        self._next = None
        if event is None:
            raise StopAsyncIteration
        return _decode(event)

    def close(self) -> None:
        """Lets go of the next event. May be called twice."""
        if self._next is not None:
            self._next.cancel()
            self._next = None

    async def __aenter__(self) -> AsyncEvents:
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()


def _decode(event: Any) -> Event:
    decoded: Event = _wire.decode(Event, event)  # type: ignore[arg-type]
    return decoded
