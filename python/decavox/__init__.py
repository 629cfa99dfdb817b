"""decavox recognizes short spoken words, and trains, evaluates and exports models for that.

>>> import decavox
>>> recognizer = decavox.Recognizer("lightweight")
>>> answer = recognizer.predict("seven.wav")
>>> print(answer.label, answer.confidence)
"""

from __future__ import annotations

from . import _c
from ._errors import (ArgumentError, ConfigError, DecavoxError, DeviceError, FileError,
                      FormatError, MemoryFailure, MissingFileError, NumericError, SystemFailure,
                      UnsupportedError)
from ._evaluation import Evaluation, evaluate, export
from ._recognizer import Answer, DigitPredictor, Recognizer
from ._stream import Stream, Window
from ._training import Progress, TrainResult, train

__all__ = ["Answer", "ArgumentError", "ConfigError", "DecavoxError", "DeviceError",
           "DigitPredictor", "Evaluation", "FileError", "FormatError", "MemoryFailure",
           "MissingFileError", "NumericError", "Progress", "Recognizer", "Stream",
           "SystemFailure", "TrainResult", "UnsupportedError", "Window", "evaluate", "export",
           "train", "version"]


def version() -> str:
    """Return the version of the library.

    Returns
    -------
    str
        For example ``"0.1.0"``.
    """
    text: bytes = _c.library.dv_version()
    return text.decode()


__version__ = version()
