"""The errors of decavox: one for each status of the library, derived from Python's errors."""

from __future__ import annotations

import os
from typing import Optional

__all__ = ["ArgumentError", "ConfigError", "DecavoxError", "DeviceError", "FileError",
           "FormatError", "MemoryFailure", "MissingFileError", "NumericError", "SystemFailure",
           "UnsupportedError"]


class DecavoxError(Exception):
    """The base of all errors of decavox.

    Attributes
    ----------
    status : str
        The name of the library's status, for example ``"EIO"``.
    """

    status: str = "EINTERRUPTED"

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class ArgumentError(DecavoxError, ValueError):
    """An argument has an invalid value, or a sound is invalid."""

    status = "EARG"


class FormatError(DecavoxError, ValueError):
    """A file is malformed, for example a damaged checkpoint or a file that is not a sound."""

    status = "EFORMAT"


class ConfigError(DecavoxError, ValueError):
    """A configuration or a setting is invalid."""

    status = "ECONFIG"


class FileError(DecavoxError, OSError):
    """A file cannot be read or written."""

    status = "EIO"


class MissingFileError(FileError, FileNotFoundError):
    """A file does not exist."""


class SystemFailure(DecavoxError, OSError):
    """The system has failed, for example because too many files are open."""

    status = "ESYSTEM"


class MemoryFailure(DecavoxError, MemoryError):
    """Memory has run out."""

    status = "ENOMEM"


class DeviceError(DecavoxError, RuntimeError):
    """A device is not available, or has failed."""

    status = "EDEVICE"


class UnsupportedError(DecavoxError, NotImplementedError):
    """The device or the build does not support the request."""

    status = "EUNSUPPORTED"


class NumericError(DecavoxError, ArithmeticError):
    """A number is not finite, or too large for its precision."""

    status = "ENUMERIC"


class _ShapeError(ArgumentError):
    status = "ESHAPE"


# Indexed by the number of the status in dv_status.
ERRORS = (None, ArgumentError, _ShapeError, MemoryFailure, FileError, FormatError, ConfigError,
          DeviceError, UnsupportedError, NumericError, DecavoxError, SystemFailure)
INTERRUPTED = ERRORS.index(DecavoxError)


def error_of(status: int, message: str, path: Optional[str] = None) -> DecavoxError:
    """Makes the error of a status. A missing file is detected by its path or by the message."""
    kind = ERRORS[status]
    assert kind is not None
    if kind is FileError and ((path is not None and not os.path.exists(path))
                              or os.strerror(2) in message):
        kind = MissingFileError
    return kind(message)
