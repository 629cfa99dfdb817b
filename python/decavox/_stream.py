"""Streams: a sound that arrives in pieces and is answered window by window."""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Mapping, Optional, Union

import numpy as np
import numpy.typing as npt

from . import _c, _sounds
from ._model import OpenModel, Session, pointer

_PIECE = 10  # s; the library accepts up to a minute


@dataclass(frozen=True, eq=False)
class Window:
    """The answer of a model to one window of a stream.

    Attributes
    ----------
    start, end : float
        Seconds from the start of the stream.
    label : str
        The label with the highest smoothed probability.
    confidence : float
        This probability.
    probabilities : numpy.ndarray
        The probability of each label in this window, float32, read-only.
    smoothed : numpy.ndarray
        The same, averaged over the latest windows.
    heard : bool
        Whether the label is heard (reaches its threshold) and was not in the window before.
    """

    start: float
    end: float
    label: str
    confidence: float
    probabilities: npt.NDArray[np.float32]
    smoothed: npt.NDArray[np.float32]
    heard: bool


def _levels(labels: tuple[str, ...], thresholds: Union[float, Mapping[str, float], None]
            ) -> Optional[npt.NDArray[np.float32]]:
    """The threshold of each label, or None for those of the library."""
    if thresholds is None:
        return None
    if not isinstance(thresholds, Mapping):
        return np.full(len(labels), thresholds, np.float32)
    unknown = sorted(set(thresholds) - set(labels))
    if unknown:
        raise ValueError(f"thresholds: the model does not know the words {', '.join(unknown)}")
    return np.array([thresholds.get(label, 0.5) for label in labels], np.float32)


def _row(address: int, count: int) -> npt.NDArray[np.float32]:
    """Copies numbers of the library. The copy is read-only."""
    return np.frombuffer(ctypes.string_at(address, count * 4), np.float32)


def _free(model: OpenModel, session: Session, handle: ctypes.c_void_p) -> None:
    if model.process == os.getpid():
        _c.library.dv_stream_free(handle)
        model.give_back(session)


class Stream:
    """A sound that arrives in pieces. `Recognizer.stream` makes it.

    Notes
    -----
    A window of the model's length begins every `hop` seconds. Several threads may use a stream one
    after the other. It stays usable when its recognizer is closed. A forked child cannot use it.
    """

    def __init__(self, model: OpenModel, sample_rate: Optional[int], hop: Optional[float],
                 smoothing: float, thresholds: Union[float, Mapping[str, float], None]) -> None:
        levels = _levels(model.labels, thresholds)
        rate = model.sample_rate if sample_rate is None else _sounds.rate_of(sample_rate)
        options = _c.StreamOptions(sample_rate=rate,
                                   hop=hop or 0.0, smoothing=smoothing,
                                   thresholds=None if levels is None else pointer(levels))
        self._model = model
        self._lock = threading.Lock()
        self._handle = ctypes.c_void_p()
        self._piece = _PIECE * rate
        session = model.take(1)
        try:
            _c.check(_c.library.dv_stream_create(session.handle, ctypes.byref(options),
                                                 ctypes.byref(self._handle)))
        except BaseException:
            model.give_back(session)
            raise
        self._finalizer = weakref.finalize(self, _free, model, session, self._handle)

    def _check(self) -> None:
        if not self._finalizer.alive:
            raise ValueError("the stream is closed")
        if self._model.process != os.getpid():
            raise ValueError("the stream belongs to the process that this one was forked from")

    def accept(self, samples: _sounds.Samples) -> list[Window]:
        """Take the next samples, and answer the windows that they complete.

        Parameters
        ----------
        samples : numpy.ndarray
            Samples of one channel, as `Recognizer.predict` takes them.

        Returns
        -------
        list of Window
            The completed windows.
        """
        row = _sounds.samples_of(samples)
        short = row.dtype == np.int16
        call: Any = (_c.library.dv_stream_accept_int16 if short else _c.library.dv_stream_accept)
        windows: list[Window] = []
        with self._lock:
            self._check()
            for at in range(0, len(row), self._piece):
                piece = row[at:at + self._piece]
                _c.check(call(self._handle, pointer(piece), len(piece)))
                windows += self._poll()
        return windows

    def end(self) -> list[Window]:
        """End the sound, and answer the final window.

        Returns
        -------
        list of Window
            The final window, if the last samples are in no window yet.
        """
        with self._lock:
            self._check()
            _c.check(_c.library.dv_stream_end(self._handle))
            return self._poll()

    def reset(self) -> None:
        """Begin a new sound with the same options."""
        with self._lock:
            self._check()
            _c.library.dv_stream_reset(self._handle)

    def _poll(self) -> list[Window]:
        windows: list[Window] = []
        window, there = _c.StreamWindow(), ctypes.c_int()
        labels = self._model.labels
        while True:
            _c.check(_c.library.dv_stream_poll(self._handle, ctypes.byref(window),
                                               ctypes.byref(there)))
            if not there.value:
                return windows
            windows.append(Window(getattr(window, "from"), window.to, labels[int(window.label)],
                                  window.probability, _row(window.probabilities, len(labels)),
                                  _row(window.smoothed, len(labels)), bool(window.heard)))

    def close(self) -> None:
        """Free the stream, and return its session to the recognizer."""
        with self._lock:
            self._finalizer()

    def __enter__(self) -> Stream:
        """Return the stream itself."""
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        """Close the stream."""
        self.close()
