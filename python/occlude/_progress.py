"""Progress bars: anything with the interface of tqdm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from occlude.exceptions import ArgumentError

Told = Callable[[int, int], object]


@contextmanager
def bar(progress: bool | Callable[..., Any] | None, unit: str = "window") -> Iterator[Told | None]:
    """A function that is told how far a run is, behind it a bar.

    Parameters
    ----------
    progress
        False or None: nothing. True: ``tqdm.auto.tqdm``. Else a class or function like it: called once with ``total=``, ``desc=``,
        ``unit=``, its result with ``.update(n)`` and ``.close()``.
    unit
        What is counted.

    Raises
    ------
    ArgumentError
        True without tqdm, or something that cannot be called.
    """
    if progress is None or progress is False:
        yield None
        return
    make: Any = progress
    if make is True:
        try:
            from tqdm.auto import tqdm
        except ImportError:
            raise ArgumentError(
                "progress=True needs tqdm, which is not installed",
                "pip install tqdm, or give a class with the interface of tqdm",
            ) from None
        make = tqdm
    if not callable(make):
        raise ArgumentError(f"progress is {progress!r}, expected True, False or a class like tqdm")
    shown: Any = None
    last = 0

    def tell(done: int, total: int) -> None:
        nonlocal shown, last
        if shown is None:
            shown = make(total=total, desc="occlude", unit=unit)
        shown.update(done - last)
        last = done

    try:
        yield tell
    finally:
        if shown is not None:
            shown.close()
