"""Functions that wait: coroutines, and calls that are tried again."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from occlude.exceptions import ArgumentError

Call = Callable[..., Any]


def is_async(f: Any) -> bool:
    """Whether calling it gives something to await."""
    return inspect.iscoroutinefunction(f) or inspect.iscoroutinefunction(getattr(f, "__call__", None))  # noqa: B004


@contextmanager
def awaited(f: Call) -> Iterator[Call]:
    """A plain function that awaits `f` in an event loop on a thread of its own, so that it works inside a running loop too."""
    ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        stop = asyncio.Event()
        ready.set_result((asyncio.get_running_loop(), stop))
        await stop.wait()

    async def answer(*args: Any, **kwargs: Any) -> Any:
        return await f(*args, **kwargs)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="occlude-event-loop", daemon=True)
    thread.start()
    loop, stop = ready.result()

    def call(*args: Any, **kwargs: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(answer(*args, **kwargs), loop).result()

    try:
        yield call
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


def tried_again(f: Call, retries: Any) -> Call:
    """`f`, called again when it raises.

    Parameters
    ----------
    f
        A plain function.
    retries
        How often it is called again, with waits that grow from half a second to 30; or a ``tenacity.Retrying`` of your own.

    Raises
    ------
    ArgumentError
        A number without tenacity installed, or something else.
    """
    if retries == 0 or retries is None:
        return f
    if callable(getattr(retries, "wraps", None)):
        return retries.wraps(f)  # type: ignore[no-any-return]
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise ArgumentError(f"retries is {retries!r}, expected a whole number from 0 or a tenacity.Retrying")
    try:
        import tenacity
    except ImportError:
        raise ArgumentError("retries needs tenacity, which is not installed", "pip install 'occlude[endpoints]'") from None
    policy = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(retries + 1),
        wait=tenacity.wait_random_exponential(multiplier=0.5, max=30),
        retry=tenacity.retry_if_exception_type(Exception),
        reraise=True,
    )
    again: Call = policy.wraps(f)
    return again
