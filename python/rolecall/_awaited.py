"""Coroutines for what can be awaited and is none: `asyncio.run` takes nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

_T = TypeVar("_T")


async def of(awaitable: Awaitable[_T]) -> _T:
    return await awaitable


async def of_call(start: Callable[[], Awaitable[_T]]) -> _T:
    return await start()
