"""What can go wrong, by whose fault it is.

Every exception has the message of the engine: what was found, what was expected, where; and, where there is one, a hint.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from occlude._map import Map

__all__ = [
    "ArgumentError",
    "ExportWarning",
    "FileError",
    "FileMissingError",
    "LimitError",
    "ModelError",
    "NumberError",
    "OccludeError",
    "UnsupportedError",
]


class OccludeError(Exception):
    """Base of all exceptions of this package.

    Attributes
    ----------
    message : str
        What was found, what was expected, where.
    hint : str or None
        Advice.
    node : str or None
        The node of the model it happened at.
    partial_map : Map or None
        What was computed before, marked incomplete. Exceptions of other packages (a callable's own, ``KeyboardInterrupt``)
        that end a run carry it too.
    """

    def __init__(self, message: str, hint: str | None = None, node: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.node = node
        self.partial_map: Map | None = None

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n\nhint: {self.hint}"


class FileError(OccludeError, OSError):
    """A file is missing, cannot be read or written, or is damaged.

    Attributes
    ----------
    errno : int or None
        What the system said, as in `OSError`; None where the file was read and is damaged.
    filename : str or None
        The path that the system refused.
    """

    def __init__(
        self,
        message: str,
        hint: str | None = None,
        node: str | None = None,
        errno_name: str | None = None,
        filename: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(message, hint, node)
        if errno_name is not None:
            self.errno = getattr(errno, errno_name)
            self.strerror = os.strerror(self.errno)
        if filename is not None:
            self.filename = os.fspath(filename)

    def __reduce__(self) -> tuple[Any, ...]:
        # What `OSError` pickles leaves out attributes that were set later.
        name = None if self.errno is None else errno.errorcode.get(self.errno)
        return type(self), (self.message, self.hint, self.node, name, self.filename), self.__dict__


class FileMissingError(FileError, FileNotFoundError):
    """A file is not there."""


class ModelError(OccludeError):
    """The model contradicts itself, or a callable returned what cannot be read."""


class UnsupportedError(OccludeError, NotImplementedError):
    """The model has something that the engine cannot run."""


class ArgumentError(OccludeError, ValueError):
    """A value is not understood, or does not fit the input or the model."""


class LimitError(OccludeError, MemoryError):
    """More memory is needed than is allowed."""


class NumberError(OccludeError, ArithmeticError):
    """NaN or infinity, or a self-check beyond its tolerance."""


class ExportWarning(UserWarning):
    """A module could not be exported, and is called window by window instead: the same numbers, slower."""
