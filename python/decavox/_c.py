"""The C library: the structures and functions of include/decavox.h, and the search for the file."""

from __future__ import annotations

import ctypes
import logging
import os
import threading
from ctypes import c_char_p, c_double, c_float, c_int, c_int64, c_size_t, c_void_p
from typing import Any, Optional

from ._errors import error_of

SERIES = "0.1"  # the versions of the library that fit this package
SONAME = f"libdecavox.so.{SERIES}"

logger = logging.getLogger("decavox")

# ---- Structures ----

LogFunction = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_char_p)
TrainFunction = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p)

LOG_LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING)
TRAIN_CONTINUE, TRAIN_PAUSE, TRAIN_FINISH = range(3)


class Options(ctypes.Structure):
    """The base of all options, which begin as zeros with their size."""

    def __init__(self, **values: Any) -> None:
        super().__init__(ctypes.sizeof(type(self)), **values)


class ModelOptions(Options):
    c_name = "dv_model_options"
    _fields_ = [("size", c_size_t), ("device", c_char_p), ("precision", c_char_p),
                ("algorithms", c_char_p), ("log", LogFunction), ("log_user", c_void_p)]


class Sound(ctypes.Structure):
    c_name = "dv_sound"
    _fields_ = [("samples", c_void_p), ("samples16", c_void_p), ("count", c_size_t),
                ("sample_rate", c_int64)]


class Seen(ctypes.Structure):
    c_name = "dv_seen"
    _fields_ = [("seconds", c_double), ("from", c_double), ("to", c_double)]


class SessionOptions(Options):
    c_name = "dv_session_options"
    _fields_ = [("size", c_size_t), ("capacity", c_int), ("threads", c_int)]


class StreamOptions(Options):
    c_name = "dv_stream_options"
    _fields_ = [("size", c_size_t), ("sample_rate", c_int64), ("hop", c_double),
                ("smoothing", c_double), ("thresholds", c_void_p)]


class StreamWindow(ctypes.Structure):
    c_name = "dv_stream_window"
    _fields_ = [("from", c_double), ("to", c_double), ("probabilities", c_void_p),
                ("smoothed", c_void_p), ("label", c_size_t), ("probability", c_float),
                ("heard", c_int)]


class TrainProgress(ctypes.Structure):
    c_name = "dv_train_progress"
    _fields_ = [("pretraining", c_int), ("epoch", c_int64), ("epochs", c_int64),
                ("step", c_int64), ("steps", c_int64), ("epoch_ended", c_int),
                ("loss", c_double), ("accuracy", c_double), ("validation_loss", c_double),
                ("validation_accuracy", c_double), ("learning_rate", c_double),
                ("seconds", c_double), ("improved", c_int)]


class TrainOptions(Options):
    c_name = "dv_train_options"
    _fields_ = [("size", c_size_t), ("folder", c_char_p), ("resume", c_int),
                ("device", c_char_p), ("threads", c_int), ("log", LogFunction),
                ("log_user", c_void_p), ("progress", TrainFunction), ("user", c_void_p)]


class TrainResult(ctypes.Structure):
    c_name = "dv_train_result"
    _fields_ = [("epochs", c_int64), ("best_epoch", c_int64), ("best_accuracy", c_double),
                ("best_loss", c_double), ("is_test", c_int), ("correct", c_int64),
                ("count", c_int64), ("loss", c_double)]


class EvaluationOptions(Options):
    c_name = "dv_evaluation_options"
    _fields_ = [("size", c_size_t), ("data", c_char_p), ("split", c_char_p), ("part", c_char_p),
                ("exclude", c_char_p), ("threads", c_int)]


class ExportOptions(Options):
    c_name = "dv_export_options"
    _fields_ = [("size", c_size_t), ("format", c_char_p), ("input", c_char_p),
                ("precision", c_char_p), ("batch", c_int64), ("license", c_char_p),
                ("force", c_int)]


STRUCTURES = (ModelOptions, Sound, Seen, SessionOptions, StreamOptions, StreamWindow,
              TrainProgress, TrainOptions, TrainResult, EvaluationOptions, ExportOptions)

# ---- Functions ----

# Result and arguments of each function. Opaque pointers of the library are c_void_p.
FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "dv_error_message": (c_char_p, []),
    "dv_version": (c_char_p, []),
    "dv_model_open": (c_int, [c_char_p, c_void_p, c_void_p]),
    "dv_model_open_memory": (c_int, [c_void_p, c_size_t, c_void_p, c_void_p]),
    "dv_model_close": (None, [c_void_p]),
    "dv_model_label_count": (c_size_t, [c_void_p]),
    "dv_model_label": (c_char_p, [c_void_p, c_size_t]),
    "dv_model_sample_rate": (c_int64, [c_void_p]),
    "dv_model_window": (c_double, [c_void_p]),
    "dv_model_card": (c_char_p, [c_void_p]),
    "dv_model_device": (c_char_p, [c_void_p]),
    "dv_model_precision": (c_char_p, [c_void_p]),
    "dv_session_create": (c_int, [c_void_p, c_void_p, c_void_p]),
    "dv_session_free": (None, [c_void_p]),
    "dv_session_sound": (c_int, [c_void_p] * 4),
    "dv_session_sounds": (c_int, [c_void_p, c_void_p, c_size_t, c_void_p, c_void_p, c_void_p]),
    "dv_session_file": (c_int, [c_void_p, c_char_p, c_void_p, c_void_p]),
    "dv_session_files": (c_int, [c_void_p, c_void_p, c_size_t, c_void_p, c_void_p, c_void_p]),
    "dv_stream_create": (c_int, [c_void_p, c_void_p, c_void_p]),
    "dv_stream_free": (None, [c_void_p]),
    "dv_stream_accept": (c_int, [c_void_p, c_void_p, c_size_t]),
    "dv_stream_accept_int16": (c_int, [c_void_p, c_void_p, c_size_t]),
    "dv_stream_end": (c_int, [c_void_p]),
    "dv_stream_poll": (c_int, [c_void_p, c_void_p, c_void_p]),
    "dv_stream_reset": (None, [c_void_p]),
    "dv_config_open": (c_int, [c_char_p, c_void_p]),
    "dv_config_free": (None, [c_void_p]),
    "dv_config_set": (c_int, [c_void_p, c_void_p, c_size_t]),
    "dv_train": (c_int, [c_void_p] * 3),
    "dv_evaluate": (c_int, [c_void_p] * 3),
    "dv_evaluation_free": (None, [c_void_p]),
    "dv_evaluation_count": (c_int64, [c_void_p]),
    "dv_evaluation_correct": (c_int64, [c_void_p]),
    "dv_evaluation_loss": (c_double, [c_void_p]),
    "dv_evaluation_confusion": (c_int64, [c_void_p, c_size_t, c_size_t]),
    "dv_evaluation_json": (c_char_p, [c_void_p]),
    "dv_export": (c_int, [c_void_p, c_char_p, c_void_p]),
}


def _load() -> ctypes.CDLL:
    """Loads the library of $DECAVOX_LIBRARY, else that of the wheel, else that of the system."""
    chosen = os.environ.get("DECAVOX_LIBRARY")
    own = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib", "libdecavox.so")
    path = chosen or (own if os.path.exists(own) else SONAME)
    try:
        library = ctypes.CDLL(path)
        for name, (result, arguments) in FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise ImportError(f"the library of decavox cannot be loaded: {error}; it is looked for in "
                          f"$DECAVOX_LIBRARY, in {own}, and where the system has {SONAME}"
                          ) from error
    version = library.dv_version().decode()
    if not version.startswith(SERIES + "."):
        raise ImportError(f"{path} is decavox {version}, and this package is for {SERIES}")
    return library


library = _load()


class _Place(ctypes.Structure):
    """Dl_info of <dlfcn.h>."""

    _fields_ = [("file", c_char_p), ("base", c_void_p), ("symbol", c_char_p),
                ("address", c_void_p)]


def library_folder() -> Optional[str]:
    """The real path of the folder with the loaded library."""
    place = _Place()
    address = ctypes.cast(library.dv_version, c_void_p)
    find = ctypes.CDLL(None).dladdr
    find.argtypes = [c_void_p, c_void_p]
    if not find(address, ctypes.byref(place)) or place.file is None:
        return None
    return os.path.dirname(os.path.realpath(os.fsdecode(place.file)))


# ---- Calls ----

def check(status: int, path: Optional[str] = None) -> None:
    """Raises the error of a call that has failed on this thread. `path` is the file concerned."""
    if status:
        raise error_of(status, message(), path)


def message() -> str:
    """The message of this thread's latest failure."""
    text: bytes = library.dv_error_message()
    return text.decode(errors="replace")


def text(value: Optional[str]) -> Optional[bytes]:
    """Encodes a text for the library in UTF-8."""
    encoded = None if value is None else value.encode()
    if encoded is not None and b"\0" in encoded:
        raise ValueError(f"{value!r} has a null character")
    return encoded


def whole(name: str, value: int, least: int, most: int) -> int:
    """Checks an integer for the library; ctypes would drop its upper bits."""
    if isinstance(value, float) or not least <= value <= most:
        raise ValueError(f"{name} is {value}, must be a whole number from {least} to {most}")
    return int(value)


def path_bytes(path: str) -> bytes:
    """Encodes a path for the library as the file system does."""
    encoded = os.fsencode(path)
    if b"\0" in encoded:
        raise ValueError("a path has no null character")
    return encoded


_interrupted = threading.local()  # .error: the exception that ended a log callback of this thread


def _log(user: Any, level: int, line: bytes) -> None:
    try:
        logger.log(LOG_LEVELS[level], "%s", line.decode(errors="replace"))
    except BaseException as error:  # for example KeyboardInterrupt, which cannot pass through C
        _interrupted.error = error


def raise_interruption() -> None:
    """Raises the exception that ended a log callback during the latest call."""
    error: Optional[BaseException] = getattr(_interrupted, "error", None)
    if error is not None:
        _interrupted.error = None
        raise error


log_function = LogFunction(_log)  # must outlive every model
