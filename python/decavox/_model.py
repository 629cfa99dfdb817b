"""An open model of the C library with the sessions of its threads, and the search for models."""

from __future__ import annotations

import ctypes
import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generator, Optional, Union

import numpy as np

from . import _c

Source = Union[str, "os.PathLike[str]", bytes]


def _first(inside: str, homes: list[str]) -> Optional[str]:
    """The first existing path below one of the folders."""
    paths = [os.path.join(home, inside) for home in homes if home]
    return next((path for path in paths if os.path.exists(path)), None)


def _installed() -> list[str]:
    """The folders that may hold the files of the library's installation."""
    folder = _c.library_folder()
    if folder is None:
        return []
    return [os.path.join(folder, *up, "share", "decavox") for up in (("..",), ("..", ".."))]


def find_model(name: str) -> str:
    """The path of a model, which is a file or a model that comes with decavox.

    The searched folders are those of the program: $DECAVOX_HOME, the working folder, and
    share/decavox of the library's installation.
    """
    inside = name if name.startswith("checkpoints/") else f"checkpoints/{name}.safetensors"
    if os.path.exists(name) or ("/" in name and inside != name):
        return name
    return _first(inside, [os.environ.get("DECAVOX_HOME", ""), ".", *_installed()]) or name


def lasting(name: str) -> str:
    """A name of the model that is valid in every working folder: an absolute path, or the name of a
    model that comes with the library."""
    path = find_model(name)
    if not os.path.exists(path) or any(path.startswith(home) for home in _installed()):
        return name
    return os.path.abspath(path)


@dataclass(frozen=True)
class ModelChoice:
    """The parameters with which a model is opened. They can be pickled."""

    source: Union[str, bytes]
    device: str
    precision: str
    algorithms: Optional[str]
    threads: int

    @classmethod
    def of(cls, source: Source, device: str = "cpu", precision: str = "fp32",
           algorithms: Optional[str] = None, threads: int = 1) -> ModelChoice:
        """Makes the choice of a path, a name or the bytes of a checkpoint."""
        if not isinstance(source, bytes):
            source = lasting(os.fspath(source))
        return cls(source, device, precision, algorithms, _c.whole("threads", threads, -1, 1024))


class Session:
    """A C session with the memory for an answer. One thread at a time may use it."""

    __slots__ = ("answer_address", "answer", "capacity", "handle", "seen", "seen_address", "sound",
                 "sound_address")

    def __init__(self, model: ctypes.c_void_p, capacity: int, threads: int, labels: int) -> None:
        options = _c.SessionOptions(capacity=capacity, threads=threads)
        self.handle = ctypes.c_void_p()
        self.capacity = capacity
        _c.check(_c.library.dv_session_create(model, ctypes.byref(options),
                                              ctypes.byref(self.handle)))
        self.sound = _c.Sound()
        self.sound_address = ctypes.addressof(self.sound)
        self.seen = _c.Seen()
        self.seen_address = ctypes.addressof(self.seen)
        self.answer = np.zeros(labels, np.float32)
        self.answer_address: int = self.answer.ctypes.data


class OpenModel:
    """An open model. Its sessions are kept for later calls and freed before the model."""

    def __init__(self, choice: ModelChoice) -> None:
        self.process = os.getpid()
        self.threads = choice.threads
        self._handle = ctypes.c_void_p()
        self._lock = threading.RLock()  # a finalizer may run within its own thread's call
        self._free: dict[int, list[Session]] = {}
        self._users = 0
        self._closed = False
        self._open(choice)
        call = _c.library
        self.labels: tuple[str, ...] = tuple(
            call.dv_model_label(self._handle, i).decode()
            for i in range(call.dv_model_label_count(self._handle)))
        self.sample_rate: int = call.dv_model_sample_rate(self._handle)
        self.window: float = call.dv_model_window(self._handle)
        self.card: str = call.dv_model_card(self._handle).decode()
        self.device: str = call.dv_model_device(self._handle).decode()
        self.precision: str = call.dv_model_precision(self._handle).decode()

    def _open(self, choice: ModelChoice) -> None:
        options = _c.ModelOptions(device=_c.text(choice.device), precision=_c.text(choice.precision),
                                  algorithms=_c.text(choice.algorithms), log=_c.log_function)
        opened, given = ctypes.byref(self._handle), ctypes.byref(options)
        source = choice.source
        if isinstance(source, bytes):
            _c.check(_c.library.dv_model_open_memory(source, len(source), given, opened))
        else:
            path = find_model(source)
            _c.check(_c.library.dv_model_open(_c.path_bytes(path), given, opened), path)

    def take(self, capacity: int) -> Session:
        """Takes a session for a call, which must give it back. Fails if the model is closed."""
        with self._lock:
            if self._closed:
                raise ValueError("the recognizer is closed")
            self._users += 1
            free = self._free.get(capacity)
            if free:
                return free.pop()
        try:
            return Session(self._handle, capacity, self.threads, len(self.labels))
        except BaseException:
            self._leave()
            raise

    def give_back(self, session: Session) -> None:
        """Keeps the session for the next call, or frees it if the model has been closed."""
        with self._lock:
            if not self._closed:
                self._free.setdefault(session.capacity, []).append(session)
                self._users -= 1
                return
        self._free_session(session)
        self._leave()

    @contextmanager
    def used(self) -> Generator[ctypes.c_void_p, None, None]:
        """Lends the model's handle to a call that needs no session."""
        with self._lock:
            if self._closed:
                raise ValueError("the recognizer is closed")
            self._users += 1
        try:
            yield self._handle
        finally:
            self._leave()

    def close(self) -> None:
        """Frees everything, or leaves that to the last call in progress."""
        if self.process != os.getpid():
            return  # the sessions belong to the parent process
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._users += 1
        for sessions in self._free.values():
            for session in sessions:
                self._free_session(session)
        self._free.clear()
        self._leave()

    @staticmethod
    def _free_session(session: Session) -> None:
        _c.library.dv_session_free(session.handle)

    def _leave(self) -> None:
        with self._lock:
            self._users -= 1
            last = self._closed and self._users == 0
        if last:
            _c.library.dv_model_close(self._handle)


def pointer(array: np.ndarray[Any, Any]) -> int:
    """The address of an array's first element."""
    return array.ctypes.data
